package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// Links that are asked for all the time, beside trouble or not.
const (
	shopLinks = 1000
	missRate  = 20 // a second
)

// shop asks for them.
var shop = traffic{ //nolint:gochecknoglobals // a constant
	links: func(n int) int { return n * 7919 % shopLinks }, check: hasLink, missRate: missRate,
}

// troubled measures a window in which something goes on.
type troubled func(b *bench, ctx context.Context, r *running) (window, error)

// troubles are what can go on.
//
//nolint:gochecknoglobals // a constant table
var troubles = map[string]struct {
	about  string
	window troubled
}{
	"purging":    {"the job runs until all dead links are gone", (*bench).purgeWindow},
	"backing-up": {"one backup follows the other", (*bench).backupWindow},
	"down":       {"WeChat's connections end without an answer", (*bench).downWindow},
}

// trouble measures ours alone: hits at a fixed rate while something else goes on, against the same while nothing does.
func (b *bench) trouble(ctx context.Context) (*report, error) {
	out := b.newReport(ctx, "trouble", "Hits beside trouble", fmt.Sprintf(
		"%s hits and %d misses a second over %d connections, due at fixed times from which latencies count. "+
			"Medians of %d alternating windows; quartiles in brackets.", thousands(int(b.rate)), missRate, b.connections, b.cycles))
	dead := filepath.Join(b.dir, "dead.db")
	if err := b.fillWithDead(ctx, dead); err != nil {
		return nil, err
	}
	t := &table{
		Name: "trouble", Title: "p99 of a hit",
		Columns: []column{
			{Name: "idle: hit p50", Unit: "ms"},
			{Name: "idle: hit p99", Unit: "ms"},
			{Name: "beside it: hit p50", Unit: "ms"},
			{Name: "beside it: hit p99", Unit: "ms"},
			{Name: "p99 ÷ idle", Spread: true, Plot: true},
			{Name: "beside it: miss p99", Unit: "ms", Spread: true},
		},
	}
	for _, name := range b.troubles {
		figures, err := b.beside(ctx, name, dead)
		if err != nil {
			return nil, err
		}
		t.Rows = append(t.Rows, row{Name: name, About: troubles[name].about, Figures: figures})
	}
	out.add(t)
	return out, nil
}

// beside measures an idle window and one of trouble, again and again, each time over a fresh copy of the store.
func (b *bench) beside(ctx context.Context, name, store string) ([][]float64, error) {
	figures := make([][]float64, 6)
	for cycle := range b.cycles {
		idle, beside, err := b.cycle(ctx, store, cycle, troubles[name].window)
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

func (b *bench) cycle(ctx context.Context, store string, n int, trouble troubled) (idle, beside window, err error) {
	copied := filepath.Join(b.dir, "copy.db")
	if err := copyFile(copied, store); err != nil {
		return idle, beside, err
	}
	r, err := b.startBroker(ctx, ours, "bolt://"+copied)
	if err != nil {
		return idle, beside, err
	}
	defer r.main.stop()
	if err := b.primeOne(ctx, r, native, shopLinks); err != nil {
		return idle, beside, err
	}
	if _, err := b.during(ctx, r, shop, lasting(time.Second)); err != nil { // warms it up
		return idle, beside, err
	}
	measureIdle := func() (err error) { idle, err = b.during(ctx, r, shop, lasting(b.window)); return err }
	measureBeside := func() (err error) { beside, err = trouble(b, ctx, r); return err }
	if n%2 == 0 {
		err = errors.Join(measureIdle(), measureBeside())
	} else {
		err = errors.Join(measureBeside(), measureIdle())
	}
	return idle, beside, err
}

func (b *bench) purgeWindow(ctx context.Context, r *running) (window, error) {
	return b.during(ctx, r, shop, func(ctx context.Context) error { return r.runJob(ctx, "purge") })
}

func (b *bench) backupWindow(ctx context.Context, r *running) (window, error) {
	return b.during(ctx, r, shop, func(ctx context.Context) error {
		for end := time.Now().Add(b.window); time.Now().Before(end); {
			nextName := time.Now().Truncate(time.Second).Add(time.Second) // backups are called by the second
			if err := r.runJob(ctx, "backup"); err != nil {
				return err
			}
			if err := lasting(time.Until(nextName))(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *bench) downWindow(ctx context.Context, r *running) (window, error) {
	b.upstream.down.Store(true)
	defer b.upstream.down.Store(false)
	return b.during(ctx, r, shop, lasting(b.window))
}
