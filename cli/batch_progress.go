package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// tally counts what became of rows.
type tally struct {
	done, hits, generated, stale, failed int
}

func (t *tally) count(r result) {
	t.done++
	switch r.Outcome {
	case "hit", "composed":
		t.hits++
	case "miss":
		t.generated++
	case "stale":
		t.stale++
	default:
		t.failed++
	}
}

func (t *tally) counts() string {
	text := fmt.Sprintf("%s hits, %s generated, %s failed", thousands(t.hits), thousands(t.generated), thousands(t.failed))
	if t.stale > 0 {
		text += ", " + thousands(t.stale) + " stale"
	}
	return text
}

// progress tells how far a batch has come.
type progress struct {
	tally
	meter

	total  int
	quotas map[string]batchQuota // by app, of those that are known
}

// newProgress tells on a terminal by a bar, elsewhere by a line now and then.
func newProgress(w io.Writer, quiet bool, total int) *progress {
	return &progress{total: total, quotas: make(map[string]batchQuota), meter: newMeter(w, quiet, total)}
}

// start begins to measure, behind what was done before.
func (p *progress) start() { p.begin(p.done) }

// add counts a row.
func (p *progress) add(r result) {
	p.count(r)
	if p.due() {
		p.tell()
	}
}

// note takes what a summary says of quotas.
func (p *progress) note(sum *batchSummary) {
	if sum == nil {
		return
	}
	for _, q := range sum.Quota {
		p.quotas[q.App] = q
	}
}

func (p *progress) tell() {
	p.measure(p.done)
	of := thousands(p.done) + " of " + thousands(p.total)
	p.show(p.done, of+": "+p.details(), of+" rows: "+p.details())
}

func (p *progress) details() string {
	parts := append([]string{p.counts()}, p.pace(p.total-p.done)...)
	for _, app := range slices.Sorted(maps.Keys(p.quotas)) {
		parts = append(parts, "quota left "+thousands(int(p.quotas[app].Left)))
	}
	return strings.Join(parts, ", ")
}

// end leaves the line of the bar.
func (p *progress) end() {
	if p.bar == nil {
		return
	}
	p.tell()
	fmt.Fprintln(p.w)
}

// thousands writes a number in groups of three digits.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
