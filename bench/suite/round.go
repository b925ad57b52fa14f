package main

import (
	"context"
	"fmt"
	"runtime"
	"time"
)

// round is what was measured of one contestant in one round.
type round struct {
	cpu, helper float64 // microseconds of processor a request; helper is the part of it in another process
	rate        float64 // requests a second
	p50, p99    float64 // microseconds
}

// alternate drives one contestant after the other, round after round, each round beginning with another. A first round
// that does not count warms them up.
func (b *bench) alternate(ctx context.Context, title string, fleet []*running, l load, order draws) ([][]round, error) {
	measured := make([][]round, len(fleet))
	told := time.Now()
	for n := range b.rounds + 1 {
		l.links = func(connection, i int) int {
			return order[(n*len(order)/(b.rounds+1)+i*l.connections+connection)%len(order)]
		}
		for i := range fleet {
			at := (n + i) % len(fleet)
			r, err := b.measure(ctx, fleet[at], l)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", fleet[at].name, err)
			}
			if n > 0 {
				measured[at] = append(measured[at], r)
			}
		}
		if time.Since(told) > 10*time.Second || n == 0 {
			told = time.Now()
			b.say("%s: round %d of %d", title, n, b.rounds)
		}
	}
	return measured, nil
}

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
	if s.all, err = cpuOf(r.main.pid()); err != nil || r.helper == nil {
		return s, err
	}
	if s.helper, err = cpuOf(r.helper.pid()); err != nil {
		return s, err
	}
	s.all += s.helper
	return s, nil
}

// figures gives one figure of each round.
func figures(rounds []round, of func(round) float64) []float64 {
	all := make([]float64, len(rounds))
	for i, r := range rounds {
		all[i] = of(r)
	}
	return all
}
