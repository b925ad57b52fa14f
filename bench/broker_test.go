// Package bench_test measures the steps of a request, so that a change of speed can be located. Run it with
// make bench; figures with their machine stand in docs/performance.md.
package bench_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
)

const appid = "wx0123456789abcdef"

// instant is a WeChat that answers at once.
type instant struct{}

func (instant) Generate(context.Context, broker.Target) (broker.Generated, error) {
	return broker.Generated{URL: "https://wxaurl.cn/AbCdEfGhIjK", SentAt: time.Now()}, nil
}

func newBroker(b *testing.B, store broker.Store) *broker.Broker {
	b.Helper()
	policy := broker.Policy{Apps: []broker.App{{ID: appid, Rate: 1e9, DailyQuota: 1 << 40}}}
	return broker.New(store, instant{}, policy, time.Now)
}

func request(i int) broker.Request {
	return broker.Request{Target: broker.Target{App: appid, Path: "pages/product/detail", Query: fmt.Sprintf("id=%d&src=sms", i)}}
}

func BenchmarkNormalize(b *testing.B) {
	target := request(1).Target
	b.ReportAllocs()
	for b.Loop() {
		if _, err := target.Normalize(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkKey(b *testing.B) {
	target, err := request(1).Normalize()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		target.Key()
	}
}

// BenchmarkGetHit is a hit in the domain, over the store and its memory layer as serve has them.
func BenchmarkGetHit(b *testing.B) {
	broker := newBroker(b, openStore(b))
	for i := range 1000 {
		if _, err := broker.Get(b.Context(), request(i)); err != nil {
			b.Fatal(err)
		}
	}
	req := request(500)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := broker.Get(b.Context(), req); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGetPreparedHit is the same for a request that was read before.
func BenchmarkGetPreparedHit(b *testing.B) {
	links := newBroker(b, openStore(b))
	req := request(500)
	if _, err := links.Get(b.Context(), req); err != nil {
		b.Fatal(err)
	}
	prepared, ok := links.Prepare(&req)
	if !ok {
		b.Fatal("the request cannot be prepared")
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := links.Get(b.Context(), broker.Request{Prepared: prepared}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkKeyCheck finds the client of an API key.
func BenchmarkKeyCheck(b *testing.B) {
	clients, err := broker.OpenClients(b.Context(), cache.NewMemory(), []broker.Client{
		{Name: "bench", Role: broker.RoleGenerate, Keys: []broker.ClientKey{{Digest: broker.DigestKey(apiKey)}}},
	})
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if _, _, ok := clients.ByKey(apiKey, now); !ok {
			b.Fatal("the key is not found")
		}
	}
}

// BenchmarkLimit counts a request against a client's rate.
func BenchmarkLimit(b *testing.B) {
	limiter, now := broker.NewLimiter[string](1<<16), time.Now()
	limit := broker.Limit{Events: 1e9, Per: time.Second}
	b.ReportAllocs()
	for b.Loop() {
		limiter.Take("bench", limit, now)
	}
}
