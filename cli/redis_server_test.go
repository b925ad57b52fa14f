package cli_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// redisServer is a real one, which this test has started and ends.
type redisServer struct {
	addr   string
	dir    string
	args   []string
	master *redisServer // whose replica it starts as; nil = nobody's
	user   string       // who asks, and his password; empty = nobody logs in
	cmd    *exec.Cmd
}

// redisBinary finds a server, Valkey's or Redis'. Without one the test is skipped, but never in CI.
func redisBinary(t *testing.T) string {
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
func startRedis(t *testing.T, args ...string) *redisServer {
	t.Helper()
	s := storing(t, args...)
	s.start(t)
	return s
}

// storing is a server that keeps what it was told in a file.
func storing(t *testing.T, args ...string) *redisServer {
	t.Helper()
	dir := t.TempDir()
	return newRedis(t, dir, append([]string{
		"--dir", dir, "--save", "", "--appendonly", "yes", "--appendfsync", "everysec", "--repl-diskless-sync-delay", "0",
	}, args...)...)
}

// startReplica starts a server that follows this one.
func (s *redisServer) startReplica(t *testing.T) *redisServer {
	t.Helper()
	replica := storing(t)
	replica.master = s
	replica.start(t)
	return replica
}

// newRedis is a server that has still to be started. A configuration file may be the first of its arguments.
func newRedis(t *testing.T, dir string, args ...string) *redisServer {
	t.Helper()
	s := &redisServer{addr: freeAddress(t), dir: dir}
	_, port, _ := net.SplitHostPort(s.addr)
	s.args = append(args, "--bind", "127.0.0.1", "--port", port, "--logfile", filepath.Join(dir, "log"))
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("the log of redis-server at %s:\n%s", s.addr, s.log())
		}
	})
	return s
}

func (s *redisServer) log() string {
	log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return string(log)
}

func (s *redisServer) url() string { return "redis://" + s.addr }

func (s *redisServer) port() string {
	_, port, _ := net.SplitHostPort(s.addr)
	return port
}

// start starts the server, or starts it again with what it had stored, and waits until it answers.
func (s *redisServer) start(t *testing.T) {
	t.Helper()
	args := s.args
	if s.master != nil {
		args = append(slices.Clone(args), "--replicaof", "127.0.0.1 "+s.master.port())
	}
	s.cmd = exec.CommandContext(context.Background(), redisBinary(t), args...)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.says(t, "PONG", "PING")
}

// says waits until the server's answer to a command holds a text.
func (s *redisServer) says(t *testing.T, want string, words ...string) {
	t.Helper()
	var answer string
	var err error
	for end := time.Now().Add(soon); time.Now().Before(end); <-time.After(10 * time.Millisecond) {
		if answer, err = s.ask(words...); err == nil && strings.Contains(answer, want) {
			return
		}
	}
	t.Fatalf("redis-server answers %v with %q, %v, never with %s. Its log:\n%s", words, answer, err, want, s.log())
}

// kill ends the server at once, as a crash would.
func (s *redisServer) kill() {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	}
}

// pause stops the server where it stands, with its connections open, until resume.
func (s *redisServer) pause()  { _ = s.cmd.Process.Signal(syscall.SIGSTOP) }
func (s *redisServer) resume() { _ = s.cmd.Process.Signal(syscall.SIGCONT) }

// ask sends one command without spaces in its arguments, and gives the answer: a line, or the text of a bulk string.
func (s *redisServer) ask(words ...string) (string, error) {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(context.Background(), "tcp", s.addr)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	in := bufio.NewReader(conn)
	if s.user != "" {
		if _, err := fmt.Fprintf(conn, "AUTH %s\r\n", s.user); err != nil {
			return "", err
		}
		if _, err := in.ReadString('\n'); err != nil { // who is not let in asks as nobody
			return "", err
		}
	}
	if _, err := fmt.Fprintf(conn, "%s\r\n", strings.Join(words, " ")); err != nil {
		return "", err
	}
	line, err := in.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimSpace(line)
	size, isBulk := strings.CutPrefix(line, "$")
	if !isBulk {
		return line, nil
	}
	n, err := strconv.Atoi(size)
	if err != nil || n < 0 {
		return "", err
	}
	text := make([]byte, n)
	_, err = io.ReadFull(in, text)
	return string(text), err
}

