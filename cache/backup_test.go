package cache_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"linkbroker/broker"
	"linkbroker/cache"
)

func TestABackupIsAWholeStore(t *testing.T) {
	path := newPath(t)
	b := openBolt(t, path)
	links := put(t, b, numberedUpTo(5000)...)
	_, _, err := b.ReserveQuota(t.Context(), "wx1", "2026-03-01", 7, 100)
	noErr(t, err)
	noErr(t, b.PutBlob(t.Context(), "name", []byte("value")))
	putAlias(t, b, slices.Collect(maps.Values(nastyAliases()))...)
	putAlias(t, b, aliasOf("spoilt"))
	addStats(t, b, hourly("v", 0, visits(1)), hourly("v", 1, visits(2)), daily("v", 0, visits(3)), total("v", visits(4)))
	spoil(t, b, func(records, _ *bolt.Bucket) error { return flipRecord(records, links[9].Key) })
	spoilRecord(t, b, "aliases", []byte("spoilt"))
	spoilRecord(t, b, "stats", cache.StatKey(hourly("v", 0, nil)))
	noErr(t, b.Change(t.Context(), func(tx *bolt.Tx) (bool, error) { // a bucket of a later issue
		pages, err := tx.CreateBucket([]byte("pages"))
		return true, errors.Join(err, pages.Put([]byte("name"), []byte("text")))
	}))

	backup := filepath.Join(t.TempDir(), "b", cache.BackupName(noon))
	told := 0
	copied, err := b.Backup(t.Context(), backup, func(n int) { told = n })
	noErr(t, err)
	if want := (cache.Copied{Links: 4999, Aliases: len(nastyAliases()), Dropped: 3}); copied != want || told != 4999 {
		t.Errorf("copied %+v, told of %d; want %+v", copied, told, want)
	}
	report, err := cache.Check(t.Context(), backup)
	noErr(t, err)
	if !report.Clean() || report.Links != 4999 || report.Aliases != len(nastyAliases()) {
		t.Errorf("%+v", report)
	}
	c := openBolt(t, backup)
	for i, link := range links {
		if i != 9 {
			wantLink(t, c, link)
		}
	}
	for _, alias := range nastyAliases() {
		wantAlias(t, c, alias)
	}
	wantErr(t, second(c.Alias(t.Context(), "spoilt")), broker.NotFound)
	wantStats(t, c, "v", broker.Hourly, hourly("v", 1, visits(2)))
	wantStats(t, c, "v", broker.Daily, daily("v", 0, visits(3)))
	wantStats(t, c, "v", broker.Total, total("v", visits(4)))
	if n, err := c.ReservedQuota(t.Context(), "wx1", "2026-03-01"); n != 7 || err != nil {
		t.Errorf("%d units, %v", n, err)
	}
	if value, err := c.Blob(t.Context(), "name"); string(value) != "value" || err != nil {
		t.Errorf("value %q, %v", value, err)
	}
	noErr(t, c.Change(t.Context(), func(tx *bolt.Tx) (bool, error) {
		if got := string(tx.Bucket([]byte("pages")).Get([]byte("name"))); got != "text" {
			t.Errorf("the page of a later issue says %q", got)
		}
		return false, nil
	}))
	noErr(t, second(os.Stat(filepath.Dir(backup))))
	if files, err := os.ReadDir(filepath.Dir(backup)); err != nil || len(files) != 1 {
		t.Errorf("files %v, %v", files, err)
	}
}

