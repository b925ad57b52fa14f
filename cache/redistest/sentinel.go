package redistest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// MasterSet is the name under which a Sentinel of StartSentinel watches its server.
const MasterSet = "links"

// MissesAfter is after how long without an answer a Sentinel of StartSentinel has its server replaced.
const MissesAfter = time.Second

// sentinelConfig is that of a Sentinel.
const sentinelConfig = `sentinel monitor ` + MasterSet + ` 127.0.0.1 %s %d
sentinel down-after-milliseconds ` + MasterSet + ` %d
sentinel failover-timeout ` + MasterSet + ` 4000
sentinel parallel-syncs ` + MasterSet + ` 2
`

// StartSentinel starts one that watches a server, and has it replaced once so many Sentinels miss it.
func StartSentinel(t testing.TB, master *Server, quorum int) *Server {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "sentinel.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, sentinelConfig, master.Port(), quorum, MissesAfter.Milliseconds()), 0o600); err != nil {
		t.Fatal(err)
	}
	sentinel := New(t, dir, file, "--sentinel")
	sentinel.EndWith(t)
	sentinel.Start(t)
	// Once a second is when it would ask by itself, and first a second after a server was promoted, which it would then miss.
	sentinel.Await(t, "OK", "SENTINEL", "DEBUG", "ping-period", "500")
	return sentinel
}
