package cache_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// startSentinel starts one that watches a server under the name "main", and waits until it knows the replica.
func startSentinel(t *testing.T, primary *redisServer) (url string) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	noErr(t, err)
	sentinel := &redisServer{addr: listener.Addr().String(), dir: t.TempDir()}
	_ = listener.Close()
	host, port, _ := net.SplitHostPort(primary.addr)
	settings := filepath.Join(sentinel.dir, "sentinel.conf")
	noErr(t, os.WriteFile(settings, fmt.Appendf(nil,
		"sentinel monitor main %s %s 1\nsentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 3000\n", host, port), 0o600))
	_, own, _ := net.SplitHostPort(sentinel.addr)
	sentinel.cmd = exec.CommandContext(context.Background(), redisBinary(t), settings, "--sentinel", "--bind", "127.0.0.1", "--port", own)
	noErr(t, sentinel.cmd.Start())
	t.Cleanup(sentinel.kill)
	eventually(t, 20*time.Second, "the sentinel knows the replica", func() bool {
		known, err := sentinel.ask("SENTINEL", "REPLICAS", "main")
		return err == nil && known == "*1"
	})
	return "redis://" + sentinel.addr + "?master_set=main"
}

func TestAReplicaTakesOver(t *testing.T) {
	t.Parallel()
	primary := startRedis(t)
	host, port, _ := net.SplitHostPort(primary.addr)
	replica := startRedis(t, "--replicaof", host, port)
	url := startSentinel(t, primary)
	a, b := openShared(t, url), openShared(t, url)
	link := lasting(1)
	put(t, a, link)
	eventually(t, 10*time.Second, "the replica has it", func() bool {
		answer, err := replica.ask("KEYS", "linkbroker:l:*")
		return err == nil && answer == "*1"
	})
	wantLink(t, b, link)
	primary.kill()
	took := eventually(t, 20*time.Second, "writing", func() bool {
		wantLink(t, b, link)
		return a.PutLink(t.Context(), lasting(2)) == nil
	})
	t.Logf("written again after %v", took)
	eventually(t, 5*time.Second, "both are well", func() bool { return a.Health().State == "" && b.Health().State == "" })
	link.URL += "x"
	put(t, a, link)
	eventually(t, time.Second, "the new link", func() bool { return hasURL(t, b, link.Key, link.URL) })
}