// TestABackupAmidWritesIsConsistent: its pages are of different moments, and yet every link has its end.
func TestABackupAmidWritesIsConsistent(t *testing.T) {
	b := openBolt(t, newPath(t))
	links := put(t, b, numberedUpTo(6000)...)
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for worker := range 4 {
		writers.Go(func() {
			for n := worker; ; n += 4 {
				select {
				case <-stop:
					return
				default:
				}
				link := links[n*31%len(links)]
				link.ExpiresAt = link.ExpiresAt.Add(time.Duration(n) * time.Second)
				mustDo(t, b.PutLink(t.Context(), link))
				mustDo(t, b.DeleteLink(t.Context(), links[n*17%len(links)].Key))
				mustDo(t, b.PutLink(t.Context(), links[n*17%len(links)]))
			}
		})
	}
	backup := filepath.Join(t.TempDir(), "backup.db")
	_, err := b.Backup(t.Context(), backup, nil)
	close(stop)
	writers.Wait()
	noErr(t, err)
	report, err := cache.Check(t.Context(), backup)
	if err != nil || !report.Clean() || report.Links < 5900 {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestABackupThatIsCutOffLeavesNothing(t *testing.T) {
	b := openBolt(t, newPath(t))
	put(t, b, numberedUpTo(100)...)
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	_, err := b.Backup(ctx, filepath.Join(dir, "backup.db"), func(int) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
		t.Errorf("files %v, %v", files, err)
	}
}

func TestABackupOverwritesNothing(t *testing.T) {
	path := newPath(t)
	s := open(t, path, options())
	put(t, s, numbered(1))
	if _, err := s.Backup(t.Context(), path, nil); err == nil {
		t.Error("the store was backed up onto itself")
	}
	wantLink(t, s, numbered(1))
	memory, err := cache.Open(t.Context(), "memory://", options())
	noErr(t, err)
	if _, err := memory.Backup(t.Context(), newPath(t), nil); err == nil {
		t.Error("a memory store was backed up")
	}
}

func TestOldBackupsArePruned(t *testing.T) {
	dir := t.TempDir()
	var names []string
	for n := range 9 {
		names = append(names, filepath.Join(dir, cache.BackupName(noon.Add(time.Duration(n)*time.Hour))))
		noErr(t, os.WriteFile(names[n], nil, 0o600))
	}
	other := filepath.Join(dir, "notes.txt")
	half := names[0] + ".77.tmp"
	noErr(t, os.WriteFile(other, nil, 0o600))
	noErr(t, os.WriteFile(half, nil, 0o600))
	deleted, err := cache.PruneBackups(dir, 7)
	noErr(t, err)
	if !reflect.DeepEqual(deleted, []string{names[1], names[0]}) {
		t.Errorf("deleted %v", deleted)
	}
	left, err := cache.Backups(dir)
	noErr(t, err)
	if len(left) != 7 || left[0] != names[8] {
		t.Errorf("left %v", left)
	}
	if _, err := os.Stat(half); err == nil {
		t.Error("half a backup is left")
	}
	noErr(t, second(os.Stat(other)))
	if _, err := cache.PruneBackups(dir, 0); err != nil || len(mustBackups(t, dir)) != 1 {
		t.Errorf("the last backup was deleted: %v", err)
	}
	if _, err := cache.PruneBackups(filepath.Join(dir, "none"), 7); err != nil {
		t.Errorf("a folder that is not there yet: %v", err)
	}
}

func mustBackups(t *testing.T, dir string) []string {
	t.Helper()
	backups, err := cache.Backups(dir)
	noErr(t, err)
	return backups
}

func TestRestoringKeepsWhatItReplaces(t *testing.T) {
	path := newPath(t)
	b := openBolt(t, path)
	put(t, b, numbered(1))
	putAlias(t, b, aliasOf("sale"))
	addStats(t, b, total("v", visits(1)))
	backup := filepath.Join(t.TempDir(), "backup.db")
	_, err := b.Backup(t.Context(), backup, nil)
	noErr(t, err)
	noErr(t, b.DeleteLink(t.Context(), numbered(1).Key))
	noErr(t, b.DeleteAlias(t.Context(), "sale", aliasOf("sale").ETag()))
	noErr(t, b.DeleteStats(t.Context(), "v"))
	put(t, b, numbered(2))
	noErr(t, b.Close())

	kept, err := cache.Restore(t.Context(), backup, path, options())
	noErr(t, err)
	s := open(t, path, options())
	wantLink(t, s, numbered(1))
	wantNoLink(t, s, numbered(2).Key)
	wantAlias(t, s, aliasOf("sale"))
	wantStats(t, s, "v", broker.Total, total("v", visits(1)))
	if restored, err := s.Restored(); !restored || err != nil {
		t.Errorf("restored %v, %v", restored, err)
	}
	old := openBolt(t, kept)
	wantLink(t, old, numbered(2))
}

func TestRestoringTwiceWithinASecondKeepsBoth(t *testing.T) {
	path := newPath(t)
	b := openBolt(t, path)
	put(t, b, numbered(1))
	backup := filepath.Join(t.TempDir(), "backup.db")
	_, err := b.Backup(t.Context(), backup, nil)
	noErr(t, err)
	put(t, b, numbered(2))
	noErr(t, b.Close())

	first, err := cache.Restore(t.Context(), backup, path, options())
	noErr(t, err)
	again, err := cache.Restore(t.Context(), backup, path, options())
	noErr(t, err)
	if first == again {
		t.Fatalf("both are kept as %s", first)
	}
	wantLink(t, openBolt(t, first), numbered(2))
	wantNoLink(t, openBolt(t, again), numbered(2).Key)
}

func TestRestoringToAnEmptyPlaceKeepsNothing(t *testing.T) {
	b := openBolt(t, newPath(t))
	put(t, b, numbered(1))
	backup := filepath.Join(t.TempDir(), "backup.db")
	_, err := b.Backup(t.Context(), backup, nil)
	noErr(t, err)
	path := filepath.Join(t.TempDir(), "new", "links.db")
	kept, err := cache.Restore(t.Context(), backup, path, options())
	noErr(t, err)
	if kept != "" {
		t.Errorf("kept %q", kept)
	}
	wantLink(t, open(t, path, options()), numbered(1))
}

func TestRestoringOverADamagedFileWorks(t *testing.T) {
	b := openBolt(t, newPath(t))
	put(t, b, numbered(1))
	backup := filepath.Join(t.TempDir(), "backup.db")
	_, err := b.Backup(t.Context(), backup, nil)
	noErr(t, err)
	path := newPath(t)
	ruin(t, path)
	kept, err := cache.Restore(t.Context(), backup, path, options())
	noErr(t, err)
	noErr(t, second(os.Stat(kept)))
	wantLink(t, open(t, path, options()), numbered(1))
}

func TestABadBackupIsNotRestored(t *testing.T) {
	path := newPath(t)
	b := openBolt(t, path)
	put(t, b, numbered(1))
	noErr(t, b.Close())
	backup := filepath.Join(t.TempDir(), "backup.db")
	ruin(t, backup)
	if _, err := cache.Restore(t.Context(), backup, path, options()); !errors.Is(err, cache.ErrDamaged) {
		t.Errorf("error %v", err)
	}
	wantLink(t, openBolt(t, path), numbered(1))
}

func TestCompactingGivesSpaceBack(t *testing.T) {
	path := newPath(t)
	b := openBolt(t, path)
	links := numberedUpTo(5000)
	put(t, b, links...)
	n, err := b.PurgeLinks(t.Context(), links[4500].ExpiresAt, 10_000)
	noErr(t, err)
	putAlias(t, b, aliasOf("sale"))
	addStats(t, b, daily("v", 0, visits(1)))
	noErr(t, b.Close())
	done, err := cache.Compact(t.Context(), path)
	noErr(t, err)
	if n != 4500 || done.Links != 500 || done.Aliases != 1 || done.After*4 > done.Before {
		t.Errorf("%d purged, compacted %+v", n, done)
	}
	report, err := cache.Check(t.Context(), path)
	if err != nil || !report.Clean() {
		t.Errorf("%+v, %v", report, err)
	}
	s := open(t, path, options())
	for _, link := range links[4500:] {
		wantLink(t, s, link)
	}
	wantAlias(t, s, aliasOf("sale"))
	wantStats(t, s, "v", broker.Daily, daily("v", 0, visits(1)))
	if restored, err := s.Restored(); restored || err != nil {
		t.Errorf("restored %v, %v", restored, err)
	}
	put(t, s, links[:100]...)
}

var _ broker.Store = (*cache.Store)(nil)
