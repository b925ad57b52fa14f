package main

import (
	"context"
	"fmt"
	"time"

	"linkbroker/bench"
	"linkbroker/broker"
	"linkbroker/cache"
)

// instant is a WeChat that makes a link at once.
type instant struct{}

func (instant) Generate(_ context.Context, target broker.Target) (broker.Generated, error) {
	key := target.Key()
	return broker.Generated{URL: fmt.Sprintf("https://wxaurl.cn/%x", key[:6]), SentAt: time.Now()}, nil
}

// newBroker makes a broker over a store as serve does.
func newBroker(store *cache.Store) *broker.Broker {
	policy := broker.Policy{Apps: []broker.App{{ID: bench.App, Rate: 1e9, DailyQuota: 1 << 40}}}
	return broker.New(store.Served(), instant{}, policy, time.Now)
}

// costs says what each thing that a broker does asks of Redis. Each goes through the whole broker, WeChat's answer apart.
func (s *shared) costs(ctx context.Context) error {
	n, lone := s.corpus.Links, max(s.corpus.Links/10, 1)
	b := newBroker(s.store)
	defer b.Drain(context.WithoutCancel(ctx)) //nolint:errcheck // nothing hangs on it
	get := func(b *broker.Broker, first int) func(int) error {
		return func(i int) error {
			_, err := b.Get(ctx, broker.Request{Target: s.corpus.Target(first + i)})
			return err
		}
	}
	renew := func(i int) error {
		_, err := b.Renew(ctx, s.corpus.Target(i).Key())
		return err
	}
	var other *cache.Store
	for range max(s.brokers-1, 1) {
		var err error
		if other, err = cache.Open(ctx, s.url, cache.Options{Clock: time.Now}); err != nil {
			return err
		}
		defer other.Close() //nolint:errcheck // nothing is left to be written
	}
	for _, m := range []struct {
		what    string
		callers int
		times   int
		do      func(int) error
	}{
		{"a miss, one at a time", 1, lone, get(b, n)},
		{"a miss", s.callers, n, get(b, 0)},
		{"a hit that is not in memory", s.callers, n, get(newBroker(other), 0)},
		{"the first hit after a miss", s.callers, n, get(b, 0)},
		{"a hit in memory", s.callers, n, get(b, 0)},
		{"a renewal", s.callers, lone, renew},
		{"500 uses", 1, max(n/500, 1), s.useBite(ctx)},
		{"a look for links to purge, in vain", 1, 5, upkeep(ctx, b.Purge)},
		{"a look for links to pre-warm", 1, 5, upkeep(ctx, b.Prewarm)},
	} {
		if err := s.cost(ctx, m.what, m.times, func() error { return bench.Together(m.callers, m.times, m.do) }); err != nil {
			return fmt.Errorf("%s: %w", m.what, err)
		}
	}
	if err := s.cost(ctx, "a link that is counted in a census", n+lone, func() error { return upkeep(ctx, b.TakeCensus)(0) }); err != nil {
		return err
	}
	if err := s.purging(ctx, b, lone); err != nil {
		return err
	}
	return s.resting(ctx)
}

// cost says what something took that was done n times.
func (s *shared) cost(ctx context.Context, what string, n int, do func() error) error {
	before, err := s.server.account(ctx)
	if err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	after, err := s.server.account(ctx)
	if err == nil {
		s.say(what, "%s", after.per(before, n))
	}
	return err
}

func upkeep(ctx context.Context, job func(context.Context) (broker.Counts, error)) func(int) error {
	return func(int) error {
		_, err := job(ctx)
		return err
	}
}

// useBite adds uses to as many links as a flush does at once.
func (s *shared) useBite(ctx context.Context) func(int) error {
	return func(i int) error {
		uses := make([]broker.Use, 500)
		for at := range uses {
			uses[at] = broker.Use{Key: s.corpus.Target((500*i + at) % s.corpus.Links).Key(), Count: 1, UsedAt: time.Now()}
		}
		return s.store.TouchLinks(ctx, uses)
	}
}

// purging stores links that have ended, and has them purged.
func (s *shared) purging(ctx context.Context, b *broker.Broker, n int) error {
	dead := bench.Corpus{App: "wxfedcba9876543210", Links: n, Until: time.Now().Add(-bench.Life - 2*time.Hour)}
	if err := s.fill(ctx, dead); err != nil {
		return err
	}
	return s.cost(ctx, "a link that is purged", n, func() error {
		counts, err := b.Purge(ctx)
		if err == nil && counts["purged"] != n {
			err = fmt.Errorf("%d links were purged, not %d", counts["purged"], n)
		}
		return err
	})
}

// resting says what brokers ask for that have nothing to do.
func (s *shared) resting(ctx context.Context) error {
	const seconds = 5
	return s.cost(ctx, "all brokers at rest, a second", seconds, func() error {
		ctx, cancel := context.WithTimeout(ctx, seconds*time.Second)
		defer cancel()
		<-ctx.Done()
		return nil
	})
}
