package cache_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"linkbroker/cache"
)

// redisServer is a real one, which this test has started and ends.
type redisServer struct {
	addr string
	dir  string
	args []string
	cmd  *exec.Cmd
}

// redisBinary finds a server, Valkey's or Redis'. Without one the test is skipped, but never in CI.
func redisBinary(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"redis-server", "valkey-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatal("there is no redis-server: apt-get install redis-server")
	}
	t.Skip("SKIPPED: there is no redis-server (apt-get install redis-server)")
	return ""
}

// startRedis starts a server on a free port of loopback, with further arguments if need be.
func startRedis(t testing.TB, args ...string) *redisServer {
	t.Helper()
	s := newRedis(t, t.TempDir(), args...)
	t.Cleanup(s.kill)
	return s
}

func newRedis(t testing.TB, dir string, args ...string) *redisServer {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &redisServer{addr: listener.Addr().String(), dir: dir, args: args}
	_ = listener.Close()
	s.start(t)
	return s
}

// shared are servers that outlive a test: each that uses one has a prefix of its own.
var shared struct {
	sync.Mutex
	server *redisServer
	end    []func()
}

// endShared ends them when all tests are done.
func endShared() {
	for _, end := range shared.end {
		end()
	}
}

func sharedDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "redis") //nolint:usetesting // outlives the test
	noErr(t, err)
	shared.end = append(shared.end, func() { _ = os.RemoveAll(dir) })
	return dir
}

// sharedRedis gives a server of all tests, which is started for the first.
func sharedRedis(t testing.TB) *redisServer {
	t.Helper()
	redisBinary(t)
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		shared.server = newRedis(t, sharedDir(t))
		shared.end = append([]func(){shared.server.kill}, shared.end...)
	}
	return shared.server
}

// prefixes tells the stores of the tests apart.
var prefixes atomic.Int64

// ownURL gives the URL of a store that nobody else uses.
func ownURL(t testing.TB, url string) string {
	t.Helper()
	return fmt.Sprintf("%s?prefix=t%d", url, prefixes.Add(1))
}

func openRedis(t testing.TB, url string) *cache.Redis {
	t.Helper()
	r, err := cache.OpenRedis(t.Context(), url, cache.Options{Clock: func() time.Time { return noon }})
	noErr(t, err)
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func (s *redisServer) url() string { return "redis://" + s.addr }

// start starts the server, or starts it again with what it had stored, and waits until it answers.
func (s *redisServer) start(t testing.TB) {
	t.Helper()
	_, port, _ := net.SplitHostPort(s.addr)
	args := append([]string{
		"--bind", "127.0.0.1", "--port", port, "--dir", s.dir, "--save", "", "--appendonly", "yes", "--appendfsync", "everysec",
		"--repl-diskless-sync-delay", "0", "--logfile", filepath.Join(s.dir, "log"),
	}, s.args...)
	s.cmd = exec.CommandContext(context.Background(), redisBinary(t), args...)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if answer, err := s.ask("PING"); err == nil && answer == "+PONG" {
			return
		}
		<-time.After(10 * time.Millisecond)
	}
	log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	t.Fatalf("redis-server does not answer:\n%s", log)
}

// kill ends the server at once, as a crash would.
func (s *redisServer) kill() {
	if s.cmd.Process != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	}
}

// ask sends one command without spaces in its arguments, and gives the first line of the answer.
func (s *redisServer) ask(words ...string) (string, error) {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(context.Background(), "tcp", s.addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := fmt.Fprintf(conn, "%s\r\n", strings.Join(words, " ")); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line), err
}
