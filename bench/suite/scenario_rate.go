package main

import (
	"context"
	"fmt"
)

// rated measures hits at a fixed rate with few and with many links, in turns. The many are in b.store, which is put
// there once by other means, or are made here.
func (b *bench) rated(ctx context.Context) (*report, error) {
	const few = 1000
	small, err := b.startBroker(ctx, "few", "")
	if err != nil {
		return nil, err
	}
	if err := b.primeOne(ctx, small, native, few); err != nil {
		return nil, err
	}
	large, err := b.startBroker(ctx, "many", "bolt://"+b.store)
	if err != nil {
		return nil, err
	}
	keys := b.keys[len(b.keys)-1]
	large.stocked = b.store != ""
	if !large.stocked {
		if err := b.primeOne(ctx, large, native, keys); err != nil {
			return nil, err
		}
	}
	out := b.newReport(ctx, "rate", fmt.Sprintf("%s hits a second", figure(b.rate)), fmt.Sprintf(
		"Medians of %d alternating windows of %s each, over %d connections, due at fixed times from which latencies count; "+
			"quartiles in brackets.", b.cycles, b.window, b.connections))
	t := &table{Name: "rate", Title: "Few and many links", Columns: []column{
		{Name: "p50", Unit: "ms"},
		{Name: "p99", Unit: "ms", Spread: true, Plot: true},
		{Name: "p99 ÷ that of few", Spread: true},
		{Name: "CPU a request", Unit: "µs"},
	}}
	measured, err := b.inTurns(ctx, []*running{small, large}, []int{few, keys})
	if err != nil {
		return nil, err
	}
	for i, links := range []int{few, keys} {
		p99 := valuesOf(measured[i], func(w window) float64 { return w.hit99 })
		t.Rows = append(t.Rows, row{Name: thousands(links) + " links", Figures: [][]float64{
			valuesOf(measured[i], func(w window) float64 { return w.hit50 }), p99,
			ratios(p99, valuesOf(measured[0], func(w window) float64 { return w.hit99 })),
			valuesOf(measured[i], func(w window) float64 { return w.cpu }),
		}})
	}
	out.add(t)
	return out, nil
}

// inTurns measures windows of the brokers in turns; one of each, which does not count, warms them up.
func (b *bench) inTurns(ctx context.Context, fleet []*running, links []int) ([][]window, error) {
	measured := make([][]window, len(fleet))
	for cycle := range b.cycles + 1 {
		for n := range fleet {
			i := (n + cycle) % len(fleet)
			first := 0
			if fleet[i].stocked {
				first = b.from
			}
			order, err := draw(b.distributions[0], first, links[i]-first)
			if err != nil {
				return nil, err
			}
			start := cycle * len(order) / (b.cycles + 1)
			hits := traffic{links: func(n int) int { return order[(start+n)%len(order)] }, check: fleet[i].check()}
			w, err := b.during(ctx, fleet[i], hits, lasting(b.window))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", fleet[i].name, err)
			}
			b.say("%s links, window %d of %d: p99 %s ms", thousands(links[i]), cycle, b.cycles, figure(w.hit99))
			if cycle > 0 {
				measured[i] = append(measured[i], w)
			}
		}
	}
	return measured, nil
}

func valuesOf(all []window, of func(window) float64) []float64 {
	values := make([]float64, len(all))
	for i, w := range all {
		values[i] = of(w)
	}
	return values
}
