package cache_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
)

// slow is a store whose writes take a second after the fact: the time between a commit and the moment its caller
// learns of it. Its reads take as long as they are told, and are counted.
type slow struct {
	broker.Store

	reading time.Duration
	purging time.Duration // before the fact
	reads   atomic.Int32
	away    error
	fails   error
}

func (s *slow) Link(ctx context.Context, key broker.Key) (broker.Link, error) {
	s.reads.Add(1)
	defer time.Sleep(s.reading)
	if s.away != nil {
		return broker.Link{}, s.away
	}
	return s.Store.Link(ctx, key)
}

func (s *slow) Alias(ctx context.Context, slug string) (broker.Alias, error) {
	s.reads.Add(1)
	defer time.Sleep(s.reading)
	if s.away != nil {
		return broker.Alias{}, s.away
	}
	return s.Store.Alias(ctx, slug)
}

func (s *slow) PutLink(ctx context.Context, link broker.Link) error {
	defer time.Sleep(time.Second)
	if s.fails != nil {
		return s.fails
	}
	return s.Store.PutLink(ctx, link)
}

func (s *slow) PinLink(ctx context.Context, key broker.Key, pinned bool) error {
	defer time.Sleep(time.Second)
	return s.Store.PinLink(ctx, key, pinned)
}

func (s *slow) DeleteLink(ctx context.Context, key broker.Key) error {
	defer time.Sleep(time.Second)
	return s.Store.DeleteLink(ctx, key)
}

func (s *slow) TouchLinks(ctx context.Context, uses []broker.Use) error {
	defer time.Sleep(time.Second)
	return s.Store.TouchLinks(ctx, uses)
}

func (s *slow) PurgeLinks(ctx context.Context, before time.Time, limit int) (int, error) {
	time.Sleep(s.purging)
	defer time.Sleep(time.Second)
	return s.Store.PurgeLinks(ctx, before, limit)
}

func (s *slow) ReserveQuota(ctx context.Context, account, day string, n, limit int64) (granted, total int64, err error) {
	defer time.Sleep(time.Second)
	return s.Store.ReserveQuota(ctx, account, day, n, limit)
}

func (s *slow) PutAlias(ctx context.Context, alias broker.Alias, replaces string) error {
	defer time.Sleep(time.Second)
	return s.Store.PutAlias(ctx, alias, replaces)
}

func (s *slow) DeleteAlias(ctx context.Context, slug, etag string) error {
	defer time.Sleep(time.Second)
	return s.Store.DeleteAlias(ctx, slug, etag)
}

func (s *slow) AddStats(ctx context.Context, stats []broker.Stat) error {
	defer time.Sleep(time.Second)
	return s.Store.AddStats(ctx, stats)
}

func (s *slow) DeleteStats(ctx context.Context, series string) error {
	defer time.Sleep(time.Second)
	return s.Store.DeleteStats(ctx, series)
}

func (s *slow) PurgeStats(ctx context.Context, before time.Time, limit int) (int, error) {
	defer time.Sleep(time.Second)
	return s.Store.PurgeStats(ctx, before, limit)
}

func TestAHitAsksNoStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		below := &slow{Store: cache.NewMemory()}
		layer := cache.NewLayer(below, 10)
		link := numbered(1)
		put(t, layer, link)
		for range 5 {
			wantLink(t, layer, link)
		}
		if n := below.reads.Load(); n != 1 {
			t.Errorf("the store was read %d times, want once", n)
		}
	})
}

