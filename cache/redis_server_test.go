package cache_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// redisServer is a real one, which this test has started and ends.
type redisServer struct {
	addr string
	dir  string
	args []string
	user string // who asks, and his password; empty = nobody logs in
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
	s := &redisServer{addr: freeAddr(t), dir: dir, args: args}
	s.start(t)
	return s
}

func freeAddr(t testing.TB) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	noErr(t, err)
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
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

// ask sends one command without spaces in its arguments, and gives the answer: of a text what it says, of anything else the
// first line.
func (s *redisServer) ask(words ...string) (string, error) {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(context.Background(), "tcp", s.addr)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	answer := bufio.NewReader(conn)
	if s.user != "" {
		if _, err := fmt.Fprintf(conn, "AUTH %s\r\n", s.user); err != nil {
			return "", err
		}
		if _, err := answer.ReadString('\n'); err != nil { // who is not let in asks as nobody
			return "", err
		}
	}
	if _, err := fmt.Fprintf(conn, "%s\r\n", strings.Join(words, " ")); err != nil {
		return "", err
	}
	line, err := answer.ReadString('\n')
	line = strings.TrimSpace(line)
	size, isText := strings.CutPrefix(line, "$")
	n, notSize := strconv.Atoi(size)
	if err != nil || !isText || notSize != nil || n < 0 {
		return line, err
	}
	text := make([]byte, n)
	_, err = io.ReadFull(answer, text)
	return string(text), err
}

// must asks, and waits until the answer contains something.
func (s *redisServer) must(t testing.TB, want string, words ...string) {
	t.Helper()
	var answer string
	var err error
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if answer, err = s.ask(words...); err == nil && strings.Contains(answer, want) {
			return
		}
		<-time.After(10 * time.Millisecond)
	}
	t.Fatalf("%v is answered by %q, %v; want %q", words, answer, err, want)
}
