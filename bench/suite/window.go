package main

import (
	"context"
	"errors"
	"sync"
	"time"
)

// traffic is what ours is asked in a window of time, at fixed rates.
type traffic struct {
	links    func(n int) int // the hits
	check    check
	missRate float64 // misses a second beside them
}

// window is what was measured in one.
type window struct {
	hit50, hit99, miss99 float64 // ms
	cpu                  float64 // µs a hit
}

// missConnections is how many misses may be under way: those that WeChat does not answer are so for seconds.
const missConnections = 200

// during asks for hits and misses while something goes on.
func (b *bench) during(ctx context.Context, r *running, t traffic, something func(context.Context) error) (w window, err error) {
	hits, err := dialUsed(ctx, r, t, b.connections)
	if err != nil {
		return w, err
	}
	defer hits.close()
	misses, err := dialUsed(ctx, r, t, missConnections)
	if err != nil {
		return w, err
	}
	defer misses.close()
	asking, stop := context.WithCancel(ctx)
	defer stop()
	var (
		all             sync.WaitGroup
		hit, miss       outcome
		hitErr, missErr error
	)
	before, err := r.cpu()
	if err != nil {
		return w, err
	}
	all.Go(func() {
		hit, hitErr = pace{front: native, rate: b.rate, links: t.links, check: t.check}.drive(asking, hits)
	})
	if t.missRate > 0 {
		all.Go(func() {
			next := func(int) int { return firstFresh + int(b.missed.Add(1)) }
			miss, missErr = pace{front: native, rate: t.missRate, links: next}.drive(asking, misses)
		})
	}
	err = something(ctx)
	stop()
	all.Wait()
	after, cpuErr := r.cpu()
	return window{
		hit50: millis(hit.percentile(0.5)), hit99: millis(hit.percentile(0.99)), miss99: millis(miss.percentile(0.99)),
		cpu: micros(after.all-before.all) / float64(hit.requests),
	}, errors.Join(err, hitErr, missErr, cpuErr)
}

// dialUsed gives connections that have had an answer: one that has asked for nothing yet is not kept for long.
func dialUsed(ctx context.Context, r *running, t traffic, n int) (pool, error) {
	over, err := dialAll(ctx, r.address, n)
	if err != nil {
		return nil, err
	}
	use := load{front: native, connections: n, requests: n, check: t.check, links: func(connection, _ int) int { return t.links(connection) }}
	if _, err := use.drive(ctx, over); err != nil {
		over.close()
		return nil, err
	}
	return over, nil
}

// lasting is nothing that goes on, for some time.
func lasting(length time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		timer := time.NewTimer(length)
		defer timer.Stop()
		select {
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
