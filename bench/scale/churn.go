package main

import (
	"context"
	"math/rand/v2"
	"time"

	"linkbroker/bench"
	"linkbroker/broker"
)

// churn lives through days in which a thirtieth of the links is made each: from hour to hour links are made, some used
// and those of a month before purged.
func (s *scale) churn(ctx context.Context) error {
	hourly := s.corpus.Links / 30 / 24
	s.say("churn", "%d links a day for %d days", hourly*24, s.days)
	for day := range s.days {
		began := time.Now()
		purged := 0
		for hour := range 24 {
			made := (day*24 + hour) * hourly
			if err := s.make(ctx, made, hourly); err != nil {
				return err
			}
			if err := s.use(ctx, made+hourly, hourly/10); err != nil {
				return err
			}
			now := s.corpus.Link(made + hourly).GeneratedAt
			n, err := s.store.PurgeLinks(ctx, now, s.corpus.Links)
			if err != nil {
				return err
			}
			purged += n
		}
		links := min(day+1, 30) * 24 * hourly
		s.say("day", "%d: %d links, %d purged, %.3f GiB, %.1f bytes a link, %v", day+1, links, purged,
			float64(s.store.Size())/(1<<30), float64(s.store.Size())/float64(links), time.Since(began).Round(time.Second))
	}
	return nil
}

// make puts the next links, from many callers.
func (s *scale) make(ctx context.Context, first, n int) error {
	return bench.Together(512, n, func(i int) error { return s.store.PutLink(ctx, fresh(s.corpus, first+i)) })
}

// fresh is a link as it is when it is made.
func fresh(c bench.Corpus, i int) broker.Link {
	link := c.Link(i)
	link.UsedAt, link.Uses, link.Recent = time.Time{}, 0, ""
	return link
}

// use counts uses of links that are alive, as a flush does.
func (s *scale) use(ctx context.Context, made, n int) error {
	for n > 0 {
		uses := make([]broker.Use, min(n, 500))
		for i := range uses {
			of := made - 1 - rand.IntN(min(made, s.corpus.Links*9/10))
			link := s.corpus.Link(of)
			uses[i] = broker.Use{Key: link.Key, Count: 1, UsedAt: s.corpus.Link(made).GeneratedAt}
		}
		if err := s.store.TouchLinks(ctx, uses); err != nil {
			return err
		}
		n -= len(uses)
	}
	return nil
}