// TestMemoryNeverContradictsTheStore lets a reader and a writer meet at every distance from each other: the reader
// reads before, during or after the write, and learns of it before or after the writer does. When both are done,
// memory must say what the store says.
func TestMemoryNeverContradictsTheStore(t *testing.T) {
	old := numbered(1)
	fresh := old
	fresh.URL, fresh.ExpiresAt = "https://wxaurl.cn/fresh", old.ExpiresAt.Add(time.Hour)
	writes := map[string]func(ctx context.Context, s broker.Store) error{
		"put":    func(ctx context.Context, s broker.Store) error { return s.PutLink(ctx, fresh) },
		"pin":    func(ctx context.Context, s broker.Store) error { return s.PinLink(ctx, old.Key, true) },
		"delete": func(ctx context.Context, s broker.Store) error { return s.DeleteLink(ctx, old.Key) },
		"touch": func(ctx context.Context, s broker.Store) error {
			return s.TouchLinks(ctx, []broker.Use{{Key: old.Key, Count: 1, UsedAt: noon}, {Key: old.Key, Count: 1, UsedAt: noon}})
		},
		"purge": func(ctx context.Context, s broker.Store) error {
			return second(s.PurgeLinks(ctx, old.ExpiresAt.Add(time.Millisecond), 10))
		},
		"somebody else, who is heard of,": func(ctx context.Context, s broker.Store) error {
			defer s.(*cache.Layer).Forget(old.Key) //nolint:errcheck // is one
			return belowOf(s).PutLink(ctx, fresh)
		},
		"somebody else, who may be missed,": func(ctx context.Context, s broker.Store) error {
			defer s.(*cache.Layer).Doubt() //nolint:errcheck // is one
			return belowOf(s).DeleteLink(ctx, old.Key)
		},
	}
	for name, write := range writes {
		for _, reading := range []time.Duration{100 * time.Millisecond, 2 * time.Second} {
			for lead := -2 * time.Second; lead <= 2*time.Second; lead += 250 * time.Millisecond {
				t.Run(fmt.Sprintf("%s %v before a read of %v", name, lead, reading), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						meet(t, old, reading, lead, false, write)
						meet(t, old, reading, lead, true, write)
					})
				})
			}
		}
	}
}

// belowOf gives the store of which a layer learns nothing by itself.
func belowOf(s broker.Store) broker.Store {
	return s.(*cache.Layer).Store.(*slow).Store //nolint:errcheck // meet has made it so
}

// meet starts the writer this long before the reader.
func meet(
	t *testing.T, old broker.Link, reading, lead time.Duration, warm bool,
	write func(context.Context, broker.Store) error,
) {
	t.Helper()
	memory := cache.NewMemory()
	layer := cache.NewLayer(&slow{Store: memory, reading: reading}, 10)
	put(t, layer, old)
	if warm {
		wantLink(t, layer, old)
	}
	var both sync.WaitGroup
	both.Go(func() {
		time.Sleep(max(0, -lead))
		mustDo(t, write(t.Context(), layer))
	})
	both.Go(func() {
		time.Sleep(max(0, lead))
		_, _ = layer.Link(t.Context(), old.Key) // what it gives while the write is on its way, may be either
	})
	both.Wait()
	want, wantErr := memory.Link(t.Context(), old.Key)
	for range 2 {
		got, err := layer.Link(t.Context(), old.Key)
		if broker.CodeOf(err) != broker.CodeOf(wantErr) || !reflect.DeepEqual(got, want) {
			t.Errorf("warm %v: memory says %+v, %v; the store %+v, %v", warm, got, err, want, wantErr)
		}
	}
}

func TestAWriteThatOutlivesItsCallerIsNotMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := cache.NewMemory()
		layer := cache.NewLayer(&slow{Store: memory}, 10)
		old := numbered(1)
		put(t, layer, old)
		fresh := old
		fresh.URL = "https://wxaurl.cn/fresh"
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		begin := time.Now()
		err := layer.PutLink(ctx, fresh)
		wantErr(t, err, broker.StoreFailed)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != 100*time.Millisecond {
			t.Errorf("error %v after %v", err, time.Since(begin))
		}
		_, _, err = layer.ReserveQuota(ctx, "wx1", "2026-03-01", 1, 10)
		wantErr(t, err, broker.StoreFailed)
		noErr(t, layer.Close()) // waits for both
		wantLink(t, layer, fresh)
		wantErr(t, layer.PutLink(t.Context(), old), broker.StoreFailed)
	})
}

