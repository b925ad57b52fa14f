package cache_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/redis/rueidis"

	"linkbroker/cache"
	"linkbroker/cache/redistest"
)

// shared are servers that outlive a test: each that uses one has a prefix of its own.
var shared struct {
	sync.Mutex
	urls map[string]string
	end  []func()
}

// endShared ends them when all tests are done.
func endShared() {
	for _, end := range shared.end {
		end()
	}
}

// share starts servers for the first test that uses them, and gives their URL.
func share(t testing.TB, name string, start func() (url string)) string {
	t.Helper()
	redistest.Need(t)
	shared.Lock()
	defer shared.Unlock()
	if shared.urls[name] == "" {
		if shared.urls == nil {
			shared.urls = make(map[string]string)
		}
		shared.urls[name] = start()
	}
	return shared.urls[name]
}

// startShared starts one of the servers of share.
func startShared(t testing.TB, args ...string) *redistest.Server {
	t.Helper()
	dir, err := os.MkdirTemp("", "redis") //nolint:usetesting // outlives the test
	noErr(t, err)
	s := redistest.Storing(t, dir, args...)
	s.Start(t)
	shared.end = append(shared.end, func() {
		s.Kill()
		_ = os.RemoveAll(dir)
	})
	return s
}

// sharedRedis gives the URL of one server.
func sharedRedis(t testing.TB) string {
	return share(t, "one", func() string { return startShared(t).URL() + "?" })
}

// sharedPair gives the URL of a server whose replica must have what is written.
func sharedPair(t testing.TB) string {
	return share(t, "pair", func() string {
		primary := startShared(t)
		startShared(t, "--replicaof", "127.0.0.1 "+primary.Port())
		primary.Await(t, ":1", "WAIT", "1", "100")
		return primary.URL() + "?replicas=1&"
	})
}

// sharedCluster gives the URL of a Cluster of three.
func sharedCluster(t testing.TB) string {
	return share(t, "cluster", func() string { return redistest.ClusterURL(redistest.StartCluster(t, startShared)) + "&" })
}

// prefixes tells the stores of the tests apart.
var prefixes atomic.Int64

// ownURL gives the URL of a store that nobody else uses, at what share has given.
func ownURL(t testing.TB, url string) string {
	t.Helper()
	return fmt.Sprintf("%sprefix=t%d", url, prefixes.Add(1))
}

// redisClient gives a connection to the server of a store, past the store.
func redisClient(t testing.TB, url string) rueidis.Client {
	t.Helper()
	url, _, _ = strings.Cut(url, "?")
	client, err := rueidis.NewClient(rueidis.MustParseURL(url))
	noErr(t, err)
	t.Cleanup(client.Close)
	return client
}

// redisKeys gives the keys of a store, in order, without what they begin with.
func redisKeys(t testing.TB, client rueidis.Client, url string) []string {
	t.Helper()
	_, prefix, _ := strings.Cut(url, "prefix=")
	keys, err := client.Do(t.Context(), client.B().Keys().Pattern(prefix+":*").Build()).AsStrSlice()
	noErr(t, err)
	for i := range keys {
		keys[i] = strings.TrimPrefix(keys[i], prefix+":")
	}
	slices.Sort(keys)
	return keys
}

// redisKey gives the one key of a store that begins with something.
func redisKey(t testing.TB, client rueidis.Client, url, kind string) string {
	t.Helper()
	keys := slices.DeleteFunc(redisKeys(t, client, url), func(key string) bool { return !strings.HasPrefix(key, kind) })
	if len(keys) != 1 {
		t.Fatalf("%d keys begin with %s: %q", len(keys), kind, keys)
	}
	_, prefix, _ := strings.Cut(url, "prefix=")
	return prefix + ":" + keys[0]
}

func openRedis(t testing.TB, url string) *cache.Redis {
	t.Helper()
	r, err := cache.OpenRedis(t.Context(), url, options())
	noErr(t, err)
	t.Cleanup(func() { _ = r.Close() })
	return r
}
