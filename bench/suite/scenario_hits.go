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
	out := b.newReport(ctx, "hits", "Hits", b.settings())
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
			}
		}
	}
	return out, nil
}

func (b *bench) compare(ctx context.Context, f front, keys int, distribution string, order draws) (*table, error) {
	p := play{
		title: fmt.Sprintf("%s, %s links, %s", f.title(), thousands(keys), distribution), fleet: b.speaking(f),
		load: load{front: f, connections: b.connections, length: b.length}, links: b.drawing(order),
	}
	measured, err := b.alternate(ctx, p)
	if err != nil {
		return nil, err
	}
	return compared(fmt.Sprintf("hits-%s-%d-%s", f, keys, distribution), p, measured), nil
}

func (f front) title() string {
	if f == get {
		return "GET " + f.path()
	}
	return "POST " + f.path()
}
