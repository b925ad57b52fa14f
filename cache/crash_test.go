package cache_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"linkbroker/cache"
)

// TestNothingAcknowledgedIsLostByAKill kills a process amid its writes, again and again on the same file.
func TestNothingAcknowledgedIsLostByAKill(t *testing.T) {
	self, err := os.Executable()
	noErr(t, err)
	path := newPath(t)
	var acknowledged []int
	most := int64(0)
	for round := range 10 {
		numbers, total := killWriter(t, exec.CommandContext(t.Context(), self, "child", "write", path, strconv.Itoa(round*1_000_000)))
		acknowledged = append(acknowledged, numbers...)
		most = max(most, total)

		noErr(t, cache.QuickCheck(path))
		b := openBolt(t, path)
		for _, n := range acknowledged {
			wantLink(t, b, numbered(n))
		}
		reserved, err := b.ReservedQuota(t.Context(), "wx1", "2026-03-01")
		noErr(t, err)
		if reserved < most {
			t.Errorf("%d units are reserved, %d were acknowledged", reserved, most)
		}
		noErr(t, b.Close())
	}
	report, err := cache.Check(t.Context(), path)
	if err != nil || !report.Clean() {
		t.Errorf("%+v, %v", report, err)
	}
	t.Logf("%d acknowledged writes, all found", len(acknowledged))
}

// killWriter gives what the writer said before it was killed: the links and the most units of quota.
func killWriter(t *testing.T, writer *exec.Cmd) (numbers []int, most int64) {
	t.Helper()
	writer.Stderr = os.Stderr
	out, err := writer.StdoutPipe()
	noErr(t, err)
	noErr(t, writer.Start())
	enough := 20 + rand.IntN(200)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var n int
		var total int64
		if _, err := fmt.Sscan(lines.Text(), &n, &total); err != nil {
			break // cut off by the kill
		}
		numbers, most = append(numbers, n), max(most, total)
		if len(numbers) == enough {
			noErr(t, writer.Process.Kill())
		}
	}
	if err := writer.Wait(); err == nil || len(numbers) < enough {
		t.Fatalf("the writer was not killed amid its writes: %d acknowledged, %v", len(numbers), err)
	}
	return numbers, most
}
