package cli

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
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

// How often progress is told: on a terminal, and where it becomes lines of a log.
const (
	barEvery  = 200 * time.Millisecond
	lineEvery = 5 * time.Second
)

// progress tells how far a batch has come.
type progress struct {
	tally

	total  int
	quotas map[string]batchQuota // by app, of those that are known
	w      io.Writer
	every  time.Duration            // 0 = quiet
	bar    *progressbar.ProgressBar // nil where there is no terminal

	clock func() time.Time
	told  time.Time
	until int     // done when it was told last
	rate  float64 // rows a second, the latest weighing most
}

// barWidth is that of the bar alone, and barSpace what it takes with its percentage.
const (
	barWidth = 10
	barSpace = barWidth + 12
)

// fitting cuts off what the line of the terminal has no room for: a bar that wraps is drawn over and over.
func (p *progress) fitting(text string) string {
	columns := 80
	if file, ok := p.w.(*os.File); ok {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
			columns = width
		}
	}
	return text[:min(len(text), max(columns-barSpace, 0))]
}

// newProgress tells on a terminal by a bar, elsewhere by a line now and then.
func newProgress(w io.Writer, quiet bool, total int) *progress {
	p := &progress{total: total, quotas: make(map[string]batchQuota), w: w, every: lineEvery, clock: time.Now}
	file, isFile := w.(*os.File)
	switch {
	case quiet:
		p.every = 0
	case isFile && term.IsTerminal(int(file.Fd())):
		p.every = barEvery
		p.bar = progressbar.NewOptions(total,
			progressbar.OptionSetWriter(w), progressbar.OptionSetWidth(barWidth), progressbar.OptionSetPredictTime(false),
			progressbar.OptionSetElapsedTime(false), progressbar.OptionShowDescriptionAtLineEnd())
	}
	return p
}

// start begins to measure, behind what was done before.
func (p *progress) start() { p.told, p.until = p.clock(), p.done }

// add counts a row.
func (p *progress) add(r result) {
	p.count(r)
	if now := p.clock(); p.every > 0 && now.Sub(p.told) >= p.every {
		p.tell(now)
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

func (p *progress) tell(now time.Time) {
	const weight = 0.3
	rate := float64(p.done-p.until) / max(now.Sub(p.told).Seconds(), 0.001)
	if p.rate == 0 {
		p.rate = rate
	}
	p.rate += weight * (rate - p.rate)
	p.told, p.until = now, p.done
	if p.bar != nil {
		p.bar.Describe(p.fitting(fmt.Sprintf("%s of %s: %s", thousands(p.done), thousands(p.total), p.details())))
		_ = p.bar.Set(p.done) // a bar that cannot be drawn is no reason to stop
		return
	}
	fmt.Fprintf(p.w, "%s of %s rows: %s\n", thousands(p.done), thousands(p.total), p.details())
}

func (p *progress) details() string {
	parts := []string{p.counts(), fmt.Sprintf("%.0f/s", p.rate)}
	if p.rate > 0 {
		parts = append(parts, roughly(time.Duration(float64(p.total-p.done)/p.rate*float64(time.Second)))+" left")
	}
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
	p.tell(p.clock())
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
