package main

import (
	"context"
	"fmt"
	"time"

	"linkbroker/bench"
	"linkbroker/broker"
)

// writers is how many put links at once.
const writers = 256

// size fills the store, and says what that takes of Redis' memory.
func (s *shared) size(ctx context.Context) error {
	before, err := s.server.memory(ctx)
	if err != nil {
		return err
	}
	s.corpus.Until = time.Now()
	began := time.Now()
	if err := s.fill(ctx, s.corpus); err != nil {
		return err
	}
	s.say("filled", "%d links, %.0f a second", s.corpus.Links, float64(s.corpus.Links)/time.Since(began).Seconds())
	if err := s.weigh(ctx, "bytes a link, none used since", before); err != nil {
		return err
	}
	for _, days := range []int{1, 10} {
		for day := range days {
			if err := s.use(ctx, time.Now().Add(-time.Duration(day)*24*time.Hour)); err != nil {
				return err
			}
		}
		if err := s.weigh(ctx, fmt.Sprint("one in four used on days: ", days), before); err != nil {
			return err
		}
	}
	return nil
}

func (s *shared) weigh(ctx context.Context, what string, before int64) error {
	now, err := s.server.memory(ctx)
	if err == nil {
		s.say(what, "%.1f", float64(now-before)/float64(s.corpus.Links))
	}
	return err
}

// fill puts all links of a corpus.
func (s *shared) fill(ctx context.Context, corpus bench.Corpus) error {
	return bench.Together(writers, corpus.Links, func(i int) error { return s.store.PutLink(ctx, corpus.Link(i)) })
}

// use adds a use to each fourth link.
func (s *shared) use(ctx context.Context, at time.Time) error {
	const bite = 500
	return bench.Together(4, (s.corpus.Links/4+bite-1)/bite, func(i int) error {
		var uses []broker.Use
		for n := i * bite; n < min((i+1)*bite, s.corpus.Links/4); n++ {
			uses = append(uses, broker.Use{Key: s.corpus.Target(4 * n).Key(), Count: 3, UsedAt: at})
		}
		return s.store.TouchLinks(ctx, uses)
	})
}
