package cli_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
	"linkbroker/cache/redistest"
)

// redisPassword is what a server asks for, and nobody must see.
const redisPassword = "s3cret-of-redis"

// passwordRedis starts a server that lets in who knows the password.
func passwordRedis(t *testing.T) *redistest.Server {
	t.Helper()
	s := redistest.New(t, t.TempDir(), "--save", "", "--requirepass", redisPassword)
	s.User = redisPassword
	s.EndWith(t)
	s.Start(t)
	return s
}

func noErr(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fillFile adds links to a store that no broker has open.
func fillFile(t *testing.T, path string, n int) {
	t.Helper()
	s, err := cache.Open(t.Context(), "bolt://"+path, cache.Options{Clock: time.Now})
	noErr(t, err)
	now := time.Now().UTC().Truncate(time.Second)
	var all sync.WaitGroup
	for writer := range 500 {
		all.Go(func() {
			for i := writer; i < n; i += 500 {
				target, err := broker.Target{App: appID, Path: "filled", Query: fmt.Sprint("n=", i)}.Normalize()
				link := broker.Link{Key: target.Key(), Target: target, URL: fmt.Sprint("https://wxaurl.cn/F", i), GeneratedAt: now, ExpiresAt: now.AddDate(0, 0, 20)}
				if err == nil {
					err = s.PutLink(t.Context(), link)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	noErr(t, s.Close())
}

// grown waits until there are so many keys in Redis.
func grown(t *testing.T, redis *redistest.Server, keys int) {
	t.Helper()
	eventually(t, "a migration goes on", func() bool {
		var n int
		answer, err := redis.Ask("DBSIZE")
		_, _ = fmt.Sscanf(answer, ":%d", &n) // else it is asked again
		return err == nil && n >= keys
	})
}

// TestAStoreIsMovedToRedisAndBack kills the migration again and again, and in the end nothing is missing.
func TestAStoreIsMovedToRedisAndBack(t *testing.T) {
	t.Parallel()
	redis := passwordRedis(t)
	dir, link := stored(t, newWeChat(t))
	fillFile(t, filepath.Join(dir, "data/links.db"), 20_000)
	environ := []string{"REDIS_PASSWORD=" + redisPassword}
	url := "redis://:${REDIS_PASSWORD}@" + redis.Addr
	move := func(code int, want string, args ...string) {
		t.Helper()
		stdout, stderr, got := run(t, dir, environ, append([]string{"migrate"}, args...)...)
		if got != code || !regexp.MustCompile(want).MatchString(stdout+stderr) {
			t.Fatalf("migrate %s: exit code %d and\n%s%s\nwant %d and %s", strings.Join(args, " "), got, stdout, stderr, code, want)
		}
		if strings.Contains(stdout+stderr, redisPassword) {
			t.Errorf("the password is shown:\n%s%s", stdout, stderr)
		}
	}

	move(0, `(?m)^links +20,001 (?s:.*)\nNothing was moved.`, "--dry-run", "bolt://data/links.db")
	move(1, `the environment variable NOTHING is not set`, "redis://:${NOTHING}@"+redis.Addr)
	move(1, `the store to move from.*no store .* "nothing"`, url+"?prefix=nothing", "bolt://nothing.db")
	if keys, err := redis.Ask("DBSIZE"); err != nil || keys != ":0" {
		t.Errorf("a store that is only read is made: DBSIZE says %q, %v", keys, err)
	}
	move(1, `refuses the user or the password`, "redis://:wrong@"+redis.Addr)
	for round := range 3 {
		p := start(t, dir, environ, "migrate", url)
		grown(t, redis, 2000+10_000*round)
		p.kill()
	}
	p := start(t, dir, environ, "migrate", url)
	grown(t, redis, 32_000) // of 44,000: two for each link, and one for each shard
	p.signal(syscall.SIGINT)
	if code := p.wait(); code != 3 || !strings.Contains(p.stderr.String(), "interrupted: the same command goes on where it was") {
		t.Fatalf("interrupted, it exits with %d and says\n%s", code, p.stderr)
	}
	_, stderr, code := run(t, dir, append(secrets, environ...), "serve", "--store=redis://:"+redisPassword+"@"+redis.Addr)
	if code != 1 || !strings.Contains(stderr, "the migration into this store has not ended") {
		t.Errorf("a half filled store is served: exit code %d and\n%s", code, stderr)
	}
	move(0, `(?m)^links +20,001 +20,001 +(\w+) +\w+ +equal +0 +0$(?s:.*)Now set store: redis://:xxxxx@127`, url)
	move(1, `must be empty: it keeps links`, url)

	move(0, `Moved`, url, "bolt://back.db")
	move(0, `They keep the same`, "--compare-only", "bolt://data/links.db", "bolt://back.db")
	expect(t, dir, 0, `(?m)^links +20001$`, "check", "--store=bolt://back.db")

	s := serve(t, dir, append(secrets, environ...), "--store=redis://:"+redisPassword+"@"+redis.Addr)
	if hit := decoded(t, s.postLink(`{"path":"p"}`)); hit.Outcome != "hit" || hit.URL != link.URL {
		t.Errorf("after the move the answer is %+v, want a hit with %s", hit, link.URL)
	}
	move(1, `in use by another linkbroker process`, url, "bolt://new.db")
	s.terminate()
	move(1, `(?m)^links .* DIFFERENT (?s:.*)do not keep the same`, "--compare-only", "bolt://data/links.db", url)
}

func TestAMigrationNamesWhatIsDamaged(t *testing.T) {
	t.Parallel()
	redis := passwordRedis(t)
	dir, _ := stored(t, newWeChat(t))
	url := "redis://:" + redisPassword + "@" + redis.Addr
	expect(t, dir, 0, "Moved", "migrate", url)
	for _, command := range [][]string{{"SET", "linkbroker:a:{a}spoilt", "what-is-no-record"}, {"ZADD", "linkbroker:s:{a}", "0", "spoilt"}} {
		_, err := redis.Ask(command...)
		noErr(t, err)
	}
	expect(t, dir, 0, `aliases +0 +0 .* equal +0 +1\n(?s:.*)damaged record.*kind=aliases key=spoilt `, "migrate", url, "bolt://back.db")
}

func TestWhatCannotBeMovedIsRefused(t *testing.T) {
	t.Parallel()
	dir, _ := stored(t, newWeChat(t))
	expect(t, dir, 1, `memory:// lasts as long as its broker`, "migrate", "bolt://data/links.db", "memory://")
	expect(t, dir, 1, `the store to move from.*none.db`, "migrate", "bolt://none.db", "bolt://new.db")
	expect(t, dir, 1, `are the same`, "migrate", "bolt://data/links.db", "bolt://data/links.db")
	expect(t, dir, 1, `must be bolt://`, "migrate", "bolt://data/links.db", "file.db")
	expect(t, dir, 1, `the store to move to.*new.db`, "migrate", "--compare-only", "bolt://data/links.db", "bolt://new.db")
	expect(t, dir, 2, `accepts between 1 and 2 arg`, "migrate")
	expect(t, dir, 0, `Nothing was moved`, "migrate", "--dry-run", "bolt://data/links.db", "bolt://new.db")
	if _, err := os.Stat(filepath.Join(dir, "new.db")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a dry run makes a store: %v", err)
	}
	expect(t, dir, 0, `(?s)"kind": "links",.*"records": 1,.*"equal": true`, "migrate", "-o", "json", "bolt://data/links.db", "bolt://new.db")
}
