package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"linkbroker/broker"
)

// purge deletes what ends within the first day, by the clock of the day after, while hits and misses go on. The links can be
// put back with fill.
func (s *scale) purge(ctx context.Context) error {
	first, err := s.firstEnd(ctx)
	if err != nil {
		return err
	}
	const grace = time.Hour // the dead are kept for so long
	ahead := time.Until(first.Add(24*time.Hour + grace))
	purger := newBroker(s.store, func() time.Time { return time.Now().Add(ahead) })
	server, err := serve(ctx, s.store)
	if err != nil {
		return err
	}
	defer server.close()

	before, err := s.beside(ctx, server, idle)
	if err != nil {
		return err
	}
	var counts broker.Counts
	began := time.Now()
	during, err := s.beside(ctx, server, func(ctx context.Context) (err error) {
		counts, err = purger.Purge(ctx)
		return err
	})
	if err != nil {
		return err
	}
	took := time.Since(began)
	s.say("purged", "%d in %v, %.0f µs each", counts["purged"], took.Round(time.Second), float64(took.Microseconds())/float64(max(counts["purged"], 1)))
	s.say("hits: idle", "%s", before.hits)
	s.say("hits: while purging", "%s", during.hits)
	s.say("p99 of hits, purging ÷ idle", "%.2f", float64(during.hits.quantile(0.99))/float64(before.hits.quantile(0.99)))
	s.say("misses: idle", "%s", before.misses)
	s.say("misses: while purging", "%s", during.misses)
	return nil
}

// firstEnd is when the first link ends.
func (s *scale) firstEnd(ctx context.Context) (time.Time, error) {
	for link, err := range s.store.ExpiringLinks(ctx, time.Unix(0, 0), time.Now().AddDate(1, 0, 0)) {
		return link.ExpiresAt, err
	}
	return time.Time{}, errors.New("there are no links")
}

// idle does nothing for a while.
func idle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	<-ctx.Done()
	return nil
}

// asked is how long hits and misses took.
type asked struct{ hits, misses latencies }

// beside has hits and misses asked for while something is done.
func (s *scale) beside(ctx context.Context, server *server, doing func(context.Context) error) (a asked, err error) {
	asking, stop := context.WithCancel(ctx)
	defer stop()
	var all sync.WaitGroup
	var hitErr, missErr error
	all.Go(func() {
		a.hits, hitErr = load{server: server, rate: s.rate, connections: 8, target: s.living, want: "hit"}.run(asking)
	})
	all.Go(func() {
		a.misses, missErr = load{server: server, rate: 50, connections: 2, target: s.unheardOf(), want: "fwd=miss"}.run(asking)
	})
	err = doing(ctx)
	stop()
	all.Wait()
	return a, errors.Join(err, hitErr, missErr)
}

// unheardOf gives one new target after the other.
func (s *scale) unheardOf() func() broker.Target {
	var n atomic.Int64
	began := time.Now().UnixNano()
	return func() broker.Target {
		return broker.Target{App: s.corpus.App, Path: "pages/new", Query: fmt.Sprintf("id=%d-%d", began, n.Add(1))}
	}
}