// TestAWriteOfWhatMemoryDoesNotKeepOutlivesItsCallerToo: nobody waits for the disk beyond his deadline, and Close
// waits for the disk.
func TestAWriteOfWhatMemoryDoesNotKeepOutlivesItsCallerToo(t *testing.T) {
	old := aliasOf("old")
	for name, write := range map[string]func(ctx context.Context, s broker.Store) error{
		"put alias":    func(ctx context.Context, s broker.Store) error { return s.PutAlias(ctx, aliasOf("new"), "") },
		"delete alias": func(ctx context.Context, s broker.Store) error { return s.DeleteAlias(ctx, "old", old.ETag()) },
		"add stats": func(ctx context.Context, s broker.Store) error {
			return s.AddStats(ctx, []broker.Stat{total("v", visits(1))})
		},
		"delete stats": func(ctx context.Context, s broker.Store) error { return s.DeleteStats(ctx, "v") },
		"purge stats":  func(ctx context.Context, s broker.Store) error { return second(s.PurgeStats(ctx, date(2100), 9)) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				layer := cache.NewLayer(&slow{Store: cache.NewMemory()}, 10)
				putAlias(t, layer, old)
				addStats(t, layer, hourly("v", 0, visits(1)), total("v", visits(1)))
				before := stateOf(t, layer)
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				defer cancel()
				begin := time.Now()
				err := write(ctx, layer)
				wantErr(t, err, broker.StoreFailed)
				if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != 100*time.Millisecond {
					t.Errorf("error %v after %v", err, time.Since(begin))
				}
				noErr(t, layer.Close())
				if time.Since(begin) != time.Second {
					t.Errorf("closed after %v, while the write was on its way", time.Since(begin))
				}
				if stateOf(t, layer) == before {
					t.Error("the write was given up")
				}
				wantErr(t, write(t.Context(), layer), broker.StoreFailed)
			})
		})
	}
}

// stateOf tells what of aliases and counts is kept.
func stateOf(t *testing.T, s broker.Store) string {
	t.Helper()
	aliases, err := s.ListAliases(t.Context(), "", 10)
	noErr(t, err)
	hours, err := s.Stats(t.Context(), "v", broker.Hourly, midnight, date(2100))
	noErr(t, err)
	totals, err := s.Stats(t.Context(), "v", broker.Total, midnight, midnight)
	noErr(t, err)
	return fmt.Sprint(slugs(aliases), hours, totals)
}

func TestAFailedPutLeavesTheOldLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		below := &slow{Store: cache.NewMemory()}
		layer := cache.NewLayer(below, 10)
		link := numbered(1)
		put(t, layer, link)
		wantLink(t, layer, link)
		below.fails = broker.Errorf(broker.StoreFailed, "the disk is full")
		fresh := link
		fresh.URL = "https://wxaurl.cn/fresh"
		wantErr(t, layer.PutLink(t.Context(), fresh), broker.StoreFailed)
		wantLink(t, layer, link)
	})
}

