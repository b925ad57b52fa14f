package cache_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
)

// filled gives a file with so many links.
func filled(b *testing.B, n int) (*cache.Bolt, []broker.Link) {
	b.Helper()
	s := openBolt(b, filepath.Join(b.TempDir(), "links.db"))
	links := numberedUpTo(n)
	for rest := links; len(rest) > 0; {
		some := rest[:min(len(rest), 256)]
		put(b, s, some...)
		rest = rest[len(some):]
	}
	return s, links
}

// reader is what a hit needs of a store.
type reader func(key broker.Key) bool

// hits looks links up, from one goroutine and from all processors.
func hits(b *testing.B, links []broker.Link, read reader) {
	b.Helper()
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			if !read(links[n*7919%len(links)].Key) {
				b.Fatal("a miss")
			}
		}
	})
	b.Run("all", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(p *testing.PB) {
			for n := rand.IntN(len(links)); p.Next(); n++ {
				if !read(links[n*7919%len(links)].Key) {
					b.Error("a miss")
				}
			}
		})
	})
}

// BenchmarkHit compares a hit in memory, its alternatives that know no bound, and a hit in the file. With many links
// in use it is the processor's caches that miss.
func BenchmarkHit(b *testing.B) {
	for _, n := range []int{1_000, 20_000} {
		b.Run(fmt.Sprintf("links=%d", n), func(b *testing.B) { compareHits(b, n) })
	}
}

func compareHits(b *testing.B, n int) {
	s, links := filled(b, n)
	fromStore := func(s broker.Store) reader {
		return func(key broker.Key) bool {
			_, err := s.Link(b.Context(), key)
			return err == nil
		}
	}
	b.Run("layer", func(b *testing.B) {
		layer := cache.NewLayer(s, 100_000)
		for _, link := range links {
			fromStore(layer)(link.Key)
		}
		hits(b, links, fromStore(layer))
	})
	b.Run("bolt", func(b *testing.B) { hits(b, links, fromStore(s)) })
	b.Run("sync.Map", func(b *testing.B) {
		var m sync.Map
		for _, link := range links {
			m.Store(link.Key, &link)
		}
		hits(b, links, func(key broker.Key) bool {
			found, ok := m.Load(key)
			if !ok {
				return false
			}
			link := *found.(*broker.Link) //nolint:errcheck // nothing else is in it
			return link.Key == key
		})
	})
	b.Run("RWMutex", func(b *testing.B) {
		var mu sync.RWMutex
		m := make(map[broker.Key]*broker.Link, len(links))
		for _, link := range links {
			m[link.Key] = &link
		}
		hits(b, links, func(key broker.Key) bool {
			mu.RLock()
			found, ok := m[key]
			mu.RUnlock()
			if !ok {
				return false
			}
			link := *found
			return link.Key == key
		})
	})
}

// BenchmarkAlias reads one alias of many, of which memory holds none.
func BenchmarkAlias(b *testing.B) {
	const n = 20_000
	s := openBolt(b, filepath.Join(b.TempDir(), "links.db"))
	slugs := make([]string, n)
	for i := range slugs {
		slugs[i] = fmt.Sprintf("alias-%05d", i)
	}
	for some := range slices.Chunk(slugs, 256) {
		var all sync.WaitGroup
		for _, slug := range some {
			all.Go(func() {
				if err := s.PutAlias(b.Context(), aliasOf(slug), ""); err != nil {
					b.Error(err)
				}
			})
		}
		all.Wait()
	}
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if _, err := s.Alias(b.Context(), slugs[n*7919%len(slugs)]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAddStats adds 500 counts as one flush does: an hour, a day and a total for each of 167 aliases out of 5,000.
func BenchmarkAddStats(b *testing.B) {
	s := openBolt(b, filepath.Join(b.TempDir(), "links.db"))
	r := rand.New(rand.NewPCG(1, 2))
	stats := make([]broker.Stat, 0, 501)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		stats = stats[:0]
		for len(stats) < 500 {
			series := fmt.Sprintf("visits/alias-%04d", r.IntN(5000))
			stats = append(stats, hourly(series, n/720, visits(1)), daily(series, n/720/24, visits(1)), total(series, visits(1)))
		}
		addStats(b, s, stats...)
	}
}

// BenchmarkStats reads what is kept of one alias out of a hundred.
func BenchmarkStats(b *testing.B) {
	s := openBolt(b, filepath.Join(b.TempDir(), "links.db"))
	names := ninetyDays(b, s, 100)
	for grain, want := range map[broker.Grain]int{broker.Hourly: 2160, broker.Daily: 90, broker.Total: 1} {
		b.Run(string(grain), func(b *testing.B) {
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				stats, err := s.Stats(b.Context(), names[n*37%len(names)], grain, midnight, midnight.AddDate(1, 0, 0))
				if err != nil || len(stats) != want {
					b.Fatalf("%d of %d, %v", len(stats), want, err)
				}
			}
		})
	}
}

// BenchmarkPut stores random keys durably, by so many callers.
func BenchmarkPut(b *testing.B) {
	for _, callers := range []int{1, 2, 8, 64, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			s, links := filled(b, 20_000)
			before := s.Commits()
			var next atomic.Int64
			b.ResetTimer()
			var all sync.WaitGroup
			for range callers {
				all.Go(func() {
					for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
						if err := s.PutLink(b.Context(), links[n*7919%20_000]); err != nil {
							b.Error(err)
						}
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
			b.ReportMetric(float64(b.N)/float64(s.Commits()-before), "puts/commit")
		})
	}
}

// BenchmarkPurge deletes 100,000 links in the bites of the store, while somebody else puts links one at a time.
func BenchmarkPurge(b *testing.B) {
	const n = 100_000
	for b.Loop() {
		b.StopTimer()
		s, links := filled(b, n)
		b.StartTimer()
		begin := time.Now()
		done := make(chan time.Duration)
		go func() {
			purged, err := s.PurgeLinks(b.Context(), links[n-1].ExpiresAt.Add(time.Hour), n)
			if err != nil || purged < n {
				b.Errorf("%d purged, %v", purged, err)
			}
			done <- time.Since(begin)
		}()
		slowest := time.Duration(0)
		for took := time.Duration(0); took == 0; {
			begin := time.Now()
			put(b, s, numbered(2*n))
			slowest = max(slowest, time.Since(begin))
			select {
			case took = <-done:
				b.ReportMetric(float64(took.Microseconds())/n, "µs/link")
			default:
			}
		}
		b.ReportMetric(float64(slowest.Microseconds())/1000, "ms/slowest-put")
	}
}
