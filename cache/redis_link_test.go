package cache_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
)

// twoRedis opens a store twice.
func twoRedis(t *testing.T) (url string, stores [2]*cache.Redis) {
	t.Helper()
	url = ownURL(t, sharedRedis(t))
	return url, [2]*cache.Redis{openRedis(t, url), openRedis(t, url)}
}

func TestWhatOneStoreInRedisWritesAnotherSees(t *testing.T) {
	_, s := twoRedis(t)
	link := numbered(1)
	put(t, s[0], link)
	wantLink(t, s[1], link)
	noErr(t, s[1].PinLink(t.Context(), link.Key, true))
	use := broker.Use{Key: link.Key, Count: 2, UsedAt: noon}
	noErr(t, s[0].TouchLinks(t.Context(), []broker.Use{use}))
	noErr(t, s[1].TouchLinks(t.Context(), []broker.Use{use}))
	link = link.Touched(use).Touched(use)
	link.Pinned = true
	wantLink(t, s[0], link)
	noErr(t, s[1].DeleteLink(t.Context(), link.Key))
	wantNoLink(t, s[0], link.Key)
	put(t, s[1], numbered(1))
	wantLink(t, s[0], numbered(1)) // its uses went with it
}

func TestNothingIsLostWhereTwoStoresInRedisWriteOneLink(t *testing.T) {
	_, s := twoRedis(t)
	first := numbered(1)
	put(t, s[0], first)
	const rounds = 125
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			r := s[worker%2]
			for round := range rounds {
				switch fresh := first; worker {
				case 0, 1, 2:
					fresh.GeneratedAt = first.GeneratedAt.Add(time.Duration(1+worker*rounds+round) * time.Second)
					fresh.URL = fmt.Sprintf("https://wxaurl.cn/%d-%d", worker, round)
					mustDo(t, r.PutLink(t.Context(), fresh))
				case 3:
					mustDo(t, r.PinLink(t.Context(), first.Key, true))
				default:
					mustDo(t, r.TouchLinks(t.Context(), []broker.Use{{Key: first.Key, Count: 2, UsedAt: noon.AddDate(0, 0, round%5)}}))
				}
			}
		})
	}
	all.Wait()
	got, err := s[1].Link(t.Context(), first.Key)
	noErr(t, err)
	if !got.Pinned || got.Rotations != 3*rounds || got.Uses != 4*rounds*2 || !got.UsedAt.Equal(noon.AddDate(0, 0, 4)) {
		t.Errorf("%+v", got)
	}
	sum := uint64(0)
	for _, n := range got.Recent.UsesOf(noon.AddDate(0, 0, 4)) {
		sum += n
	}
	if sum != got.Uses {
		t.Errorf("%d uses day by day, %d in all", sum, got.Uses)
	}
	if found, err := s[0].LinkByURL(t.Context(), got.URL); err != nil || found.Key != got.Key {
		t.Errorf("by its URL: %+v, %v", found, err)
	}
}

func TestAPinIsKeptWhileOthersWriteTheLink(t *testing.T) {
	url, s := twoRedis(t)
	link := numbered(1)
	var others sync.WaitGroup
	done := make(chan struct{})
	for worker := range 6 {
		others.Go(func() {
			for round := 0; ; round++ {
				select {
				case <-done:
					return
				default:
				}
				fresh := link
				fresh.GeneratedAt = link.GeneratedAt.Add(time.Duration(6*round+worker+1) * time.Millisecond)
				fresh.URL = fmt.Sprintf("https://wxaurl.cn/%d-%d", worker, round%3)
				mustDo(t, s[worker%2].PutLink(t.Context(), fresh))
				mustDo(t, s[worker%2].TouchLinks(t.Context(), []broker.Use{{Key: link.Key, Count: 1, UsedAt: noon}}))
			}
		})
	}
	for round := range 150 { // nobody else deletes it or takes the pin away
		r := s[round%2]
		if err := r.DeleteLink(t.Context(), link.Key); err != nil && broker.CodeOf(err) != broker.NotFound {
			t.Error(err)
		}
		mustDo(t, r.PutLink(t.Context(), link))
		mustDo(t, r.PinLink(t.Context(), link.Key, true))
		if got, err := s[(round+1)%2].Link(t.Context(), link.Key); err != nil || !got.Pinned {
			t.Errorf("the pin is lost: %+v, %v", got, err)
		}
	}
	close(done)
	others.Wait()
	wantConsistent(t, url, s[0])
	noErr(t, s[0].DeleteLink(t.Context(), link.Key))
	wantConsistent(t, url, s[1])
}

