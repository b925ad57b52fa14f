package cache_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
)

// stores are all that must keep the promises of broker.Store.
var stores = map[string]func(t *testing.T) broker.Store{
	"memory": func(*testing.T) broker.Store { return cache.NewMemory() },
	"bolt":   func(t *testing.T) broker.Store { return openBolt(t, newPath(t)) },
	"layer over memory": func(*testing.T) broker.Store {
		return cache.NewLayer(cache.NewMemory(), 1000)
	},
	"layer over bolt": func(t *testing.T) broker.Store {
		return cache.NewLayer(openBolt(t, newPath(t)), 1000)
	},
	"redis": func(t *testing.T) broker.Store { return openRedis(t, ownURL(t, sharedRedis(t))) },
	"layer over redis": func(t *testing.T) broker.Store {
		return cache.NewLayer(openRedis(t, ownURL(t, sharedRedis(t))), 1000)
	},
	"redis cluster":        func(t *testing.T) broker.Store { return openRedis(t, ownURL(t, sharedCluster(t))) },
	"redis with a replica": func(t *testing.T) broker.Store { return openRedis(t, ownURL(t, sharedPair(t))) },
}

func newPath(t *testing.T) string { return filepath.Join(t.TempDir(), "links.db") }

func openBolt(t testing.TB, path string) *cache.Bolt {
	t.Helper()
	b, err := cache.OpenBolt(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// numbered gives one of many links. They end a minute after each other, in the order of their numbers.
func numbered(n int) broker.Link {
	link := linkOf(broker.Target{App: "wx0123456789abcdef", Path: "p", Query: fmt.Sprintf("n=%d", n)}, fmt.Sprint("T", n))
	link.GeneratedAt = noon.Add(time.Duration(n) * time.Minute)
	link.ExpiresAt = link.GeneratedAt.Add(time.Hour)
	return link
}

// put stores links, many at a time as they would come, and gives them in the order of their keys.
func put(t testing.TB, s broker.Store, links ...broker.Link) []broker.Link {
	t.Helper()
	var all sync.WaitGroup
	for _, link := range links {
		all.Go(func() {
			if err := s.PutLink(t.Context(), link); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	return slices.SortedFunc(slices.Values(links), func(a, b broker.Link) int {
		return slices.Compare(a.Key[:], b.Key[:])
	})
}

func numberedUpTo(n int) []broker.Link {
	links := make([]broker.Link, n)
	for i := range links {
		links[i] = numbered(i)
	}
	return links
}

func wantLink(t testing.TB, s broker.Store, want broker.Link) {
	t.Helper()
	for range 2 { // the second time a layer answers from memory
		if got, err := s.Link(t.Context(), want.Key); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
		}
	}
}

func wantNoLink(t testing.TB, s broker.Store, key broker.Key) {
	t.Helper()
	if got, err := s.Link(t.Context(), key); !errors.Is(err, broker.NotFound) {
		t.Errorf("got %+v, %v; want not found", got, err)
	}
}

func wantErr(t testing.TB, err error, code broker.Code) {
	t.Helper()
	if broker.CodeOf(err) != code {
		t.Errorf("error %v, want one of code %s", err, code)
	}
}

func noErr(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// expiring gives the numbers of the links that end in a stretch of time.
func expiring(t testing.TB, s broker.Store, from, to time.Time) []string {
	t.Helper()
	queries := []string{}
	for link, err := range s.ExpiringLinks(t.Context(), from, to) {
		noErr(t, err)
		queries = append(queries, link.Target.Query)
	}
	return queries
}

// promises are the sentences of broker.Store and its parts, each as a claim.
var promises = map[string]func(t *testing.T, s broker.Store){
	"a link is found as it was put": func(t *testing.T, s broker.Store) {
		for _, link := range recordedLinks() {
			put(t, s, link)
			wantLink(t, s, link)
			noErr(t, s.DeleteLink(t.Context(), link.Key)) // two of them have one key
		}
	},
	"a link that was never put is not found": func(t *testing.T, s broker.Store) {
		wantNoLink(t, s, numbered(1).Key)
	},
	"a link is found by its URL": func(t *testing.T, s broker.Store) {
		links := put(t, s, numberedUpTo(300)...)
		for _, link := range links {
			if got, err := s.LinkByURL(t.Context(), link.URL); err != nil || !reflect.DeepEqual(got, link) {
				t.Fatalf("got %+v, %v", got, err)
			}
		}
		for _, url := range []string{"", "https://wxaurl.cn/", links[0].URL + "x", links[0].URL[:len(links[0].URL)-1] + "\x00"} {
			_, err := s.LinkByURL(t.Context(), url)
			wantErr(t, err, broker.NotFound)
		}
	},
	"a link is found by the URL it has now, and by no earlier one": func(t *testing.T, s broker.Store) {
		old := numbered(1)
		fresh := old
		fresh.URL = "https://wxaurl.cn/fresh"
		put(t, s, old)
		put(t, s, fresh)
		_, err := s.LinkByURL(t.Context(), old.URL)
		wantErr(t, err, broker.NotFound)
		if got, err := s.LinkByURL(t.Context(), fresh.URL); err != nil || got.Key != fresh.Key {
			t.Errorf("got %+v, %v", got, err)
		}
		noErr(t, s.TouchLinks(t.Context(), []broker.Use{{Key: fresh.Key, Count: 1, UsedAt: noon}}))
		if got, err := s.LinkByURL(t.Context(), fresh.URL); err != nil || got.Uses != 1 {
			t.Errorf("after a use: %+v, %v", got, err)
		}
	},
	"a URL that two links have leads to the one that is left": func(t *testing.T, s broker.Store) {
		links := numberedUpTo(2)
		links[1].URL = links[0].URL
		put(t, s, links[0])
		put(t, s, links[1])
		for i, gone := range []broker.Key{links[1].Key, links[0].Key} {
			noErr(t, s.DeleteLink(t.Context(), gone))
			if got, err := s.LinkByURL(t.Context(), links[0].URL); i == 0 && (err != nil || got.Key != links[0].Key) {
				t.Errorf("got %+v, %v", got, err)
			} else if i == 1 {
				wantErr(t, err, broker.NotFound)
			}
		}
	},
	"what is deleted or purged is not found by its URL": func(t *testing.T, s broker.Store) {
		links := numberedUpTo(2)
		put(t, s, links...)
		noErr(t, s.DeleteLink(t.Context(), links[1].Key))
		_, err := s.PurgeLinks(t.Context(), links[0].ExpiresAt.Add(time.Second), 10)
		noErr(t, err)
		for _, link := range links {
			_, err := s.LinkByURL(t.Context(), link.URL)
			wantErr(t, err, broker.NotFound)
		}
	},
	"a link without end is found, walked over and not purged": func(t *testing.T, s broker.Store) {
		link := recordedLinks()["permanent"]
		link.ExpiresAt = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
		put(t, s, link)
		n, err := s.PurgeLinks(t.Context(), noon.AddDate(100, 0, 0), 10)
		noErr(t, err)
		if n != 0 || len(expiring(t, s, noon, link.ExpiresAt.Add(time.Second))) != 1 {
			t.Errorf("%d purged", n)
		}
		wantLink(t, s, link)
	},
	"a dead link is found, for freshness is not the store's to judge": func(t *testing.T, s broker.Store) {
		dead := numbered(1)
		dead.ExpiresAt = time.Unix(1, 0).UTC()
		put(t, s, dead)
		wantLink(t, s, dead)
	},
	"a link whose target does not hash to its key is refused": func(t *testing.T, s broker.Store) {
		wrong := numbered(1)
		wrong.Key = numbered(2).Key
		wantErr(t, s.PutLink(t.Context(), wrong), broker.StoreFailed)
		wantNoLink(t, s, wrong.Key)
	},
	"a put takes the place of an earlier link and keeps its history and pin": func(t *testing.T, s broker.Store) {
		old := numbered(1)
		old.AskedBy = "shop-web"
		put(t, s, old)
		use := broker.Use{Key: old.Key, Count: 3, UsedAt: noon}
		noErr(t, s.TouchLinks(t.Context(), []broker.Use{use}))
		noErr(t, s.PinLink(t.Context(), old.Key, true))
		fresh := old
		fresh.URL, fresh.ExpiresAt = "https://wxaurl.cn/fresh", old.ExpiresAt.Add(time.Hour)
		fresh.GeneratedAt, fresh.AskedBy = old.GeneratedAt.Add(time.Hour), ""
		put(t, s, fresh)
		want := fresh.Replacing(old.Touched(use))
		want.Pinned = true
		wantLink(t, s, want)
		if got := expiring(t, s, old.ExpiresAt.Add(-time.Hour), fresh.ExpiresAt); len(got) != 0 {
			t.Errorf("it still ends at its old end: %v", got)
		}
	},
	"a pin is set and taken away": func(t *testing.T, s broker.Store) {
		link := numbered(1)
		put(t, s, link)
		wantLink(t, s, link)
		for _, pinned := range []bool{true, true, false, false} {
			noErr(t, s.PinLink(t.Context(), link.Key, pinned))
			link.Pinned = pinned
			wantLink(t, s, link)
		}
	},
	"a link that is not there cannot be pinned": func(t *testing.T, s broker.Store) {
		wantErr(t, s.PinLink(t.Context(), numbered(1).Key, true), broker.NotFound)
		wantNoLink(t, s, numbered(1).Key)
	},
	"a deleted link is gone": func(t *testing.T, s broker.Store) {
		link := numbered(1)
		put(t, s, link)
		wantLink(t, s, link)
		noErr(t, s.DeleteLink(t.Context(), link.Key))
		wantNoLink(t, s, link.Key)
		if got := expiring(t, s, time.Time{}, noon.AddDate(9, 0, 0)); len(got) != 0 {
			t.Errorf("it still ends: %v", got)
		}
		wantErr(t, s.DeleteLink(t.Context(), link.Key), broker.NotFound)
	},
	"uses add up, and the latest moment stays": func(t *testing.T, s broker.Store) {
		link := numbered(1)
		put(t, s, link)
		wantLink(t, s, link)
		noErr(t, s.TouchLinks(t.Context(), []broker.Use{
			{Key: link.Key, Count: 2, UsedAt: noon.Add(time.Hour)},
			{Key: numbered(2).Key, Count: 1, UsedAt: noon}, // not there: passed over
			{Key: link.Key, Count: 5, UsedAt: noon},
		}))
		link = link.Touched(broker.Use{Count: 2, UsedAt: noon.Add(time.Hour)}).Touched(broker.Use{Count: 5, UsedAt: noon})
		if link.Uses != 7 || !link.UsedAt.Equal(noon.Add(time.Hour)) {
			t.Errorf("%d uses, the last at %v", link.Uses, link.UsedAt)
		}
		wantLink(t, s, link)
		wantNoLink(t, s, numbered(2).Key)
		noErr(t, s.TouchLinks(t.Context(), nil))
	},
	"uses are added all or nothing": func(t *testing.T, s broker.Store) {
		links := put(t, s, numbered(1), numbered(2))
		err := s.TouchLinks(t.Context(), []broker.Use{
			{Key: links[0].Key, Count: 1, UsedAt: noon},
			{Key: links[1].Key, Count: 1, UsedAt: noon.AddDate(1000, 0, 0)}, // beyond what can be stored
		})
		wantErr(t, err, broker.StoreFailed)
		wantLink(t, s, links[0])
		wantLink(t, s, links[1])
	},
	"links are listed page by page in the order of their keys": func(t *testing.T, s broker.Store) {
		want := put(t, s, numberedUpTo(700)...)
		var got []broker.Link
		for after := (broker.Key{}); ; {
			page, err := s.ListLinks(t.Context(), after, 300)
			noErr(t, err)
			got = append(got, page...)
			if len(page) < 300 {
				break
			}
			after = page[len(page)-1].Key
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%d links listed, want %d in order", len(got), len(want))
		}
	},
	"a page may begin after a key that is not there": func(t *testing.T, s broker.Store) {
		links := put(t, s, numberedUpTo(9)...)
		noErr(t, s.DeleteLink(t.Context(), links[4].Key))
		page, err := s.ListLinks(t.Context(), links[4].Key, 2)
		noErr(t, err)
		if !reflect.DeepEqual(page, links[5:7]) {
			t.Errorf("got %+v", page)
		}
	},
	"fewer links than asked mean that the end is reached": func(t *testing.T, s broker.Store) {
		links := put(t, s, numberedUpTo(5)...)
		for limit, want := range map[int]int{-1: 0, 0: 0, 4: 4, 5: 5, 6: 5, 1000: 5} {
			page, err := s.ListLinks(t.Context(), broker.Key{}, limit)
			noErr(t, err)
			if len(page) != want {
				t.Errorf("limit %d gives %d links, want %d", limit, len(page), want)
			}
		}
		page, err := s.ListLinks(t.Context(), links[4].Key, 5)
		noErr(t, err)
		if len(page) != 0 {
			t.Errorf("%d links behind the last", len(page))
		}
	},
	"ends are bounded in whole seconds": func(t *testing.T, s broker.Store) {
		link := numbered(1) // it ends 123 ms after a full second
		put(t, s, link)
		second := link.ExpiresAt.Truncate(time.Second)
		for _, c := range []struct {
			from, to time.Time
			want     int
		}{
			{second, second.Add(time.Second), 1},
			{second.Add(999 * time.Millisecond), second.Add(time.Second), 1},
			{second, second.Add(999 * time.Millisecond), 0},
			{second.Add(-time.Second), second, 0},
			{second.Add(time.Second), second.Add(time.Hour), 0},
			{time.Time{}, second.Add(time.Second), 1},
		} {
			if got := expiring(t, s, c.from, c.to); len(got) != c.want {
				t.Errorf("from %v to %v: %v, want %d", c.from, c.to, got, c.want)
			}
		}
	},
	"links are walked over in the order of their end": func(t *testing.T, s broker.Store) {
		put(t, s, numberedUpTo(900)...)
		want := []string{}
		for n := 100; n < 800; n++ {
			want = append(want, fmt.Sprintf("n=%d", n))
		}
		if got := expiring(t, s, numbered(100).ExpiresAt, numbered(800).ExpiresAt); !slices.Equal(got, want) {
			t.Errorf("%d links, want %d in order", len(got), len(want))
		}
	},
	"a caller may write while it walks, and stop": func(t *testing.T, s broker.Store) {
		put(t, s, numberedUpTo(600)...)
		seen := 0
		for link, err := range s.ExpiringLinks(t.Context(), time.Time{}, noon.AddDate(1, 0, 0)) {
			noErr(t, err)
			noErr(t, s.DeleteLink(t.Context(), link.Key))
			if seen++; seen == 300 {
				break
			}
		}
		if left := len(expiring(t, s, time.Time{}, noon.AddDate(1, 0, 0))); left != 300 {
			t.Errorf("%d links are left, want 300", left)
		}
	},
	"an error ends the walk": func(t *testing.T, s broker.Store) {
		put(t, s, numberedUpTo(600)...)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var errs []error
		for _, err := range s.ExpiringLinks(ctx, time.Time{}, noon.AddDate(1, 0, 0)) {
			cancel()
			if err != nil {
				errs = append(errs, err)
			}
		}
		if len(errs) != 1 || !errors.Is(errs[0], broker.StoreFailed) || !errors.Is(errs[0], context.Canceled) {
			t.Errorf("errors %v", errs)
		}
	},
	"what ended before a moment is purged, up to a limit": func(t *testing.T, s broker.Store) {
		links := numberedUpTo(600)
		put(t, s, links...)
		for _, link := range links {
			wantLink(t, s, link)
		}
		before := links[500].ExpiresAt
		for _, want := range []int{350, 150, 0} {
			n, err := s.PurgeLinks(t.Context(), before, 350)
			noErr(t, err)
			if n != want {
				t.Errorf("%d links purged, want %d", n, want)
			}
		}
		for _, link := range links[:500] {
			wantNoLink(t, s, link.Key)
		}
		for _, link := range links[500:] {
			wantLink(t, s, link)
		}
	},
	"a purge looks at more than the second": func(t *testing.T, s broker.Store) {
		links := numberedUpTo(3)
		for i := range links {
			links[i].ExpiresAt = noon.Truncate(time.Second).Add(time.Duration(i) * time.Millisecond)
		}
		put(t, s, links...)
		n, err := s.PurgeLinks(t.Context(), links[1].ExpiresAt, 10)
		noErr(t, err)
		if n != 1 {
			t.Errorf("%d links purged, want 1", n)
		}
		wantNoLink(t, s, links[0].Key)
		wantLink(t, s, links[1])
	},
	"a renewed link is not purged for its old end": func(t *testing.T, s broker.Store) {
		old := numbered(1)
		fresh := old
		fresh.ExpiresAt = old.ExpiresAt.Add(time.Hour)
		put(t, s, old)
		put(t, s, fresh)
		n, err := s.PurgeLinks(t.Context(), old.ExpiresAt.Add(time.Minute), 10)
		noErr(t, err)
		if n != 0 {
			t.Errorf("%d links purged", n)
		}
		wantLink(t, s, fresh)
	},
	"a purged link can be put again": func(t *testing.T, s broker.Store) {
		link := numbered(1)
		put(t, s, link)
		_, err := s.PurgeLinks(t.Context(), link.ExpiresAt.Add(time.Second), 10)
		noErr(t, err)
		put(t, s, link)
		wantLink(t, s, link)
	},
	"quota is granted up to the limit": func(t *testing.T, s broker.Store) {
		for _, c := range []struct{ n, limit, granted, total int64 }{
			{60, 100, 60, 60},
			{60, 100, 40, 100},
			{1, 100, 0, 100},
			{10, 50, 0, 100}, // the limit was lowered
			{-30, 100, -30, 70},
			{-30, 0, -30, 40}, // giving back needs no room
			{0, 100, 0, 40},
			{-99, 100, -40, 0}, // no more than was taken
			{1 << 62, 1 << 62, 1 << 62, 1 << 62},
		} {
			granted, total, err := s.ReserveQuota(t.Context(), "wx1", "2026-03-01", c.n, c.limit)
			noErr(t, err)
			if granted != c.granted || total != c.total {
				t.Errorf("%d of %d: granted %d, total %d; want %d, %d", c.n, c.limit, granted, total, c.granted, c.total)
			}
			reserved, err := s.ReservedQuota(t.Context(), "wx1", "2026-03-01")
			noErr(t, err)
			if reserved != c.total {
				t.Errorf("%d are reserved, want %d", reserved, c.total)
			}
		}
	},
	"accounts and days are counted apart": func(t *testing.T, s broker.Store) {
		for i, account := range []string{"wx1", "wx2", ""} {
			for j, day := range []string{"2026-03-01", "2026-03-02"} {
				_, total, err := s.ReserveQuota(t.Context(), account, day, int64(10*i+j+1), 100)
				noErr(t, err)
				if total != int64(10*i+j+1) {
					t.Errorf("%s on %s: %d", account, day, total)
				}
			}
		}
	},
	"past days are forgotten": func(t *testing.T, s broker.Store) {
		days := []string{"2025-12-31", "2026-02-28", "2026-03-01", "2026-03-02"}
		for _, day := range days {
			_, _, err := s.ReserveQuota(t.Context(), "wx1", day, 5, 100)
			noErr(t, err)
		}
		noErr(t, s.PurgeQuota(t.Context(), "2026-03-01"))
		for i, day := range days {
			reserved, err := s.ReservedQuota(t.Context(), "wx1", day)
			noErr(t, err)
			if want := []int64{0, 0, 5, 5}[i]; reserved != want {
				t.Errorf("%s: %d, want %d", day, reserved, want)
			}
		}
	},
	"many at once never get more than the limit": func(t *testing.T, s broker.Store) {
		var all sync.WaitGroup
		granted := make(chan int64, 64)
		for range 64 {
			all.Go(func() {
				n, _, err := s.ReserveQuota(t.Context(), "wx1", "2026-03-01", 3, 100)
				if err != nil {
					t.Error(err)
				}
				granted <- n
			})
		}
		all.Wait()
		close(granted)
		sum := int64(0)
		for n := range granted {
			sum += n
		}
		if sum != 100 {
			t.Errorf("%d granted, want 100", sum)
		}
	},
	"a value is found under its name, and replaced": func(t *testing.T, s broker.Store) {
		_, err := s.Blob(t.Context(), "token-key")
		wantErr(t, err, broker.NotFound)
		for _, want := range []string{"one", "", string(make([]byte, 100_000))} {
			given := []byte(want)
			noErr(t, s.PutBlob(t.Context(), "token-key", given))
			clear(given) // the store must not keep what it was given
			got, err := s.Blob(t.Context(), "token-key")
			noErr(t, err)
			if string(got) != want {
				t.Errorf("%d bytes, want %d", len(got), len(want))
			}
			clear(got) // nor hand out what it keeps
			if again, err := s.Blob(t.Context(), "token-key"); err != nil || string(again) != want {
				t.Errorf("the second time %d bytes, %v", len(again), err)
			}
		}
		_, err = s.Blob(t.Context(), "token")
		wantErr(t, err, broker.NotFound)
	},
	"a value is added only where there is none": func(t *testing.T, s broker.Store) {
		for _, want := range []string{"", "value"} {
			given := []byte(want)
			kept, err := s.AddBlob(t.Context(), "name "+want, given)
			if err != nil || string(kept) != want {
				t.Errorf("the first time %q, %v, want %q", kept, err, want)
			}
			clear(given)
			clear(kept)
			if kept, err = s.AddBlob(t.Context(), "name "+want, []byte("another")); err != nil || string(kept) != want {
				t.Errorf("the second time %q, %v, want %q", kept, err, want)
			}
			clear(kept)
			if kept, err = s.Blob(t.Context(), "name "+want); err != nil || string(kept) != want {
				t.Errorf("read as %q, %v, want %q", kept, err, want)
			}
		}
	},
	"of many that add the same value all get one": func(t *testing.T, s broker.Store) {
		var all sync.WaitGroup
		var kept [16]string
		for n := range kept {
			all.Go(func() {
				value, err := s.AddBlob(t.Context(), "token-key", []byte{byte(n)})
				kept[n] = string(value)
				mustDo(t, err)
			})
		}
		all.Wait()
		stored, err := s.Blob(t.Context(), "token-key")
		noErr(t, err)
		for n, value := range kept {
			if value != string(stored) {
				t.Errorf("%d has %q, stored is %q", n, value, stored)
			}
		}
	},
	"every method may be called at any time": func(t *testing.T, s broker.Store) {
		links := put(t, s, numberedUpTo(20)...)
		var all sync.WaitGroup
		for worker := range 8 {
			all.Go(func() { everyMethod(t, s, links, worker) })
		}
		all.Wait()
	},
}

// everyMethod calls all of them, on links and aliases that others are busy with as well. Only NotFound and Conflict
// may come of that.
func everyMethod(t *testing.T, s broker.Store, links []broker.Link, worker int) {
	ctx := t.Context()
	check := func(err error) {
		if err != nil && !errors.Is(err, broker.NotFound) && !errors.Is(err, broker.Conflict) {
			t.Error(err)
		}
	}
	for round := range 25 {
		link := links[(worker+round)%len(links)]
		got, err := s.Link(ctx, link.Key)
		check(err)
		if err == nil && got.Target.Query != link.Target.Query {
			t.Errorf("the link of %v answers for %v", got.Target, link.Target)
		}
		_, err = s.LinkByURL(ctx, link.URL)
		check(err)
		check(s.PutLink(ctx, link))
		check(s.PinLink(ctx, link.Key, round%2 == 0))
		check(s.TouchLinks(ctx, []broker.Use{{Key: link.Key, Count: 1, UsedAt: noon}}))
		if round%5 == worker%5 { // walks too: one looks in thousands of places, where a store is in Redis
			check(s.DeleteLink(ctx, link.Key))
			check(second(s.ListLinks(ctx, broker.Key{}, 100)))
			for _, err := range s.ExpiringLinks(ctx, time.Time{}, noon.AddDate(1, 0, 0)) {
				check(err)
			}
			check(second(s.PurgeLinks(ctx, links[3].ExpiresAt, 2)))
		}
		_, _, err = s.ReserveQuota(ctx, "wx1", "2026-03-01", 1, 1000)
		check(err)
		_, err = s.ReservedQuota(ctx, "wx1", "2026-03-01")
		check(err)
		check(s.PurgeQuota(ctx, "2026-02-01"))
		check(s.PutBlob(ctx, "name", []byte{byte(round)}))
		_, err = s.Blob(ctx, "name")
		check(err)
		check(second(s.AddBlob(ctx, "name", []byte{byte(round)})))
		client := broker.Client{Name: fmt.Sprint("c-", worker%5), Role: broker.RoleRead}
		check(s.PutClient(ctx, client, ""))
		check(second(s.ListClients(ctx)))
		check(s.DeleteClient(ctx, client.Name))
		slug := fmt.Sprint("a-", (worker+round)%5)
		alias, err := s.Alias(ctx, slug)
		check(err)
		if err == nil && alias.Slug != slug {
			t.Errorf("the alias %s answers for %s", alias.Slug, slug)
		}
		check(s.PutAlias(ctx, aliasOf(slug), ""))
		check(s.DeleteAlias(ctx, slug, aliasOf(slug).ETag()))
		check(second(s.ListAliases(ctx, "", 100)))
		check(s.AddStats(ctx, []broker.Stat{hourly(slug, round, visits(1)), total(slug, visits(1))}))
		check(second(s.Stats(ctx, slug, broker.Hourly, midnight, noon.AddDate(1, 0, 0))))
		check(s.DeleteStats(ctx, slug))
		check(second(s.PurgeStats(ctx, midnight, 2)))
	}
}

func TestStoresKeepTheirPromises(t *testing.T) { keepPromises(t, promises) }

func keepPromises(t *testing.T, promises map[string]func(t *testing.T, s broker.Store)) {
	t.Helper()
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			for claim, prove := range promises {
				t.Run(claim, func(t *testing.T) {
					s := open(t)
					prove(t, s)
					noErr(t, s.Close())
				})
			}
		})
	}
}
