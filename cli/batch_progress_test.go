package cli_test

import (
	"testing"

	"linkbroker/cli"
)

// TestProgressInALog tells every five seconds how far it is, by the pace of this run and not of the one before.
func TestProgressInALog(t *testing.T) {
	outcomes := []string{"hit", "hit", "miss", "hit", "", "miss", "stale", "hit", "hit", "miss"}
	got := cli.ShowProgress(32_000, 20_000, func(n int) string { return outcomes[n%10] })
	const want = `25,000 of 32,000 rows: 12,500 hits, 7,500 generated, 2,500 failed, 2,500 stale, 1000/s, 7s left, quota left 498,766
30,000 of 32,000 rows: 15,000 hits, 9,000 generated, 3,000 failed, 3,000 stale, 1000/s, 2s left, quota left 498,766
`
	if got != want {
		t.Errorf("it tells\n%s\nwant\n%s", got, want)
	}
}
