package cli_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
)

// redisPassword is what a server asks for, and nobody must see.
const redisPassword = "s3cret-of-redis"

// passwordRedis starts a real server on a free port of loopback.
func passwordRedis(t *testing.T) (addr string) {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil && os.Getenv("CI") == "" {
		t.Skip("SKIPPED: there is no redis-server (apt-get install redis-server)")
	}
	noErr(t, err)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	noErr(t, err)
	addr = listener.Addr().String()
	noErr(t, listener.Close())
	_, port, _ := net.SplitHostPort(addr)
	server := exec.CommandContext(context.Background(), path,
		"--bind", "127.0.0.1", "--port", port, "--dir", t.TempDir(), "--save", "", "--requirepass", redisPassword)
	noErr(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	eventually(t, "redis-server answers", func() bool {
		_, err := askRedis(addr, "PING")
		return err == nil
	})
	return addr
}

// askRedis sends one command without spaces in its arguments, and gives the end of the answer.
func askRedis(addr string, words ...string) (string, error) {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(context.Background(), "tcp", addr)
	if err != nil {
		return "", err
	}
	defer conn.Close() //nolint:errcheck // nothing is lost
	_ = conn.SetDeadline(time.Now().Add(soon))
	fmt.Fprintf(conn, "AUTH %s\r\n%s\r\nPING\r\n", redisPassword, strings.Join(words, " "))
	said := ""
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		if lines.Text() == "+PONG" {
			return said, nil
		}
		said = lines.Text()
	}
	return said, fmt.Errorf("%v ends with %q", words, said)
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
func grown(t *testing.T, addr string, keys int) {
	t.Helper()
	eventually(t, "a migration goes on", func() bool {
		var n int
		answer, err := askRedis(addr, "DBSIZE")
		_, _ = fmt.Sscanf(answer, ":%d", &n) // else it is asked again
		return err == nil && n >= keys
	})
}

// TestAStoreIsMovedToRedisAndBack kills the migration again and again, and in the end nothing is missing.
func TestAStoreIsMovedToRedisAndBack(t *testing.T) {
	t.Parallel()
	addr := passwordRedis(t)
	dir, link := stored(t, newWeChat(t))
	fillFile(t, filepath.Join(dir, "data/links.db"), 20_000)
	environ := []string{"REDIS_PASSWORD=" + redisPassword}
	url := "redis://:${REDIS_PASSWORD}@" + addr
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
	move(1, `the environment variable NOTHING is not set`, "redis://:${NOTHING}@"+addr)
	move(1, `refuses the user or the password`, "redis://:wrong@"+addr)
	for round := range 3 {
		p := start(t, dir, environ, "migrate", url)
		grown(t, addr, 2000+10_000*round)
		p.kill()
	}
	p := start(t, dir, environ, "migrate", url)
	grown(t, addr, 32_000) // of 44,000: two for each link, and one for each shard
	p.signal(syscall.SIGINT)
	if code := p.wait(); code != 3 || !strings.Contains(p.stderr.String(), "interrupted: the same command goes on where it was") {
		t.Fatalf("interrupted, it exits with %d and says\n%s", code, p.stderr)
	}
	_, stderr, code := run(t, dir, append(secrets, environ...), "serve", "--store=redis://:"+redisPassword+"@"+addr)
	if code != 1 || !strings.Contains(stderr, "the migration into this store has not ended") {
		t.Errorf("a half filled store is served: exit code %d and\n%s", code, stderr)
	}
	move(0, `(?m)^links +20,001 +20,001 +(\w+) +\w+ +equal +0 +0$(?s:.*)Now set store: redis://:xxxxx@127`, url)
	move(1, `must be empty: it keeps links`, url)

	move(0, `Moved`, url, "bolt://back.db")
	move(0, `They keep the same`, "--compare-only", "bolt://data/links.db", "bolt://back.db")
	expect(t, dir, 0, `(?m)^links +20001$`, "check", "--store=bolt://back.db")

	s := serve(t, dir, append(secrets, environ...), "--store=redis://:"+redisPassword+"@"+addr)
	if hit := decoded(t, s.postLink(`{"path":"p"}`)); hit.Outcome != "hit" || hit.URL != link.URL {
		t.Errorf("after the move the answer is %+v, want a hit with %s", hit, link.URL)
	}
	move(1, `in use by another linkbroker process`, url, "bolt://new.db")
	s.terminate()
	move(1, `(?m)^links .* DIFFERENT (?s:.*)do not keep the same`, "--compare-only", "bolt://data/links.db", url)
}

func TestAMigrationNamesWhatIsDamaged(t *testing.T) {
	t.Parallel()
	addr := passwordRedis(t)
	dir, _ := stored(t, newWeChat(t))
	url := "redis://:" + redisPassword + "@" + addr
	expect(t, dir, 0, "Moved", "migrate", url)
	for _, command := range [][]string{{"SET", "linkbroker:a:{a}spoilt", "what-is-no-record"}, {"ZADD", "linkbroker:s:{a}", "0", "spoilt"}} {
		_, err := askRedis(addr, command...)
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
	expect(t, dir, 0, `(?s)"kind": "links",.*"records": 1,.*"equal": true`, "migrate", "-o", "json", "bolt://data/links.db", "bolt://new.db")
}
