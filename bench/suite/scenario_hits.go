package main

import (
	"context"
	"fmt"
	"slices"
)

// hits compares answers that are stored: CPU a request, of ours and of others.
func (b *bench) hits(ctx context.Context) (*report, error) {
	if err := b.muster(ctx, b.contestants, b.fronts); err != nil {
		return nil, err
	}
	out := b.newReport(ctx, "hits", "Hits")
	for _, keys := range slices.Sorted(slices.Values(b.keys)) {
		if err := b.prime(ctx, keys); err != nil {
			return nil, err
		}
		for _, distribution := range b.distributions {
			order, err := draw(distribution, 0, keys)
			if err != nil {
				return nil, err
			}
			for _, f := range b.fronts {
				t, err := b.compare(ctx, f, keys, distribution, order)
				if err != nil {
					return nil, err
				}
				out.add(t)
				b.say("\n%s", t.markdown())
			}
		}
	}
	return out, nil
}

func (b *bench) compare(ctx context.Context, f front, keys int, distribution string, order draws) (*table, error) {
	var fleet []*running
	for _, r := range b.fleet {
		if r.speaks(f) {
			fleet = append(fleet, r)
		}
	}
	title := fmt.Sprintf("%s, %s links, %s", f.title(), thousands(keys), distribution)
	measured, err := b.alternate(ctx, title, fleet, load{front: f, connections: b.connections, length: b.length}, order)
	if err != nil {
		return nil, err
	}
	t := &table{Name: fmt.Sprintf("hits-%s-%d-%s", f, keys, distribution), Title: title, Columns: hitColumns()}
	for i, r := range fleet {
		rounds := measured[i]
		cpu := figures(rounds, func(r round) float64 { return r.cpu })
		oursCPU := figures(measured[0], func(r round) float64 { return r.cpu })
		oursRate := figures(measured[0], func(r round) float64 { return r.rate })
		rate := figures(rounds, func(r round) float64 { return r.rate })
		t.Rows = append(t.Rows, row{Name: r.name, About: r.about, Figures: [][]float64{
			cpu, ratios(oursCPU, cpu), rate, ratios(oursRate, rate),
			figures(rounds, func(r round) float64 { return r.p50 }),
			figures(rounds, func(r round) float64 { return r.p99 }),
			figures(rounds, func(r round) float64 { return r.helper }),
		}})
	}
	return t, nil
}

func hitColumns() []column {
	return []column{
		{Name: "CPU a request", Unit: "µs", Spread: true, Plot: true},
		{Name: "CPU: ours ÷ this", Spread: true},
		{Name: "requests/s"},
		{Name: "requests/s: ours ÷ this"},
		{Name: "p50", Unit: "µs"},
		{Name: "p99", Unit: "µs"},
		{Name: "of the CPU in Redis", Unit: "µs", Optional: true},
	}
}

func (f front) title() string {
	if f == get {
		return "GET " + f.path()
	}
	return "POST " + f.path()
}
