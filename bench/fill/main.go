// Command fill puts links into a store as serve would, each of them durable before its writer goes on.
//
//	go run ./bench/fill -links 15000000 -store bolt:///var/tmp/links.db
//
// Links that are there already are passed over, so that it goes on where it was interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"linkbroker/bench"
	"linkbroker/broker"
	"linkbroker/cache"
)

func main() { bench.Main("fill", run) }

func run(ctx context.Context) (err error) {
	var f filler
	url := flag.String("store", "", "`URL` of the store, such as bolt:///var/tmp/links.db")
	flag.IntVar(&f.corpus.Links, "links", 1_000_000, "how many")
	flag.StringVar(&f.corpus.App, "app", bench.App, "the appid")
	flag.IntVar(&f.writers, "writers", 1024, "how many put links at once")
	flag.BoolVar(&f.shuffled, "shuffled", false, "in no order of their ends, as no broker makes links")
	flag.Parse()
	f.corpus.Until = time.Now()
	f.store, err = cache.Open(ctx, *url, cache.Options{Clock: time.Now, MemoryLinks: 1000})
	if err != nil {
		return err
	}
	f.began = time.Now()
	err = f.fill(ctx)
	f.report()
	return errors.Join(err, f.store.Close())
}

// filler is what the writers share.
type filler struct {
	store    *cache.Store
	corpus   bench.Corpus
	writers  int
	shuffled bool
	began    time.Time
	next     atomic.Int64
	put      atomic.Int64
	there    atomic.Int64
}

var errFilled = errors.New("all links are stored")

// fill runs the writers until all is stored, one of them fails or ctx ends.
func (f *filler) fill(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	var all sync.WaitGroup
	for range f.writers {
		all.Go(func() {
			if err := f.write(ctx); err != nil {
				stop(err)
			}
		})
	}
	go func() {
		all.Wait()
		stop(errFilled)
	}()
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
			f.report()
		case <-ctx.Done():
		}
	}
	all.Wait()
	if err := context.Cause(ctx); !errors.Is(err, errFilled) {
		return err
	}
	return nil
}

// write puts one link after the other.
func (f *filler) write(ctx context.Context) error {
	for {
		i := int(f.next.Add(1)) - 1
		if i >= f.corpus.Links {
			return nil
		}
		if f.shuffled {
			i = i * 1_000_000_007 % f.corpus.Links
		}
		link := f.corpus.Link(i)
		switch _, err := f.store.Link(ctx, link.Key); {
		case err == nil:
			f.there.Add(1)
			continue
		case !errors.Is(err, broker.NotFound):
			return err
		}
		if err := f.store.PutLink(ctx, link); err != nil {
			return err
		}
		f.put.Add(1)
	}
}

// report says how far it is.
func (f *filler) report() {
	put, there, took := f.put.Load(), f.there.Load(), time.Since(f.began)
	fmt.Fprintf(os.Stdout, "%6.0fs: %d links put, %.0f a second, %d were there; %.2f GiB, %.1f bytes a link\n",
		took.Seconds(), put, float64(put)/took.Seconds(), there,
		float64(f.store.Size())/(1<<30), float64(f.store.Size())/float64(max(put+there, 1)))
}