func TestLongLinksTakeThePlacesOfSeveral(t *testing.T) {
	layer := cache.NewLayer(cache.NewMemory(), 100)
	var links []broker.Link
	for n := range 200 {
		target := numbered(n).Target
		target.Extra = json.RawMessage(`{"x":"` + strings.Repeat("x", 9*1024) + `"}`)
		links = append(links, linkOf(target, fmt.Sprint("L", n)))
	}
	for _, link := range put(t, layer, links...) {
		wantLink(t, layer, link)
	}
	layer.Settle()
	if n := layer.Cached(); n > 10 || n < 5 {
		t.Errorf("%d links of 9 KiB are in the place of 100", n)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	layer := cache.NewLayer(cache.NewMemory(), 100)
	links := put(t, layer, numberedUpTo(2000)...)
	for _, link := range links {
		wantLink(t, layer, link)
	}
	layer.Settle()
	if n := layer.Cached(); n > 100 || n < 50 {
		t.Errorf("%d links are in memory, want about 100", n)
	}
}

// TestMemoryAgreesWithTheStoreAfterAnyMix lets many goroutines do everything to a few links.
func TestMemoryAgreesWithTheStoreAfterAnyMix(t *testing.T) {
	for name, below := range map[string]broker.Store{"memory": cache.NewMemory(), "bolt": openBolt(t, newPath(t))} {
		t.Run(name, func(t *testing.T) {
			layer := cache.NewLayer(below, 6) // fewer than links: eviction takes part
			links := numberedUpTo(8)
			for range 20 {
				var all sync.WaitGroup
				for range 16 {
					all.Go(func() { mix(t, layer, links) })
				}
				all.Wait()
				for _, link := range links {
					want, wantErr := below.Link(t.Context(), link.Key)
					got, err := layer.Link(t.Context(), link.Key)
					if broker.CodeOf(err) != broker.CodeOf(wantErr) || !reflect.DeepEqual(got, want) {
						t.Fatalf("memory says %+v, %v; the store %+v, %v", got, err, want, wantErr)
					}
				}
			}
		})
	}
}

func mix(t *testing.T, s broker.Store, links []broker.Link) {
	ctx := t.Context()
	for range 30 {
		link := links[rand.IntN(len(links))]
		var err error
		switch rand.IntN(10) {
		case 0:
			link.URL += "x"
			err = s.PutLink(ctx, link)
		case 1:
			err = s.DeleteLink(ctx, link.Key)
		case 2:
			err = s.PinLink(ctx, link.Key, rand.IntN(2) == 0)
		case 3:
			err = s.TouchLinks(ctx, []broker.Use{{Key: link.Key, Count: 1, UsedAt: noon}, {Key: links[0].Key, Count: 1}})
		case 4:
			_, err = s.PurgeLinks(ctx, links[rand.IntN(3)].ExpiresAt, 1)
		default:
			_, err = s.Link(ctx, link.Key)
		}
		if err != nil && !errors.Is(err, broker.NotFound) {
			t.Error(err)
		}
	}
}

func TestAPurgeUnderAClockThatRanAheadIsForgotten(t *testing.T) {
	l := cache.NewLayer(cache.NewMemory(), 100)
	long := numbered(1)
	long.ExpiresAt = noon.Add(20 * 24 * time.Hour)
	put(t, l, long)
	wantLink(t, l, long)
	noErr(t, second(l.PurgeLinks(t.Context(), noon.Add(40*24*time.Hour), 200)))
	wantNoLink(t, l, long.Key)
	noErr(t, second(l.PurgeLinks(t.Context(), noon, 200)))
	put(t, l, long)
	wantLink(t, l, long)
	if l.Cached() != 1 {
		t.Errorf("%d links are answered from memory, want 1", l.Cached())
	}
}

// TestAClockThatIsSetBackAmidAPurge has a link read while it is purged by a clock that ran ahead, and the clock set back then.
func TestAClockThatIsSetBackAmidAPurge(t *testing.T) {
	for claim, store := range map[string]*slow{
		"what was read before is not kept":              {reading: 10 * time.Second},
		"what is read before it is deleted is not kept": {purging: 3 * time.Second},
	} {
		t.Run(claim, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store.Store = cache.NewMemory()
				l := cache.NewLayer(store, 100)
				link := numbered(1)
				put(t, store.Store, link)
				var all sync.WaitGroup
				read := func() { _, _ = l.Link(t.Context(), link.Key) }
				if store.reading > 0 {
					all.Go(read)
					synctest.Wait()
				}
				for _, clock := range []time.Time{link.ExpiresAt.Add(time.Hour), noon} {
					all.Go(func() { noErr(t, second(l.PurgeLinks(t.Context(), clock, 200))) })
					time.Sleep(time.Second)
				}
				if store.purging > 0 {
					all.Go(read)
				}
				all.Wait()
				wantNoLink(t, l, link.Key)
				noErr(t, l.Close())
			})
		})
	}
}

