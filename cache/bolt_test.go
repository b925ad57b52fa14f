package cache_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	bolt "go.etcd.io/bbolt"

	"linkbroker/broker"
	"linkbroker/cache"
)

func TestWhatIsStoredIsFoundAfterReopening(t *testing.T) {
	path := newPath(t)
	b := openBolt(t, path)
	links := put(t, b, numberedUpTo(300)...)
	noErr(t, b.PinLink(t.Context(), links[0].Key, true))
	links[0].Pinned = true
	_, _, err := b.ReserveQuota(t.Context(), "wx1", "2026-03-01", 7, 100)
	noErr(t, err)
	noErr(t, b.PutBlob(t.Context(), "name", []byte("value")))
	putAlias(t, b, aliasOf("sale"))
	addStats(t, b, hourly("v", 0, visits(1)), daily("v", 0, visits(2)), total("v", visits(3)))
	noErr(t, b.Close())

	b = openBolt(t, path)
	wantAlias(t, b, aliasOf("sale"))
	wantStats(t, b, "v", broker.Hourly, hourly("v", 0, visits(1)))
	wantStats(t, b, "v", broker.Daily, daily("v", 0, visits(2)))
	wantStats(t, b, "v", broker.Total, total("v", visits(3)))
	for _, link := range links {
		wantLink(t, b, link)
	}
	if n, err := b.ReservedQuota(t.Context(), "wx1", "2026-03-01"); n != 7 || err != nil {
		t.Errorf("%d units, %v", n, err)
	}
	if value, err := b.Blob(t.Context(), "name"); string(value) != "value" || err != nil {
		t.Errorf("value %q, %v", value, err)
	}
}

func TestAFileInUseIsRefusedAndNotTouched(t *testing.T) {
	path := newPath(t)
	b := openBolt(t, path)
	put(t, b, numbered(1))
	for name, open := range map[string]func() error{
		"open":    func() error { return second(cache.Open(t.Context(), "bolt://"+path, options())) },
		"check":   func() error { return second(cache.Check(t.Context(), path)) },
		"compact": func() error { return second(cache.Compact(t.Context(), path)) },
		"restore": func() error {
			backup := filepath.Join(t.TempDir(), "backup.db")
			_, err := b.Backup(t.Context(), backup, nil)
			noErr(t, err)
			return second(cache.Restore(t.Context(), backup, path, options()))
		},
	} {
		if err := open(); !errors.Is(err, cache.ErrInUse) {
			t.Errorf("%s: error %v, want in use", name, err)
		}
	}
	wantLink(t, b, numbered(1))
	if files, err := os.ReadDir(filepath.Dir(path)); err != nil || len(files) != 1 {
		t.Errorf("files %v, %v", files, err)
	}
}

// TestAFileReplacedWhileItIsWaitedForIsNotServed: compact and restore hold the lock of the old file until the new
// one is in its place, and whoever waited for that lock then has a file without a name.
func TestAFileReplacedWhileItIsWaitedForIsNotServed(t *testing.T) {
	path, other := newPath(t), newPath(t)
	b, o := openBolt(t, path), openBolt(t, other)
	put(t, b, numbered(1))
	put(t, o, numbered(2))
	noErr(t, o.Close())

	opened := make(chan *cache.Bolt)
	go func() {
		waiting, err := cache.OpenBolt(path)
		mustDo(t, err)
		opened <- waiting
	}()
	for descriptors(t, path) < 2 {
		runtime.Gosched() // until the other waits for the lock
	}
	noErr(t, os.Rename(other, path))
	noErr(t, b.Close())
	waiting := <-opened
	defer waiting.Close() //nolint:errcheck // only read
	wantLink(t, waiting, numbered(2))
	wantNoLink(t, waiting, numbered(1).Key)
}

// descriptors counts how often this process has a file open.
func descriptors(t *testing.T, path string) (n int) {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	noErr(t, err)
	for _, fd := range all {
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && to == path {
			n++
		}
	}
	return n
}

