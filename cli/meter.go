package cli

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// How often progress is told: on a terminal, and where it becomes lines of a log.
const (
	barEvery  = 200 * time.Millisecond
	lineEvery = 5 * time.Second
)

// barWidth is that of the bar alone, and barSpace what it takes with its percentage.
const (
	barWidth = 10
	barSpace = barWidth + 12
)

// meter measures how fast something goes on, and tells of it now and then.
type meter struct {
	w     io.Writer
	every time.Duration            // 0 = quiet
	bar   *progressbar.ProgressBar // nil where there is no terminal

	clock func() time.Time
	told  time.Time
	until int     // done when it was told last
	rate  float64 // a second, the latest weighing most
}

// newMeter tells on a terminal by a bar, elsewhere by a line now and then.
func newMeter(w io.Writer, quiet bool, total int) meter {
	m := meter{w: w, every: lineEvery, clock: time.Now}
	file, isFile := w.(*os.File)
	switch {
	case quiet:
		m.every = 0
	case isFile && term.IsTerminal(int(file.Fd())):
		m.every = barEvery
		m.bar = progressbar.NewOptions(total,
			progressbar.OptionSetWriter(w), progressbar.OptionSetWidth(barWidth), progressbar.OptionSetPredictTime(false),
			progressbar.OptionSetElapsedTime(false), progressbar.OptionShowDescriptionAtLineEnd())
	}
	return m
}

// begin begins to measure, behind what was done before.
func (m *meter) begin(done int) { m.told, m.until = m.clock(), done }

// due reports whether it is time to tell.
func (m *meter) due() bool { return m.every > 0 && m.clock().Sub(m.told) >= m.every }

// measure takes the rate since it was told last.
func (m *meter) measure(done int) {
	const weight = 0.3
	now := m.clock()
	rate := float64(done-m.until) / max(now.Sub(m.told).Seconds(), 0.001)
	if m.rate == 0 {
		m.rate = rate
	}
	m.rate += weight * (rate - m.rate)
	m.told, m.until = now, done
}

// pace says how fast it goes on, and how long so much more will take.
func (m *meter) pace(left int) []string {
	parts := []string{fmt.Sprintf("%.0f/s", m.rate)}
	if m.rate > 0 {
		parts = append(parts, roughly(time.Duration(float64(left)/m.rate*float64(time.Second)))+" left")
	}
	return parts
}

// show tells on the bar, or in a line.
func (m *meter) show(done int, onBar, line string) {
	if m.bar == nil {
		fmt.Fprintln(m.w, line)
		return
	}
	m.bar.Describe(m.fitting(onBar))
	_ = m.bar.Set(done) // a bar that cannot be drawn is no reason to stop
}

// fitting cuts off what the line of the terminal has no room for: a bar that wraps is drawn over and over.
func (m *meter) fitting(text string) string {
	columns := 80
	if file, ok := m.w.(*os.File); ok {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
			columns = width
		}
	}
	return text[:min(len(text), max(columns-barSpace, 0))]
}