// TestMemoryOfAliases is about what is kept of an alias, by how often the store is read.
func TestMemoryOfAliases(t *testing.T) {
	old := aliasOf("sale")
	changed := old
	changed.Title = "changed"
	for name, do := range map[string]struct {
		happens func(t *testing.T, l *cache.Layer, below *slow)
		reads   int32
		want    broker.Code // of reading afterwards
	}{
		"what was read is not read again": {func(*testing.T, *cache.Layer, *slow) {}, 1, ""},
		"what was put is read again":      {func(t *testing.T, l *cache.Layer, _ *slow) { noErr(t, l.PutAlias(t.Context(), changed, old.ETag())) }, 2, ""},
		"what was in the way is read again": {func(t *testing.T, l *cache.Layer, _ *slow) {
			wantErr(t, l.PutAlias(t.Context(), changed, "x"), broker.Conflict)
		}, 2, ""},
		"a deletion that failed is forgotten": {func(t *testing.T, l *cache.Layer, _ *slow) {
			wantErr(t, l.DeleteAlias(t.Context(), "sale", "x"), broker.Conflict)
		}, 2, ""},
		"what is deleted is never kept":      {func(t *testing.T, l *cache.Layer, _ *slow) { noErr(t, l.DeleteAlias(t.Context(), "sale", old.ETag())) }, 3, broker.NotFound},
		"what somebody else changed is read": {func(_ *testing.T, l *cache.Layer, _ *slow) { l.ForgetAlias("sale") }, 2, ""},
		"what is in doubt is read once":      {func(_ *testing.T, l *cache.Layer, _ *slow) { l.Doubt() }, 2, ""},
		"what is in doubt answers alone":     {func(_ *testing.T, l *cache.Layer, below *slow) { l.Doubt(); below.away = errAway }, 3, ""},
		"what was forgotten answers never":   {func(_ *testing.T, l *cache.Layer, below *slow) { l.ForgetAlias("sale"); below.away = errAway }, 3, broker.StoreFailed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				below := &slow{Store: cache.NewMemory()}
				l := cache.NewLayer(below, 10)
				putAlias(t, l, old)
				for range 2 {
					_, err := l.Alias(t.Context(), "sale")
					noErr(t, err)
				}
				do.happens(t, l, below)
				for range 2 {
					got, err := l.Alias(t.Context(), "sale")
					if (err == nil) != (do.want == "") || err != nil && broker.CodeOf(err) != do.want || err == nil && got.Slug != "sale" {
						t.Errorf("%+v, %v, want %q", got, err, do.want)
					}
				}
				if n := below.reads.Load(); n != do.reads {
					t.Errorf("the store was read %d times, want %d", n, do.reads)
				}
			})
		})
	}
}

var errAway = broker.Errorf(broker.StoreFailed, "the store is away")

func TestLinksInDoubtAnswerOnlyWhereTheStoreCannot(t *testing.T) {
	below := &slow{Store: cache.NewMemory()}
	l := cache.NewLayer(below, 10)
	old := numbered(1)
	put(t, l, old)
	wantLink(t, l, old)
	l.Doubt()
	below.away = errAway
	wantLink(t, l, old)
	noErr(t, second(l.PurgeLinks(t.Context(), noon, 1)))
	wantLink(t, l, old)
	wantErr(t, second(l.CurrentLink(t.Context(), old.Key)), broker.StoreFailed)
	below.away = nil
	fresh := old
	fresh.URL += "x"
	put(t, below.Store, fresh)
	wantLink(t, l, fresh)
	reads := below.reads.Load()
	wantLink(t, l, fresh)
	if below.reads.Load() != reads {
		t.Error("it was asked for again in the same epoch")
	}
	l.Doubt()
	noErr(t, below.Store.DeleteLink(t.Context(), old.Key))
	wantNoLink(t, l, old.Key)
	below.away = errAway
	wantErr(t, second(l.Link(t.Context(), old.Key)), broker.StoreFailed)
}

func TestMemoryOfAliasesIsBounded(t *testing.T) {
	l := cache.NewLayer(cache.NewMemory(), 100)
	for n := range 200 {
		alias := aliasOf(fmt.Sprint("a", n))
		putAlias(t, l, alias)
		noErr(t, second(l.Alias(t.Context(), alias.Slug)))
	}
	l.Settle()
	if n := l.CachedAliases(); n > 25 || n < 12 {
		t.Errorf("%d aliases are in memory, want about 25", n)
	}
}