// wantConsistent expects that each link is found by whatever leads to it, and that nothing leads to one that is not there.
func wantConsistent(t *testing.T, url string, r *cache.Redis) {
	t.Helper()
	links, err := r.ListLinks(t.Context(), broker.Key{}, 1000)
	noErr(t, err)
	if n := len(expiring(t, r, time.Time{}, date(2200))); n != len(links) {
		t.Errorf("%d ends of %d links", n, len(links))
	}
	for _, link := range links {
		wantLink(t, r, link)
		if got, err := r.LinkByURL(t.Context(), link.URL); err != nil || got.URL != link.URL {
			t.Errorf("by its URL: %+v, %v", got, err)
		}
	}
	client, records, ends := redisClient(t, url), 0, int64(0)
	for _, key := range redisKeys(t, client, url) {
		if strings.HasPrefix(key, "l:") {
			records++
		}
		if strings.HasPrefix(key, "x:") {
			_, prefix, _ := strings.Cut(url, "prefix=")
			n, err := client.Do(t.Context(), client.B().Zcard().Key(prefix+":"+key).Build()).AsInt64()
			noErr(t, err)
			ends += n
		}
	}
	if records != len(links) || ends != int64(len(links)) {
		t.Errorf("%d records and %d ends of %d links", records, ends, len(links))
	}
}

func TestRedisForgetsByItselfWhatNobodyPurges(t *testing.T) {
	url, s := twoRedis(t)
	client := redisClient(t, url)
	link := numbered(1)
	left := func(kind string) time.Duration {
		t.Helper()
		ms, err := client.Do(t.Context(), client.B().Pttl().Key(redisKey(t, client, url, kind)).Build()).AsInt64()
		noErr(t, err)
		return time.Duration(ms) * time.Millisecond
	}
	check := func(ends time.Time) {
		t.Helper()
		want := max(ends.Sub(noon), 0) + cache.RedisGrace
		for _, kind := range []string{"l:", "u:", "x:", "w:"} {
			if got := left(kind); got > want || got < want-time.Minute {
				t.Errorf("%s lives %v, want %v", kind, got, want)
			}
		}
	}
	link.ExpiresAt = noon.Add(-time.Hour)
	put(t, s[0], link)
	noErr(t, s[1].TouchLinks(t.Context(), []broker.Use{{Key: link.Key, Count: 1, UsedAt: noon}}))
	check(link.ExpiresAt)
	link.ExpiresAt = noon.Add(720 * time.Hour)
	put(t, s[1], link)
	check(link.ExpiresAt)
	noErr(t, s[0].PinLink(t.Context(), link.Key, true))
	check(link.ExpiresAt)
}

func TestNothingStaysInRedisThatWasDeleted(t *testing.T) {
	url, s := twoRedis(t)
	r, ctx := s[0], t.Context()
	links := put(t, r, numberedUpTo(50)...)
	for i, link := range links {
		noErr(t, r.TouchLinks(ctx, []broker.Use{{Key: link.Key, Count: 1, UsedAt: noon}}))
		if i%2 == 0 {
			noErr(t, r.DeleteLink(ctx, link.Key))
		}
	}
	if n, err := r.PurgeLinks(ctx, date(2200), 100); n != 25 || err != nil {
		t.Errorf("%d purged, %v", n, err)
	}
	putAlias(t, r, aliasOf("sale"))
	noErr(t, r.DeleteAlias(ctx, "sale", aliasOf("sale").ETag()))
	noErr(t, r.PutClient(ctx, broker.Client{Name: "shop"}, ""))
	noErr(t, r.DeleteClient(ctx, "shop"))
	noErr(t, r.AppendAudit(ctx, broker.AuditEntry{At: noon}))
	noErr(t, second(r.PurgeAudit(ctx, date(2200))))
	noErr(t, second2(r.ReserveQuota(ctx, "wx1", "2026-03-01", 1, 10)))
	noErr(t, r.PurgeQuota(ctx, "2026-03-02"))
	addStats(t, r, hourly("v", 0, visits(1)), hourly("w", 1, visits(1)), daily("v", 0, visits(1)), total("v", visits(1)))
	noErr(t, r.DeleteStats(ctx, "v"))
	noErr(t, second(r.PurgeStats(ctx, date(2200), 10)))
	client := redisClient(t, url)
	for _, key := range redisKeys(t, client, url) { // accounts and the last ID are remembered, and URLs for as long as their links
		if key != "meta" && key != "q" && key != "i:{j}" && !strings.HasPrefix(key, "w:") {
			t.Errorf("left is %q", key)
		}
	}
}

func TestQuotaIsNeverGrantedTwiceByTwoStoresInRedis(t *testing.T) {
	_, s := twoRedis(t)
	var all sync.WaitGroup
	var mu sync.Mutex
	sum := int64(0)
	for worker := range 8 {
		all.Go(func() {
			for range 100 {
				granted, total, err := s[worker%2].ReserveQuota(t.Context(), "wx1", "2026-03-01", int64(1+worker), 1000)
				if err != nil || total > 1000 {
					t.Errorf("total %d, %v", total, err)
				}
				mu.Lock()
				sum += granted
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if reserved, err := s[0].ReservedQuota(t.Context(), "wx1", "2026-03-01"); reserved != 1000 || sum != 1000 || err != nil {
		t.Errorf("%d reserved, %d granted, %v", reserved, sum, err)
	}
}
