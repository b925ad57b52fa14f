package cache_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"linkbroker/broker"
	"linkbroker/cache"
)

// spoil changes a store's file behind its back.
func spoil(t *testing.T, b *cache.Bolt, how func(links, expiry *bolt.Bucket) error) {
	t.Helper()
	noErr(t, b.Change(t.Context(), func(tx *bolt.Tx) (bool, error) {
		return true, how(tx.Bucket([]byte("links")), tx.Bucket([]byte("expiry")))
	}))
}

// flipRecord changes a byte of a link's record.
func flipRecord(links *bolt.Bucket, key broker.Key) error {
	record := bytes.Clone(links.Get(key[:]))
	record[len(record)/2] ^= 1
	return links.Put(key[:], record)
}

func TestACheckFindsWhatIsWrong(t *testing.T) {
	links := numberedUpTo(100)
	second := func(n int) []byte { return []byte{0, 0, 0, 0, 0x69, 0, 0, byte(n)} }
	for name, c := range map[string]struct {
		how  func(links, expiry *bolt.Bucket) error
		want cache.Report
	}{
		"a sound store is clean": {
			func(_, _ *bolt.Bucket) error { return nil },
			cache.Report{Links: 100},
		},
		"a damaged record is counted, and its end leads nowhere": {
			func(records, _ *bolt.Bucket) error { return flipRecord(records, links[5].Key) },
			cache.Report{Links: 99, Damaged: 1, LeadsNowhere: 1, StrayURLs: 1},
		},
		"a record under a malformed key is counted": {
			func(records, _ *bolt.Bucket) error { return records.Put([]byte("short"), []byte("x")) },
			cache.Report{Links: 100, Damaged: 1},
		},
		"a lost record is counted": {
			func(records, _ *bolt.Bucket) error { return records.Delete(links[5].Key[:]) },
			cache.Report{Links: 99, LeadsNowhere: 1, StrayURLs: 1},
		},
		"an end too many is counted": {
			func(_, expiry *bolt.Bucket) error {
				return errors.Join(expiry.Put(append(second(1), links[5].Key[:]...), nil), expiry.Put([]byte("odd"), nil))
			},
			cache.Report{Links: 100, LeadsNowhere: 2},
		},
		"a missing end is counted": {
			func(_, expiry *bolt.Bucket) error {
				key, _ := expiry.Cursor().First()
				return expiry.Delete(bytes.Clone(key))
			},
			cache.Report{Links: 100, Unlisted: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			b := openBolt(t, path)
			put(t, b, links...)
			spoil(t, b, c.how)
			noErr(t, b.Close())
			got, err := cache.Check(t.Context(), path)
			noErr(t, err)
			clean := c.want == cache.Report{Links: 100}
			if got.Bytes <= 0 || got.Clean() != clean {
				t.Errorf("%d bytes, clean %v", got.Bytes, got.Clean())
			}
			if got.Bytes = 0; got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			noErr(t, cache.QuickCheck(path)) // none of this keeps a file from being served
		})
	}
}

func TestACheckFindsLinksThatAreNotFoundByURL(t *testing.T) {
	path := newPath(t)
	b := openBolt(t, path)
	links := put(t, b, numberedUpTo(100)...)
	noErr(t, b.Change(t.Context(), func(tx *bolt.Tx) (bool, error) {
		urls := tx.Bucket([]byte("urls"))
		entry, _ := urls.Cursor().First()
		return true, errors.Join(urls.Delete(bytes.Clone(entry)), urls.Put([]byte("odd"), nil), urls.Put([]byte("12345678"), nil))
	}))
	found := 0
	for _, link := range links {
		if got, err := b.LinkByURL(t.Context(), link.URL); err == nil && got.Key == link.Key {
			found++
		}
	}
	if found != 99 {
		t.Errorf("%d links are found by URL, want 99", found)
	}
	copied := newPath(t)
	_, err := b.Backup(t.Context(), copied, nil)
	noErr(t, err)
	noErr(t, b.Close())
	got, err := cache.Check(t.Context(), path)
	noErr(t, err)
	if got.Clean() || got.Unfindable != 1 || got.StrayURLs != 2 {
		t.Errorf("got %+v", got)
	}
	got, err = cache.Check(t.Context(), copied)
	noErr(t, err)
	if !got.Clean() || got.StrayURLs != 0 || got.Links != 100 {
		t.Errorf("the backup is not mended: %+v", got)
	}
}

