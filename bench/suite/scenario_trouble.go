package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
)

// What is asked in a window of time: hits at b.rate, and some misses, in trouble or not.
const (
	hitLinks  = 1000
	missRate  = 20 // a second
	missConns = 200
)

// window is what was measured in one.
type window struct{ hit50, hit99, miss99 float64 } // ms

// trouble measures ours alone: hits at a fixed rate while something else goes on, against the same while nothing does.
func (b *bench) trouble(ctx context.Context) (*report, error) {
	out := b.newReport(ctx, "trouble", "Hits beside trouble")
	out.Settings = fmt.Sprintf("%s hits and %d misses a second over %d connections, due at fixed times from which latencies count.\n"+
		"Medians of %d alternating windows; quartiles in brackets.", thousands(int(b.rate)), missRate, b.connections, b.cycles)
	dead := filepath.Join(b.dir, "dead.db")
	if err := b.fillWithDead(ctx, dead); err != nil {
		return nil, err
	}
	t := &table{
		Name: "trouble", Title: "p99 of a hit",
		Columns: []column{
			{Name: "idle: hit p50", Unit: "ms"}, {Name: "idle: hit p99", Unit: "ms"}, {Name: "beside it: hit p50", Unit: "ms"}, {Name: "beside it: hit p99", Unit: "ms"},
			{Name: "p99 ÷ idle", Spread: true, Plot: true}, {Name: "beside it: miss p99", Unit: "ms", Spread: true},
		},
	}
	purging, err := b.beside(ctx, "purging", dead, b.purgeWindow)
	if err != nil {
		return nil, err
	}
	t.Rows = append(t.Rows, row{Name: fmt.Sprintf("purging %s links", thousands(b.dead)), Figures: purging})
	for _, c := range []struct {
		name   string
		window func(context.Context, *running) (window, error)
	}{
		{"backing up", b.backupWindow},
		{"WeChat is down", b.downWindow},
	} {
		figures, err := b.beside(ctx, c.name, dead, c.window)
		if err != nil {
			return nil, err
		}
		t.Rows = append(t.Rows, row{Name: c.name, Figures: figures})
	}
	out.add(t)
	return out, nil
}

// beside measures an idle window and one of trouble, again and again, each time over a fresh copy of the store.
func (b *bench) beside(ctx context.Context, name, store string, trouble func(context.Context, *running) (window, error)) ([][]float64, error) {
	figures := make([][]float64, 6)
	for cycle := range b.cycles {
		idle, beside, err := b.cycle(ctx, store, cycle, trouble)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		b.say("%s, %d of %d: idle hit p99 %.2f ms, beside it %.2f ms, miss p99 %.1f ms", name, cycle+1, b.cycles, idle.hit99, beside.hit99, beside.miss99)
		for i, f := range []float64{idle.hit50, idle.hit99, beside.hit50, beside.hit99, beside.hit99 / idle.hit99, beside.miss99} {
			figures[i] = append(figures[i], f)
		}
	}
	return figures, nil
}

func (b *bench) cycle(ctx context.Context, store string, n int, trouble func(context.Context, *running) (window, error)) (idle, beside window, err error) {
	copied := filepath.Join(b.dir, "copy.db")
	if err := copyFile(copied, store); err != nil {
		return idle, beside, err
	}
	r, err := b.startBroker(ctx, ours, copied)
	if err != nil {
		return idle, beside, err
	}
	defer r.main.stop()
	if err := b.primeOne(ctx, r, native, hitLinks); err != nil {
		return idle, beside, err
	}
	if _, err := b.during(ctx, r, b.whileLasting(time.Second)); err != nil { // warms it up
		return idle, beside, err
	}
	measureIdle := func() (err error) { idle, err = b.during(ctx, r, b.whileLasting(b.window)); return err }
	measureBeside := func() (err error) { beside, err = trouble(ctx, r); return err }
	if n%2 == 0 {
		return idle, beside, errors.Join(measureIdle(), measureBeside())
	}
	err = errors.Join(measureBeside(), measureIdle())
	return idle, beside, err
}

// whileLasting is nothing that goes on, for some time.
func (b *bench) whileLasting(length time.Duration) func(context.Context) error {
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

func (b *bench) purgeWindow(ctx context.Context, r *running) (window, error) {
	return b.during(ctx, r, func(ctx context.Context) error { return r.runJob(ctx, "purge") })
}

func (b *bench) backupWindow(ctx context.Context, r *running) (window, error) {
	return b.during(ctx, r, func(ctx context.Context) error {
		for end := time.Now().Add(b.window); time.Now().Before(end); {
			if err := r.runJob(ctx, "backup"); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *bench) downWindow(ctx context.Context, r *running) (window, error) {
	b.upstream.down.Store(true)
	defer b.upstream.down.Store(false)
	return b.during(ctx, r, b.whileLasting(b.window))
}

// during asks for hits and misses while something goes on.
func (b *bench) during(ctx context.Context, r *running, something func(context.Context) error) (w window, err error) {
	hits, err := dialAll(ctx, r.address, b.connections)
	if err != nil {
		return w, err
	}
	defer hits.close()
	misses, err := dialAll(ctx, r.address, missConns)
	if err != nil {
		return w, err
	}
	defer misses.close()
	asking, stop := context.WithCancel(ctx)
	defer stop()
	var (
		all            sync.WaitGroup
		hit, miss      outcome
		errHit, errMis error
	)
	all.Go(func() {
		p := pace{front: native, rate: b.rate, links: func(n int) int { return n * 7919 % hitLinks }, check: hasLink}
		hit, errHit = p.drive(asking, hits)
	})
	all.Go(func() {
		p := pace{front: native, rate: missRate, links: func(int) int { return firstFresh + int(b.missed.Add(1)) }}
		miss, errMis = p.drive(asking, misses)
	})
	err = something(ctx)
	stop()
	all.Wait()
	ms := func(d time.Duration) float64 { return micros(d) / 1000 }
	return window{ms(hit.percentile(0.5)), ms(hit.percentile(0.99)), ms(miss.percentile(0.99))}, errors.Join(err, errHit, errMis)
}

// fillWithDead makes a store of links that ended a month ago.
func (b *bench) fillWithDead(ctx context.Context, file string) (err error) {
	b.say("making a store of %s dead links", thousands(b.dead))
	store, err := cache.Open(ctx, "bolt://"+file, cache.Options{Clock: time.Now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	made := time.Now().AddDate(0, -2, 0).UTC().Truncate(time.Millisecond)
	var (
		next    atomic.Int64
		putting sync.WaitGroup
		failed  = make(chan error, primers)
	)
	for range primers {
		putting.Go(func() {
			for i := int(next.Add(1)); i <= b.dead && ctx.Err() == nil; i = int(next.Add(1)) {
				link, err := deadLink(2*firstFresh+i, made)
				if err == nil {
					err = store.PutLink(ctx, link)
				}
				if err != nil {
					failed <- err
					return
				}
			}
		})
	}
	putting.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return ctx.Err()
	}
}

func deadLink(number int, made time.Time) (broker.Link, error) {
	target, err := broker.Target{App: appid, Path: page, Query: fmt.Sprintf("id=%d&src=sms", number)}.Normalize()
	made = made.Add(time.Duration(number%86400) * time.Second)
	return broker.Link{
		Key: target.Key(), Target: target, URL: linkURL(number), GeneratedAt: made, ExpiresAt: made.AddDate(0, 0, 30).Truncate(time.Second),
	}, err
}

func copyFile(to, from string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, in)
	return err
}
