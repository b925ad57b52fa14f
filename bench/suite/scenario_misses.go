package main

import (
	"context"
	"fmt"
)

// misses compares how links are had that are not stored: many at once, and one alone.
func (b *bench) misses(ctx context.Context) (*report, error) {
	if err := b.muster(ctx, withStores(b.contestants), []front{facade}); err != nil {
		return nil, err
	}
	out := b.newReport(ctx, "misses", "Misses", b.settings())
	p := play{
		title: "64 callers, each for another link", fleet: b.fleet,
		load: load{front: facade, connections: 64, length: b.length}, links: fresh(len(b.fleet)),
	}
	measured, err := b.alternate(ctx, p)
	if err != nil {
		return nil, err
	}
	together := compared("misses-together", p, measured)
	together.Note = "WeChat answers at once. The afternoon version is as durable as ours; Redis, as Debian configures it, forgets " +
		"what came in up to an hour before a crash."
	out.add(together)
	alone, err := b.alone(ctx)
	if err != nil {
		return nil, err
	}
	out.add(alone)
	return out, nil
}

// withStores are the contestants that keep links over a restart.
func withStores(all []contestant) (chosen []contestant) {
	for _, c := range all {
		switch c.name {
		case ours, "afternoon", "afternoon-redis":
			chosen = append(chosen, c)
		}
	}
	return chosen
}

// alone measures what a lone miss takes beyond what WeChat itself does, which is asked as well in each round.
func (b *bench) alone(ctx context.Context) (*table, error) {
	direct := &running{contestant: contestant{name: "WeChat itself"}, address: b.upstream.host()}
	fleet := append([]*running{direct}, b.fleet...)
	next := fresh(len(fleet))
	p := play{
		title: "One caller", fleet: fleet, load: load{front: facade, connections: 1, length: b.length},
		links: func(contestant, round int) func(int, int) int {
			pick := next(contestant, round)
			return func(connection, n int) int { return firstFresh + pick(connection, n) }
		},
	}
	measured, err := b.alternate(ctx, p)
	if err != nil {
		return nil, err
	}
	t := &table{Name: "misses-alone", Title: p.title, Columns: []column{
		{Name: "p50", Unit: "ms", Spread: true}, {Name: "p50 over WeChat's", Unit: "ms", Spread: true, Plot: true}, {Name: "p99", Unit: "ms"},
	}}
	for i, r := range fleet {
		p50 := figures(measured[i], func(r round) float64 { return r.p50 / 1000 })
		over := make([]float64, len(p50))
		for n := range over {
			over[n] = p50[n] - measured[0][n].p50/1000
		}
		t.Rows = append(t.Rows, row{Name: r.name, About: r.about, Figures: [][]float64{
			p50, over, figures(measured[i], func(r round) float64 { return r.p99 / 1000 }),
		}})
	}
	return t, nil
}

// mixed compares hits of which one in a hundred is a miss.
func (b *bench) mixed(ctx context.Context) (*report, error) {
	if err := b.muster(ctx, withoutConstants(b.contestants), b.fronts); err != nil {
		return nil, err
	}
	out := b.newReport(ctx, "mixed", "99 hits and a miss", b.settings())
	keys := b.keys[0]
	if err := b.prime(ctx, keys); err != nil {
		return nil, err
	}
	order, err := draw(b.distributions[0], 0, keys)
	if err != nil {
		return nil, err
	}
	for _, f := range b.fronts {
		fleet := b.speaking(f)
		hits, next := b.drawing(order), fresh(len(fleet))
		p := play{
			title: fmt.Sprintf("%s, %s links, one in 100 new", f.title(), thousands(keys)), fleet: fleet,
			load: load{front: f, connections: b.connections, length: b.length},
			links: func(contestant, round int) func(int, int) int {
				hit, miss := hits(contestant, round), next(contestant, round)
				return func(connection, n int) int {
					if (n+connection)%100 == 99 {
						return miss(connection, n)
					}
					return hit(connection, n)
				}
			},
		}
		measured, err := b.alternate(ctx, p)
		if err != nil {
			return nil, err
		}
		out.add(compared("mixed-"+string(f), p, measured))
	}
	return out, nil
}

func withoutConstants(all []contestant) (chosen []contestant) {
	for _, c := range all {
		if !c.constant() {
			chosen = append(chosen, c)
		}
	}
	return chosen
}
