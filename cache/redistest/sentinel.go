package redistest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// MasterSet is the name under which a Sentinel of StartSentinel watches its server.
const MasterSet = "links"

// sentinelConfig has a Sentinel find out within a second that the master is away.
const sentinelConfig = `sentinel monitor ` + MasterSet + ` 127.0.0.1 %s %d
sentinel down-after-milliseconds ` + MasterSet + ` 1000
sentinel failover-timeout ` + MasterSet + ` 4000
sentinel parallel-syncs ` + MasterSet + ` 2
`

// StartSentinel starts one that watches a server, and has it replaced once so many Sentinels miss it.
func StartSentinel(t testing.TB, master *Server, quorum int) *Server {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "sentinel.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, sentinelConfig, master.Port(), quorum), 0o600); err != nil {
		t.Fatal(err)
	}
	sentinel := New(t, dir, file, "--sentinel")
	sentinel.EndWith(t)
	sentinel.Start(t)
	return sentinel
}