func TestADamagedRecordIsAMissingLink(t *testing.T) {
	b := openBolt(t, newPath(t))
	links := put(t, b, numberedUpTo(10)...)
	bad := links[4]
	spoil(t, b, func(records, _ *bolt.Bucket) error { return flipRecord(records, bad.Key) })

	wantNoLink(t, b, bad.Key)
	if b.Damaged() != 1 {
		t.Errorf("%d damaged records counted, want 1", b.Damaged())
	}
	page, err := b.ListLinks(t.Context(), broker.Key{}, 9)
	noErr(t, err)
	if len(page) != 9 || page[4].Key != links[5].Key {
		t.Errorf("%d links listed: the damaged one must not make the list look ended", len(page))
	}
	if got := expiring(t, b, time.Time{}, noon.AddDate(1, 0, 0)); len(got) != 9 {
		t.Errorf("%d links end, want 9", len(got))
	}
	wantErr(t, b.PinLink(t.Context(), bad.Key, true), broker.NotFound)
	noErr(t, b.TouchLinks(t.Context(), []broker.Use{{Key: bad.Key, Count: 1}}))
	wantNoLink(t, b, bad.Key)

	put(t, b, bad) // and heals
	wantLink(t, b, bad)
}

func TestADamagedRecordIsDeletedAndPurged(t *testing.T) {
	for name, remove := range map[string]func(b *cache.Bolt, bad broker.Link) error{
		"deleted": func(b *cache.Bolt, bad broker.Link) error {
			wantErr(t, b.DeleteLink(t.Context(), bad.Key), broker.NotFound)
			return second(b.PurgeLinks(t.Context(), bad.ExpiresAt.Add(time.Second), 10)) // its end leads nowhere
		},
		"purged": func(b *cache.Bolt, bad broker.Link) error {
			return second(b.PurgeLinks(t.Context(), bad.ExpiresAt.Add(time.Second), 10))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			b := openBolt(t, path)
			links := numberedUpTo(10)
			put(t, b, links...)
			spoil(t, b, func(records, _ *bolt.Bucket) error { return flipRecord(records, links[0].Key) })
			noErr(t, remove(b, links[0]))
			noErr(t, b.Close())
			report, err := cache.Check(t.Context(), path)
			if err != nil || !report.Clean() || report.Links != 9 {
				t.Errorf("%+v, %v", report, err)
			}
		})
	}
}

// TestAnEndThatLeadsToALivingLinkDoesNotPurgeIt: what replaces a damaged record leaves its old end behind.
func TestAnEndThatLeadsToALivingLinkDoesNotPurgeIt(t *testing.T) {
	b := openBolt(t, newPath(t))
	old := numbered(1)
	put(t, b, old)
	spoil(t, b, func(records, _ *bolt.Bucket) error { return flipRecord(records, old.Key) })
	fresh := old
	fresh.ExpiresAt = old.ExpiresAt.Add(time.Hour)
	put(t, b, fresh)
	n, err := b.PurgeLinks(t.Context(), old.ExpiresAt.Add(time.Minute), 10)
	noErr(t, err)
	if n != 0 {
		t.Errorf("%d links purged", n)
	}
	wantLink(t, b, fresh)
}

func TestADamagedCountIsNoLicenceToOverspend(t *testing.T) {
	b := openBolt(t, newPath(t))
	_, _, err := b.ReserveQuota(t.Context(), "wx1", "2026-03-01", 5, 10)
	noErr(t, err)
	noErr(t, b.Change(t.Context(), func(tx *bolt.Tx) (bool, error) {
		ledger := tx.Bucket([]byte("ledger"))
		key, record := ledger.Cursor().First()
		record = bytes.Clone(record)
		record[len(record)-1] ^= 1
		return true, ledger.Put(bytes.Clone(key), record)
	}))
	_, _, err = b.ReserveQuota(t.Context(), "wx1", "2026-03-01", 5, 10)
	wantErr(t, err, broker.StoreFailed)
	wantErr(t, second(b.ReservedQuota(t.Context(), "wx1", "2026-03-01")), broker.StoreFailed)

	backup := filepath.Join(t.TempDir(), "backup.db")
	copied, err := b.Backup(t.Context(), backup, nil)
	noErr(t, err)
	wantErr(t, second(openBolt(t, backup).ReservedQuota(t.Context(), "wx1", "2026-03-01")), broker.StoreFailed)
	if copied.Dropped != 0 {
		t.Errorf("%d records dropped", copied.Dropped)
	}
}

