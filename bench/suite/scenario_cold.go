package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
)

// coldDelay is how long WeChat takes for a cold link.
const coldDelay = 100 * time.Millisecond

// cold has many callers ask at once for one link that is not stored: through the program, and in this process through
// the domain alone, without the sockets of so many callers.
func (b *bench) cold(ctx context.Context) (*report, error) {
	c, err := choose([]string{ours})
	if err != nil {
		return nil, err
	}
	if err := b.muster(ctx, c, []front{native}); err != nil {
		return nil, err
	}
	b.upstream.delay.Store(int64(coldDelay))
	out := b.newReport(ctx, "cold", fmt.Sprintf("%s callers, one cold link", thousands(b.callers)),
		fmt.Sprintf("Medians of %d rounds; quartiles in brackets.", b.rounds))
	t := &table{
		Name: "cold", Title: fmt.Sprintf("Beyond the %s that WeChat takes", coldDelay),
		Columns: []column{
			{Name: "calls of WeChat", Spread: true},
			{Name: "half of the callers have it", Unit: "ms", Spread: true},
			{Name: "the last caller has it", Unit: "ms", Spread: true, Plot: true},
		},
	}
	overSockets, err := b.coldSockets(ctx)
	if err != nil {
		return nil, err
	}
	inProcess, err := b.coldDomain(ctx)
	if err != nil {
		return nil, err
	}
	t.Rows = []row{
		{Name: "over connections", About: "the program and its callers share the machine; each caller has a connection", Figures: overSockets},
		{Name: "the domain alone", About: "broker.Get over bolt, in one process with its callers", Figures: inProcess},
	}
	out.add(t)
	return out, nil
}

// coldSockets gives the calls, the middle and the last caller of each round.
func (b *bench) coldSockets(ctx context.Context) (figures [][]float64, err error) {
	r := b.fleet[0]
	over, err := dialAll(ctx, r.address, b.callers)
	if err != nil {
		return nil, err
	}
	defer over.close()
	figures = make([][]float64, 3)
	for n := range b.rounds + 1 {
		before := b.upstream.calls.Load()
		o, err := load{
			front: native, connections: b.callers, requests: b.callers, check: hasLink,
			links: func(int, int) int { return firstFresh + n },
		}.drive(ctx, over)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			continue // the first has to make all that is kept for later
		}
		figures = addCold(figures, float64(b.upstream.calls.Load()-before), o.percentile(0.5), o.took)
	}
	return figures, nil
}

func addCold(figures [][]float64, calls float64, half, last time.Duration) [][]float64 {
	for i, f := range []float64{calls, millis(half - coldDelay), millis(last - coldDelay)} {
		figures[i] = append(figures[i], f)
	}
	return figures
}

// sleeper is a WeChat that takes its time.
type sleeper struct{ calls int }

func (s *sleeper) Generate(ctx context.Context, _ broker.Target) (broker.Generated, error) {
	s.calls++ // each in a flight of its own, one after the other
	sent := time.Now()
	timer := time.NewTimer(coldDelay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return broker.Generated{URL: linkURL(s.calls), SentAt: sent}, nil
	case <-ctx.Done():
		return broker.Generated{}, ctx.Err()
	}
}

func (b *bench) coldDomain(ctx context.Context) (figures [][]float64, err error) {
	store, err := cache.Open(ctx, "bolt://"+filepath.Join(b.dir, "cold.db"), cache.Options{Clock: time.Now})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	wechat := new(sleeper)
	links := broker.New(store, wechat, broker.Policy{Apps: []broker.App{{ID: appid, Rate: 1e9, DailyQuota: 1 << 40}}}, time.Now)
	figures = make([][]float64, 3)
	for n := range b.rounds + 1 {
		before := wechat.calls
		half, last, err := b.together(func() error {
			_, err := links.Get(ctx, broker.Request{Target: broker.Target{App: appid, Path: page, Query: fmt.Sprintf("id=%d", n)}})
			return err
		})
		if err != nil {
			return nil, err
		}
		if n > 0 {
			figures = addCold(figures, float64(wechat.calls-before), half, last)
		}
	}
	return figures, nil
}

// together has all callers do the same at once, and says when half of them and when all were done.
func (b *bench) together(ask func() error) (half, last time.Duration, err error) {
	var (
		asking sync.WaitGroup
		start  = make(chan struct{})
		took   = make([]time.Duration, b.callers)
		failed = make(chan error, b.callers)
		began  time.Time
	)
	for i := range b.callers {
		asking.Go(func() {
			<-start
			if err := ask(); err != nil {
				failed <- err
			}
			took[i] = time.Since(began)
		})
	}
	began = time.Now()
	close(start)
	asking.Wait()
	last = time.Since(began)
	select {
	case err = <-failed:
	default:
	}
	return sortedMiddle(took), last, err
}
