package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"linkbroker/bench"
	"linkbroker/broker"
	"linkbroker/cache"
)

// hits compares hits of the store with those of one with 1,000 links, in turns.
func (s *scale) hits(ctx context.Context) error {
	few, err := openFew(ctx, s)
	if err != nil {
		return err
	}
	defer few.close()
	var ratios []float64
	for range s.rounds {
		var p99 [2]time.Duration
		for at, side := range []*scale{&few.scale, s} {
			took, err := side.hitsFor(ctx, 10*time.Second)
			if err != nil {
				return err
			}
			s.say(fmt.Sprintf("hits among %d links", side.corpus.Links), "%s", took)
			p99[at] = took.quantile(0.99)
		}
		ratios = append(ratios, float64(p99[1])/float64(p99[0]))
	}
	slices.Sort(ratios)
	s.say("p99 of many ÷ few", "%.2f (%.2f to %.2f)", ratios[len(ratios)/2], ratios[0], ratios[len(ratios)-1])
	return nil
}

// few is a store with 1,000 links, in a folder of its own.
type few struct {
	scale

	dir string
}

func openFew(ctx context.Context, s *scale) (*few, error) {
	dir, err := os.MkdirTemp("", "scale")
	if err != nil {
		return nil, err
	}
	f := &few{scale{out: s.out, rate: s.rate, corpus: bench.Corpus{App: s.corpus.App, Links: 1000, Until: s.corpus.Until}}, dir}
	if f.store, err = cache.Open(ctx, "bolt://"+filepath.Join(dir, "links.db"), cache.Options{Clock: time.Now}); err != nil {
		return nil, err
	}
	for i := range f.corpus.Links {
		if err := f.store.PutLink(ctx, f.corpus.Link(i)); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (f *few) close() {
	_ = f.store.Close()
	_ = os.RemoveAll(f.dir)
}

func (s *scale) hitsFor(ctx context.Context, d time.Duration) (latencies, error) {
	server, err := serve(ctx, s.store)
	if err != nil {
		return nil, err
	}
	defer server.close()
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return load{server: server, rate: s.rate, connections: 8, target: s.living, want: "hit"}.run(ctx)
}

// living is a link that has half of its life before it, so that it is reused.
func (s *scale) living() broker.Target {
	half := s.corpus.Links / 2
	return s.corpus.Target(half + rand.IntN(half))
}