func TestADamagedValueIsMissing(t *testing.T) {
	b := openBolt(t, newPath(t))
	noErr(t, b.Change(t.Context(), func(tx *bolt.Tx) (bool, error) {
		return true, tx.Bucket([]byte("blobs")).Put([]byte("name"), []byte("garbage"))
	}))
	wantErr(t, second(b.Blob(t.Context(), "name")), broker.NotFound)
	if b.Damaged() != 1 {
		t.Errorf("%d damaged records counted, want 1", b.Damaged())
	}
	noErr(t, b.PutBlob(t.Context(), "name", []byte("value")))
	noErr(t, second(b.Blob(t.Context(), "name")))
}

// spoilRecord changes a byte of a record in any bucket.
func spoilRecord(t *testing.T, b *cache.Bolt, bucket string, key []byte) {
	t.Helper()
	noErr(t, b.Change(t.Context(), func(tx *bolt.Tx) (bool, error) {
		records := tx.Bucket([]byte(bucket))
		record := bytes.Clone(records.Get(key))
		record[len(record)/2] ^= 1
		return true, records.Put(key, record)
	}))
}

func TestADamagedAliasIsMissing(t *testing.T) {
	b := openBolt(t, newPath(t))
	bad := aliasOf("b")
	putAlias(t, b, aliasOf("a"), bad, aliasOf("c"), aliasOf("d"))
	spoilRecord(t, b, "aliases", []byte("b"))

	wantErr(t, second(b.Alias(t.Context(), "b")), broker.NotFound)
	if b.Damaged() != 1 {
		t.Errorf("%d damaged records counted, want 1", b.Damaged())
	}
	page, err := b.ListAliases(t.Context(), "", 3)
	if got := slugs(page); err != nil || !slices.Equal(got, []string{"a", "c", "d"}) {
		t.Errorf("listed %v, %v: the damaged one must not make the list look ended", got, err)
	}
	wantErr(t, b.PutAlias(t.Context(), bad, bad.ETag()), broker.Conflict)

	putAlias(t, b, bad) // and heals
	wantAlias(t, b, bad)
	spoilRecord(t, b, "aliases", []byte("b"))
	wantErr(t, b.DeleteAlias(t.Context(), "b", bad.ETag()), broker.NotFound)
	before := b.Damaged()
	wantErr(t, second(b.Alias(t.Context(), "b")), broker.NotFound)
	if b.Damaged() != before {
		t.Error("a damaged record was not deleted")
	}
}

func TestDamagedCountsAreMissing(t *testing.T) {
	b := openBolt(t, newPath(t))
	var stats []broker.Stat
	for n := range 4 {
		for _, name := range []string{"u", "v", "w"} {
			stats = append(stats, hourly(name, n, visits(9)), daily(name, n, visits(9)))
		}
	}
	addStats(t, b, stats...)
	for _, make := range []func(string, int, map[string]uint64) broker.Stat{hourly, daily} {
		bad := make("v", 1, visits(1))
		spoilRecord(t, b, "stats", cache.StatKey(bad))
		before := b.Damaged()
		wantStats(t, b, "v", bad.Grain, make("v", 0, visits(9)), make("v", 2, visits(9)), make("v", 3, visits(9)))
		if b.Damaged() != before+1 {
			t.Errorf("%d damaged records counted, want 1", b.Damaged()-before)
		}
		addStats(t, b, bad, bad) // and are begun anew
		if b.Damaged() != before+2 {
			t.Errorf("%d damaged records counted, want 2", b.Damaged()-before)
		}
		wantStats(t, b, "v", bad.Grain, make("v", 0, visits(9)), make("v", 1, visits(2)), make("v", 2, visits(9)), make("v", 3, visits(9)))
		wantStats(t, b, "w", bad.Grain, make("w", 0, visits(9)), make("w", 1, visits(9)), make("w", 2, visits(9)), make("w", 3, visits(9)))
	}
}

