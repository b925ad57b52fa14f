package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"
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
	return s.compare(ctx, "purging", func(ctx context.Context) error {
		began := time.Now()
		counts, err := purger.Purge(ctx)
		took := time.Since(began)
		s.say("purged", "%d in %v, %.0f µs each", counts["purged"], took.Round(time.Second),
			float64(took.Microseconds())/float64(max(counts["purged"], 1)))
		return err
	})
}

// firstEnd is when the first link ends.
func (s *scale) firstEnd(ctx context.Context) (time.Time, error) {
	for link, err := range s.store.ExpiringLinks(ctx, time.Unix(0, 0), time.Now().AddDate(1, 0, 0)) {
		return link.ExpiresAt, err
	}
	return time.Time{}, errors.New("there are no links")
}

// backup copies the store while hits and misses go on.
func (s *scale) backup(ctx context.Context) error {
	path := strings.TrimPrefix(s.url, "bolt://") + ".backup"
	defer os.Remove(path) //nolint:errcheck // it was there to be measured
	return s.compare(ctx, "backing up", func(ctx context.Context) error {
		began := time.Now()
		copied, err := s.store.Backup(ctx, path, nil)
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		s.say("backed up", "%d links in %v, %.2f GiB", copied.Links, time.Since(began).Round(time.Second), float64(info.Size())/(1<<30))
		return nil
	})
}
