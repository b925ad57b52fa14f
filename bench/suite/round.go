package main

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
)

// round is what was measured of one contestant in one round.
type round struct {
	cpu, helper float64 // microseconds of processor a request; helper is the part of it in another process
	rate        float64 // requests a second
	p50, p99    float64 // microseconds
}

// play is what contestants do against each other.
type play struct {
	title string
	fleet []*running
	load  load
	links func(contestant, round int) func(connection, n int) int
}

// alternate drives one contestant after the other, round after round, each round beginning with another. A first round
// that does not count warms them up.
func (b *bench) alternate(ctx context.Context, p play) ([][]round, error) {
	measured := make([][]round, len(p.fleet))
	told := time.Now()
	for n := range b.rounds + 1 {
		for i := range p.fleet {
			at := (n + i) % len(p.fleet)
			l := p.load
			l.links = p.links(at, n)
			r, err := b.measure(ctx, p.fleet[at], l)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p.fleet[at].name, err)
			}
			if n > 0 {
				measured[at] = append(measured[at], r)
			}
		}
		if time.Since(told) > 10*time.Second || n == 0 {
			told = time.Now()
			b.say("%s: round %d of %d", p.title, n, b.rounds)
		}
	}
	return measured, nil
}

// drawing has all contestants asked for the same links in the same order, each round going on where that before ended.
func (b *bench) drawing(order draws) func(int, int) func(int, int) int {
	return func(_, round int) func(int, int) int {
		from := round * len(order) / (b.rounds + 1)
		return func(connection, n int) int { return order[(from+n*b.connections+connection)%len(order)] }
	}
}

// fresh has each contestant asked for links that it does not have. They are counted from far above those that it has.
func fresh(contestants int) func(int, int) func(int, int) int {
	next := make([]atomic.Int64, contestants)
	return func(contestant, _ int) func(int, int) int {
		return func(int, int) int { return firstFresh + int(next[contestant].Add(1)) }
	}
}

// firstFresh is above all links that stores are primed with.
const firstFresh = 1_000_000_000

// measure drives one contestant for a round, over connections that have been used before.
func (b *bench) measure(ctx context.Context, r *running, l load) (round, error) {
	l.check = r.check()
	over, err := dialAll(ctx, r.address, l.connections)
	if err != nil {
		return round{}, err
	}
	defer over.close()
	warmUp := l
	warmUp.requests = l.connections
	if _, err := warmUp.drive(ctx, over); err != nil {
		return round{}, err
	}
	runtime.GC() // now, and so hardly during the round
	before, err := r.cpu()
	if err != nil {
		return round{}, err
	}
	o, err := l.drive(ctx, over)
	if err != nil {
		return round{}, err
	}
	after, err := r.cpu()
	if err != nil {
		return round{}, err
	}
	requests := float64(o.requests)
	return round{
		cpu:    micros(after.all-before.all) / requests,
		helper: micros(after.helper-before.helper) / requests,
		rate:   requests / o.took.Seconds(),
		p50:    micros(o.percentile(0.5)),
		p99:    micros(o.percentile(0.99)),
	}, nil
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// spent is processor time.
type spent struct{ all, helper time.Duration }

func (r *running) cpu() (s spent, err error) {
	if r.main == nil {
		return s, nil // it runs in the suite itself
	}
	if s.all, err = cpuOf(r.main.pid()); err != nil || r.helper == nil {
		return s, err
	}
	if s.helper, err = cpuOf(r.helper.pid()); err != nil {
		return s, err
	}
	s.all += s.helper
	return s, nil
}

// speaking gives those of the fleet that can be asked by a front.
func (b *bench) speaking(f front) (fleet []*running) {
	for _, r := range b.fleet {
		if r.speaks(f) {
			fleet = append(fleet, r)
		}
	}
	return fleet
}

// compared makes a table of what was measured, each figure beside ours of the same round.
func compared(name string, p play, measured [][]round) *table {
	t := &table{Name: name, Title: p.title, Columns: []column{
		{Name: "CPU a request", Unit: "µs", Spread: true, Plot: true},
		{Name: "CPU: ours ÷ this", Spread: true},
		{Name: "requests/s"},
		{Name: "requests/s: ours ÷ this"},
		{Name: "p50", Unit: "µs"},
		{Name: "p99", Unit: "µs"},
		{Name: "of the CPU in Redis", Unit: "µs", Optional: true},
	}}
	cpu := func(r round) float64 { return r.cpu }
	rate := func(r round) float64 { return r.rate }
	for i, r := range p.fleet {
		rounds := measured[i]
		t.Rows = append(t.Rows, row{Name: r.name, About: r.about, Figures: [][]float64{
			figures(rounds, cpu), ratios(figures(measured[0], cpu), figures(rounds, cpu)),
			figures(rounds, rate), ratios(figures(measured[0], rate), figures(rounds, rate)),
			figures(rounds, func(r round) float64 { return r.p50 }),
			figures(rounds, func(r round) float64 { return r.p99 }),
			figures(rounds, func(r round) float64 { return r.helper }),
		}})
	}
	return t
}

// figures gives one figure of each round.
func figures(rounds []round, of func(round) float64) []float64 {
	all := make([]float64, len(rounds))
	for i, r := range rounds {
		all[i] = of(r)
	}
	return all
}