func TestACheckLooksAtEveryKindOfRecord(t *testing.T) {
	path := newPath(t)
	b := openBolt(t, path)
	putAlias(t, b, aliasOf("a"), aliasOf("b"))
	addStats(t, b, hourly("v", 0, visits(1)), daily("v", 0, visits(1)), total("v", visits(1)))
	noErr(t, b.PutClient(t.Context(), broker.Client{Name: "shop"}, ""))
	noErr(t, b.AppendAudit(t.Context(), broker.AuditEntry{Actor: "ops"}))
	noErr(t, b.PutBlob(t.Context(), "name", []byte("value")))
	_, _, err := b.ReserveQuota(t.Context(), "wx1", "2026-03-01", 1, 1)
	noErr(t, err)
	check := func(want cache.Report) {
		t.Helper()
		noErr(t, b.Close())
		got, err := cache.Check(t.Context(), path)
		noErr(t, err)
		if got.Bytes = 0; got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		b = openBolt(t, path)
	}
	check(cache.Report{Aliases: 2})
	noErr(t, b.Change(t.Context(), func(tx *bolt.Tx) (_ bool, err error) {
		for _, odd := range []string{"h", "hhhhhhhhh", "d\x00\x00\x00\x00\x00\x00\x00\x00\x00", "d of no moment", "x of no kind"} {
			key := []byte(odd) // and a sound record
			err = errors.Join(err, tx.Bucket([]byte("stats")).Put(key, cache.EncodeCounts(key, visits(1))))
		}
		return true, err
	}))
	check(cache.Report{Aliases: 2, Damaged: 5})
	spoilRecord(t, b, "aliases", []byte("a"))
	spoilRecord(t, b, "stats", cache.StatKey(total("v", nil)))
	spoilRecord(t, b, "clients", []byte("shop"))
	spoilRecord(t, b, "audit", []byte{0, 0, 0, 0, 0, 0, 0, 1})
	spoilRecord(t, b, "blobs", []byte("name"))
	spoilRecord(t, b, "ledger", []byte("2026-03-01\x00wx1"))
	check(cache.Report{Aliases: 1, Damaged: 11})
	noErr(t, b.Close())
	done, err := cache.Compact(t.Context(), path)
	noErr(t, err)
	if want := (cache.Copied{Aliases: 1, Dropped: 10}); done.Copied != want {
		t.Errorf("compacted %+v, want %+v", done.Copied, want)
	}
	b = openBolt(t, path)
	check(cache.Report{Aliases: 1, Damaged: 1}) // the ledger's
}

func TestAFileThatDoesNotHangTogetherIsDamaged(t *testing.T) {
	path := newPath(t)
	b := openBolt(t, path)
	put(t, b, numberedUpTo(3000)...)
	noErr(t, b.Close())
	sound, err := os.ReadFile(path)
	noErr(t, err)
	for name, damaged := range map[string][]byte{
		"an empty file":            {},
		"half a page":              sound[:2000],
		"a file cut short":         sound[:len(sound)/64],
		"no bolt file":             bytes.Repeat([]byte("name,value\n"), 10_000),
		"zeros":                    make([]byte, len(sound)),
		"zeros behind the headers": append(bytes.Clone(sound[:3*4096]), make([]byte, len(sound)-3*4096)...),
	} {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			noErr(t, os.WriteFile(path, damaged, 0o600))
			for _, depth := range []cache.Depth{cache.Quick, cache.Full} {
				for who, probe := range map[string]cache.Probe{"here": cache.Inspect, "child": childProbe(t)} {
					if err := probe(t.Context(), depth, path); !errors.Is(err, cache.ErrDamaged) {
						t.Errorf("%s, %s: error %v, want damaged", depth, who, err)
					}
				}
			}
		})
	}
}