func TestTheFileIsItsOwnersAlone(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "new", "data")
	s := open(t, filepath.Join(folder, "links.db"), options())
	_, err := s.Backup(t.Context(), filepath.Join(folder, "backups", "b.db"), nil)
	noErr(t, err)
	for name, want := range map[string]os.FileMode{
		"": 0o700, "links.db": 0o600, "backups": 0o700, "backups/b.db": 0o600,
	} {
		info, err := os.Stat(filepath.Join(folder, name))
		noErr(t, err)
		if info.Mode().Perm() != want {
			t.Errorf("%q has mode %o, want %o", name, info.Mode().Perm(), want)
		}
	}
}

func TestTheMapDoesNotGrowTheFile(t *testing.T) {
	path := newPath(t)
	put(t, openBolt(t, path), numbered(1))
	info, err := os.Stat(path)
	noErr(t, err)
	stat, ok := info.Sys().(*syscall.Stat_t)
	if used := stat.Blocks * 512; !ok || used > 1<<20 {
		t.Errorf("one link takes %d bytes of the disk", used)
	}
}

func TestAFileOfALaterVersionIsRefusedAndKept(t *testing.T) {
	path := newPath(t)
	b := openBolt(t, path)
	noErr(t, b.Change(t.Context(), func(tx *bolt.Tx) (bool, error) {
		return true, tx.Bucket([]byte("meta")).Put([]byte("schema"), []byte("2"))
	}))
	noErr(t, b.Close())
	_, err := cache.Open(t.Context(), "bolt://"+path, options())
	if !errors.Is(err, cache.ErrNewer) {
		t.Errorf("error %v, want newer", err)
	}
	if files, err := os.ReadDir(filepath.Dir(path)); err != nil || len(files) != 1 {
		t.Errorf("files %v, %v", files, err)
	}
}

func TestAClosedStoreFails(t *testing.T) {
	b := openBolt(t, newPath(t))
	noErr(t, b.Close())
	noErr(t, b.Close())
	ctx := t.Context()
	for _, err := range []error{
		b.PutLink(ctx, numbered(1)),
		second(b.Link(ctx, numbered(1).Key)),
		second(b.ListLinks(ctx, broker.Key{}, 1)),
		second(b.ReservedQuota(ctx, "wx1", "2026-03-01")),
		second(b.Blob(ctx, "name")),
		b.PutAlias(ctx, aliasOf("sale"), ""),
		b.DeleteAlias(ctx, "sale", ""),
		second(b.Alias(ctx, "sale")),
		second(b.ListAliases(ctx, "", 1)),
		b.AddStats(ctx, []broker.Stat{total("v", visits(1))}),
		b.DeleteStats(ctx, "v"),
		second(b.Stats(ctx, "v", broker.Total, noon, noon)),
		second(b.PurgeStats(ctx, noon, 1)),
	} {
		wantErr(t, err, broker.StoreFailed)
	}
	if b.Size() != 0 {
		t.Error("a closed store has a size")
	}
}

func TestAnEndedContextIsRespected(t *testing.T) {
	b := openBolt(t, newPath(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range []error{
		b.PutLink(ctx, numbered(1)),
		second(b.Link(ctx, numbered(1).Key)),
		second(b.ListLinks(ctx, broker.Key{}, 1)),
		b.PutAlias(ctx, aliasOf("sale"), ""),
		second(b.Alias(ctx, "sale")),
		second(b.ListAliases(ctx, "", 1)),
		b.AddStats(ctx, []broker.Stat{total("v", visits(1))}),
		b.DeleteStats(ctx, "v"),
		second(b.Stats(ctx, "v", broker.Total, noon, noon)),
		second(b.PurgeStats(ctx, noon, 1)),
	} {
		wantErr(t, err, broker.StoreFailed)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v hides that its context ended", err)
		}
	}
	wantNoLink(t, b, numbered(1).Key)
	wantErr(t, second(b.Alias(t.Context(), "sale")), broker.NotFound)
	wantStats(t, b, "v", broker.Total)
}
