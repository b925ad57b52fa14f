package bench_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
)

// openStore opens a bolt store on the disk, with its memory layer, as serve does.
func openStore(b *testing.B) *cache.Store {
	b.Helper()
	s, err := cache.Open(b.Context(), "bolt://"+filepath.Join(b.TempDir(), "links.db"), cache.Options{Clock: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

// generate has links made from many callers at once, numbered from first.
func generate(b *testing.B, broker *broker.Broker, first, n int) {
	b.Helper()
	var callers sync.WaitGroup
	next := atomic.Int64{}
	for range 64 {
		callers.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if _, err := broker.Get(context.Background(), request(first+i)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	callers.Wait()
}

// BenchmarkStoreHit is a hit in the store alone, its memory layer in front.
func BenchmarkStoreHit(b *testing.B) {
	s := openStore(b)
	generate(b, newBroker(b, s), 0, 1000)
	target, err := request(500).Normalize()
	if err != nil {
		b.Fatal(err)
	}
	key := target.Key()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Link(b.Context(), key); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMiss is a lone miss less WeChat's time: ledger, call, commit on the disk.
func BenchmarkMiss(b *testing.B) {
	broker := newBroker(b, openStore(b))
	for i := 0; b.Loop(); i++ {
		if _, err := broker.Get(b.Context(), request(i)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMissesTogether is a miss where 64 callers ask at once, so that commits are shared.
func BenchmarkMissesTogether(b *testing.B) {
	broker := newBroker(b, openStore(b))
	first := 0
	const together = 1000
	for b.Loop() {
		generate(b, broker, first, together)
		first += together
	}
	b.ReportMetric(float64(first)/b.Elapsed().Seconds(), "misses/s")
}

// BenchmarkPurge100000 purges 100,000 dead links while others are generated, and says how long those take.
func BenchmarkPurge100000(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		s := openStore(b)
		fillWithDead(b, s, 100_000)
		live := newBroker(b, s)
		stop, took := make(chan struct{}), make(chan []time.Duration)
		go func() { took <- missUntil(b, live, stop) }()
		b.StartTimer()
		counts, err := live.Purge(b.Context())
		b.StopTimer()
		close(stop)
		if err != nil || counts["purged"] != 100_000 {
			b.Fatalf("%v, %v", counts, err)
		}
		misses := <-took
		slices.Sort(misses)
		b.ReportMetric(float64(misses[len(misses)*99/100].Microseconds())/1000, "miss-p99-ms")
		_ = s.Close()
		b.StartTimer()
	}
}

func fillWithDead(b *testing.B, s broker.Store, n int) {
	b.Helper()
	clock := func() time.Time { return time.Now().AddDate(0, -2, 0) }
	policy := broker.Policy{Apps: []broker.App{{ID: appid, Rate: 1e9, DailyQuota: 1 << 40}}}
	generate(b, broker.New(s, past{clock}, policy, clock), 0, n)
}

// past is a WeChat of long ago.
type past struct{ clock broker.Clock }

func (p past) Generate(context.Context, broker.Target) (broker.Generated, error) {
	return broker.Generated{URL: "https://wxaurl.cn/AbCdEfGhIjK", SentAt: p.clock()}, nil
}

// missUntil has one link after the other generated, and says how long each took.
func missUntil(b *testing.B, broker *broker.Broker, stop <-chan struct{}) (took []time.Duration) {
	for i := 1_000_000; ; i++ {
		select {
		case <-stop:
			return took
		default:
		}
		began := time.Now()
		if _, err := broker.Get(context.Background(), request(i)); err != nil {
			b.Error(fmt.Errorf("a miss while purging: %w", err))
			return took
		}
		took = append(took, time.Since(began))
	}
}
