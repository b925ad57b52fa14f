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

// asked is how long hits and misses took.
type asked struct{ hits, misses latencies }

// compare says how long hits and misses take while nothing else is done, and while something is.
func (s *scale) compare(ctx context.Context, name string, doing func(context.Context) error) error {
	server, err := serve(ctx, s.store)
	if err != nil {
		return err
	}
	defer server.close()
	before, err := s.beside(ctx, server, idle)
	if err != nil {
		return err
	}
	during, err := s.beside(ctx, server, doing)
	if err != nil {
		return err
	}
	s.say("hits: idle", "%s", before.hits)
	s.say("hits beside: "+name, "%s", during.hits)
	s.say("p99 of hits: "+name+" ÷ idle", "%.2f", float64(during.hits.quantile(0.99))/float64(before.hits.quantile(0.99)))
	s.say("misses: idle", "%s", before.misses)
	s.say("misses beside: "+name, "%s", during.misses)
	return nil
}

// idle does nothing for a while.
func idle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	<-ctx.Done()
	return nil
}

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
