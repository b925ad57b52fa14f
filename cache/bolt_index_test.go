package cache_test

import (
	"bytes"
	"errors"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"linkbroker/broker"
	"linkbroker/cache"
)

// urlEntries gives the entries among the URLs, and how many keys they have.
func urlEntries(t *testing.T, b *cache.Bolt) (entries [][]byte, keys int) {
	t.Helper()
	noErr(t, b.Change(t.Context(), func(tx *bolt.Tx) (bool, error) {
		entries, keys = nil, 0
		return false, tx.Bucket([]byte("urls")).ForEach(func(key, value []byte) error {
			if keys++; len(value) == 0 {
				entries = append(entries, bytes.Clone(key))
			}
			for ; len(value) > 0; value = value[6:] {
				entries = append(entries, append(key[:2:2], value[:6]...))
			}
			return nil
		})
	}))
	return entries, keys
}

// spread writes the entries among the URLs as keys of their own.
func spread(t *testing.T, b *cache.Bolt) {
	t.Helper()
	entries, _ := urlEntries(t, b)
	noErr(t, b.Change(t.Context(), func(tx *bolt.Tx) (bool, error) {
		err := tx.DeleteBucket([]byte("urls"))
		urls, makeErr := tx.CreateBucket([]byte("urls"))
		err = errors.Join(err, makeErr)
		for _, entry := range entries {
			err = errors.Join(err, urls.Put(entry, nil))
		}
		return true, err
	}))
}

func wantByURL(t *testing.T, b *cache.Bolt, links ...broker.Link) {
	t.Helper()
	for _, link := range links {
		if got, err := b.LinkByURL(t.Context(), link.URL); err != nil || got.Key != link.Key {
			t.Fatalf("%s leads to %v, %v", link.URL, got.Key, err)
		}
	}
}

func TestEntriesAmongTheURLs(t *testing.T) {
	const n = 3000
	for name, written := range map[string]func(*testing.T, *cache.Bolt){
		"that share keys come and go with their links":            func(*testing.T, *cache.Bolt) {},
		"that are keys of their own come and go with their links": spread,
	} {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			b := openBolt(t, path)
			links := put(t, b, numberedUpTo(n)...)
			written(t, b)
			wantByURL(t, b, links...)

			var all sync.WaitGroup
			for _, link := range links[:n/2] {
				all.Go(func() {
					if err := b.DeleteLink(t.Context(), link.Key); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			for _, link := range links[:n/2] {
				wantErr(t, second(b.LinkByURL(t.Context(), link.URL)), broker.NotFound)
			}
			kept := links[n/2:]
			put(t, b, kept[:100]...) // in place of themselves
			wantByURL(t, b, kept...)
			if entries, _ := urlEntries(t, b); len(entries) != len(kept) {
				t.Errorf("%d entries of %d links", len(entries), len(kept))
			}

			copied := newPath(t)
			_, err := b.Backup(t.Context(), copied, nil)
			noErr(t, err)
			noErr(t, b.Close())
			for _, path := range []string{path, copied} {
				report, err := cache.Check(t.Context(), path)
				if err != nil || !report.Clean() || report.StrayURLs != 0 || report.Links != len(kept) {
					t.Errorf("%+v, %v", report, err)
				}
			}
			b = openBolt(t, copied)
			wantByURL(t, b, kept...)
			if entries, keys := urlEntries(t, b); keys >= len(entries) {
				t.Errorf("%d entries of the copy share %d keys", len(entries), keys)
			}
		})
	}
}

// TestADamagedURLIndexIsMendedByACopy: its values have no checksum, for a look at the links tells what is wrong.
func TestADamagedURLIndexIsMendedByACopy(t *testing.T) {
	path := newPath(t)
	b := openBolt(t, path)
	links := put(t, b, numberedUpTo(100)...)
	noErr(t, b.Change(t.Context(), func(tx *bolt.Tx) (bool, error) {
		urls := tx.Bucket([]byte("urls"))
		key, value := urls.Cursor().First()
		return true, errors.Join(
			urls.Put(bytes.Clone(key), append([]byte("stray"), value...)),
			urls.Put([]byte("k"), []byte("v")),
			urls.Put([]byte("ke\x40"), []byte("stray entry")),
		)
	}))
	copied := newPath(t)
	_, err := b.Backup(t.Context(), copied, nil)
	noErr(t, err)
	noErr(t, b.Close())
	report, err := cache.Check(t.Context(), path)
	if err != nil || report.Clean() || report.Unfindable != 1 || report.StrayURLs != 5 {
		t.Errorf("%+v, %v", report, err)
	}
	if report, err = cache.Check(t.Context(), copied); err != nil || !report.Clean() || report.StrayURLs != 0 {
		t.Errorf("the copy is not mended: %+v, %v", report, err)
	}
	wantByURL(t, openBolt(t, copied), links...)
}

func TestTheOrderOfEndsIsDense(t *testing.T) {
	const n = 1000
	for name, c := range map[string]struct {
		life func(n int) time.Duration
		want float64 // of the pages that are in use
	}{
		"if links live equally long":             {func(int) time.Duration { return 48 * time.Hour }, 0.85},
		"if every other one lives for a quarter": {func(n int) time.Duration { return 12 * time.Hour << (n % 2 * 2) }, 0.58},
	} {
		t.Run(name, func(t *testing.T) {
			b := openBolt(t, newPath(t))
			for n := range n {
				link := numbered(n)
				link.ExpiresAt = link.GeneratedAt.Add(c.life(n))
				put(t, b, link)
			}
			noErr(t, b.Change(t.Context(), func(tx *bolt.Tx) (bool, error) {
				s := tx.Bucket([]byte("expiry")).Stats()
				if share := float64(s.LeafInuse) / float64(s.LeafAlloc); share < c.want {
					t.Errorf("%.2f of the pages are in use, want %.2f", share, c.want)
				}
				return false, nil
			}))
		})
	}
}