// startRedisCluster starts a Cluster of three masters and waits until all of them see it whole.
func startRedisCluster(t *testing.T) (url string) {
	t.Helper()
	const slots = 1 << 14
	var masters [3]*redisServer
	var buses [3]string
	for i := range masters {
		_, buses[i], _ = net.SplitHostPort(freeAddress(t))
		masters[i] = startRedis(t, "--cluster-enabled", "yes", "--cluster-port", buses[i], "--cluster-node-timeout", "5000")
		first, last := i*slots/len(masters), (i+1)*slots/len(masters)-1
		masters[i].says(t, "OK", "CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(first), strconv.Itoa(last))
		masters[i].says(t, "OK", "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
	}
	for i, other := range masters[1:] {
		masters[0].says(t, "OK", "CLUSTER", "MEET", "127.0.0.1", other.port(), buses[i+1])
	}
	for _, master := range masters {
		master.says(t, "cluster_state:ok", "CLUSTER", "INFO")
		master.says(t, "cluster_known_nodes:3", "CLUSTER", "INFO")
	}
	return masters[0].url() + "?addr=" + masters[1].addr + "&addr=" + masters[2].addr
}

// redisSet is a master and two replicas, watched by three Sentinels.
type redisSet struct {
	servers   [3]*redisServer
	sentinels [3]*redisServer
}

// sentinelConfig has a Sentinel find out within a second that the master is away.
const sentinelConfig = `sentinel monitor links 127.0.0.1 %s 2
sentinel down-after-milliseconds links 1000
sentinel failover-timeout links 4000
sentinel parallel-syncs links 2
`

func startRedisSet(t *testing.T) *redisSet {
	t.Helper()
	s := new(redisSet)
	master := startRedis(t)
	s.servers = [3]*redisServer{master, master.startReplica(t), master.startReplica(t)}
	master.says(t, "connected_slaves:2", "INFO", "replication")
	for i := range s.sentinels {
		dir := t.TempDir()
		file := filepath.Join(dir, "sentinel.conf")
		if err := os.WriteFile(file, fmt.Appendf(nil, sentinelConfig, master.port()), 0o600); err != nil {
			t.Fatal(err)
		}
		s.sentinels[i] = newRedis(t, dir, file, "--sentinel", "--dir", dir)
		s.sentinels[i].start(t)
	}
	for _, sentinel := range s.sentinels {
		sentinel.says(t, "slaves=2,sentinels=3", "INFO", "sentinel")
	}
	return s
}

// url is that of a store which waits for replicas to have what is written.
func (s *redisSet) url(replicas int) string {
	return fmt.Sprintf("%s?addr=%s&addr=%s&master_set=links&replicas=%d", s.sentinels[0].url(), s.sentinels[1].addr, s.sentinels[2].addr, replicas)
}

// missesAfter sets after how long without an answer the Sentinels have a master replaced.
func (s *redisSet) missesAfter(t *testing.T, silence time.Duration) {
	t.Helper()
	for _, sentinel := range s.sentinels {
		sentinel.says(t, "OK", "SENTINEL", "SET", "links", "down-after-milliseconds", strconv.FormatInt(silence.Milliseconds(), 10))
	}
}

// master is the server that the Sentinels hold for the master, if they agree.
func (s *redisSet) master() *redisServer {
	for _, server := range s.servers {
		agree := 0
		for _, sentinel := range s.sentinels {
			if info, err := sentinel.ask("INFO", "sentinel"); err == nil && strings.Contains(info, "address="+server.addr+",") {
				agree++
			}
		}
		if agree == len(s.sentinels) {
			return server
		}
	}
	return nil
}

// whole waits until a master has both others behind it, and gives it.
func (s *redisSet) whole(t *testing.T) (master *redisServer) {
	t.Helper()
	eventually(t, "the Sentinels agree, and the master has two replicas", func() bool {
		<-time.After(50 * time.Millisecond)
		if master = s.master(); master == nil {
			return false
		}
		info, err := master.ask("INFO", "replication")
		return err == nil && strings.Count(info, "state=online") == 2
	})
	return master
}

// promoted waits until another server than this is the master.
func (s *redisSet) promoted(t *testing.T, old *redisServer) (master *redisServer) {
	t.Helper()
	eventually(t, "a replica is promoted", func() bool {
		<-time.After(50 * time.Millisecond)
		master = s.master()
		return master != nil && master != old
	})
	return master
}
