// Package redistest starts real servers for tests: Redis' or Valkey's, alone, as a Cluster, or watched by a Sentinel.
package redistest

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// soon is how long anything may take that is expected at once, on a machine with much else to do.
const soon = 30 * time.Second

// Server is one that a test has started.
type Server struct {
	Addr   string
	Dir    string  // where it keeps what it was told
	User   string  // who asks, and his password, as AUTH has them; empty = nobody logs in
	Master *Server // whose replica it starts as; nil = nobody's

	args []string
	cmd  *exec.Cmd
}

// Need skips a test where there is no server, Redis' or Valkey's, but never in CI.
func Need(t testing.TB) (binary string) {
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

// New is a server that has still to be started. A configuration file may be the first of its arguments.
func New(t testing.TB, dir string, args ...string) *Server {
	t.Helper()
	return &Server{Addr: freeAddr(t), Dir: dir, args: args}
}

// Storing is a server that has still to be started and forgets nothing when it is killed: it writes down what it is told before it
// says so, and leaves it to the kernel when that reaches the disk. With everysec it would hold back what it was told while the disk
// is slow. It does not wait for further replicas before it serves one.
func Storing(t testing.TB, dir string, args ...string) *Server {
	t.Helper()
	return New(t, dir, append([]string{
		"--save", "", "--appendonly", "yes", "--appendfsync", "no", "--repl-diskless-sync-delay", "0",
	}, args...)...)
}

// Start starts a server that forgets nothing and ends with the test, with further arguments if need be.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	s := Storing(t, t.TempDir(), args...)
	s.EndWith(t)
	s.Start(t)
	return s
}

// StartReplica starts a server that follows this one and ends with the test.
func (s *Server) StartReplica(t testing.TB) *Server {
	t.Helper()
	replica := Storing(t, t.TempDir())
	replica.Master = s
	replica.EndWith(t)
	replica.Start(t)
	return replica
}

// EndWith has the server end with a test, and its log shown if that fails.
func (s *Server) EndWith(t testing.TB) {
	t.Cleanup(func() {
		s.Kill()
		if t.Failed() {
			t.Logf("the log of redis-server at %s:\n%s", s.Addr, s.log())
		}
	})
}

// freeAddr gives an address of loopback at which nobody listens.
func freeAddr(t testing.TB) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// URL is that of a store in this server.
func (s *Server) URL() string { return "redis://" + s.Addr }

// Port is that of its address.
func (s *Server) Port() string {
	_, port, _ := net.SplitHostPort(s.Addr)
	return port
}

// Start starts the server, or starts it again with what it had stored, and waits until it answers.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	args := append(slices.Clone(s.args), "--bind", "127.0.0.1", "--port", s.Port(), "--dir", s.Dir, "--logfile", filepath.Join(s.Dir, "log"))
	if s.Master != nil {
		args = append(args, "--replicaof", "127.0.0.1 "+s.Master.Port())
	}
	s.cmd = exec.CommandContext(context.Background(), Need(t), args...) //nolint:gosec // what a test says
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.Await(t, "PONG", "PING")
}

// Kill ends the server at once, as a crash would.
func (s *Server) Kill() {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	}
}

// Pause stops the server where it stands, with its connections open, until Resume.
func (s *Server) Pause() { _ = s.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume has it go on.
func (s *Server) Resume() { _ = s.cmd.Process.Signal(syscall.SIGCONT) }

// Await asks until the answer holds a text.
func (s *Server) Await(t testing.TB, want string, words ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), soon)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		answer, err := s.Ask(words...)
		if err == nil && strings.Contains(answer, want) {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("redis-server answers %v with %q, %v, never with %s. Its log:\n%s", words, answer, err, want, s.log())
		}
	}
}

func (s *Server) log() string {
	log, _ := os.ReadFile(filepath.Join(s.Dir, "log"))
	return string(log)
}
