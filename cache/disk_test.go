package cache_test

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"linkbroker/broker"
	"linkbroker/cache"
)

// TestAFullDiskStopsWritesAlone fills a small disk of its own. It needs root, and on a build machine it must have it.
func TestAFullDiskStopsWritesAlone(t *testing.T) {
	disk := smallDisk(t)
	path := filepath.Join(disk, "links.db")
	s := open(t, path, options())
	stored := put(t, s, numberedUpTo(500)...)

	ballast := filepath.Join(disk, "ballast")
	fill(t, ballast)
	stored = putUntilItFails(t, s, stored)
	servesReads(t, s, stored)

	noErr(t, os.Remove(ballast))
	servesWrites(t, s, path)
}

// TestADiskThatTakesNoWritesStopsThemAlone stands for a disk that was mounted read-only after an error.
func TestADiskThatTakesNoWritesStopsThemAlone(t *testing.T) {
	if !alone(t) {
		return
	}
	path := newPath(t)
	s := open(t, path, options())
	stored := put(t, s, numberedUpTo(500)...)

	refuse, accept := fileSizeLimit(t)
	refuse()
	stored = putUntilItFails(t, s, stored)
	wantErr(t, second(s.PurgeLinks(t.Context(), numbered(10).ExpiresAt, 10)), broker.StoreFailed)
	wantErr(t, s.DeleteLink(t.Context(), stored[0].Key), broker.StoreFailed)
	_, _, err := s.ReserveQuota(t.Context(), "wx1", "2026-03-01", 1, 10)
	wantErr(t, err, broker.StoreFailed)
	servesReads(t, s, stored)

	accept()
	servesWrites(t, s, path)
}

// putUntilItFails gives what is stored then.
func putUntilItFails(t *testing.T, s broker.Store, stored []broker.Link) []broker.Link {
	t.Helper()
	for n := 1000; n < 6000; n++ {
		link := numbered(n)
		if err := s.PutLink(t.Context(), link); err != nil {
			wantErr(t, err, broker.StoreFailed)
			wantNoLink(t, s, link.Key)
			return stored
		}
		stored = append(stored, link)
	}
	t.Fatal("the disk never failed")
	return nil
}

func servesReads(t *testing.T, s broker.Store, stored []broker.Link) {
	t.Helper()
	for _, link := range stored {
		wantLink(t, s, link)
	}
	page, err := s.ListLinks(t.Context(), broker.Key{}, len(stored)+1)
	noErr(t, err)
	if len(page) != len(stored) {
		t.Errorf("%d links are listed, want %d", len(page), len(stored))
	}
}

// servesWrites expects the store to go on by itself, and its file to have come through.
func servesWrites(t *testing.T, s *cache.Store, path string) {
	t.Helper()
	link := numbered(9000)
	noErr(t, s.PutLink(t.Context(), link))
	wantLink(t, s, link)
	noErr(t, s.DeleteLink(t.Context(), link.Key))
	noErr(t, second(s.PurgeLinks(t.Context(), numbered(10).ExpiresAt, 10)))
	noErr(t, s.Close())
	if report, err := cache.Check(t.Context(), path); err != nil || !report.Clean() {
		t.Errorf("%+v, %v", report, err)
	}
}

// smallDisk mounts a disk of a few megabytes.
func smallDisk(t *testing.T) string {
	t.Helper()
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=3m"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("this test must run here: mounting: %v", err)
		}
		t.Skipf("SKIPPED, NOT PROVEN: a full disk; it takes root to mount one: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return disk
}

func fill(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	noErr(t, err)
	defer file.Close()
	for {
		if _, err := file.Write(make([]byte, 4096)); err != nil {
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatal(err)
			}
			return
		}
	}
}

// alone runs a test in a process of its own, and reports whether this is that process: what it does to its limits
// would befall all that go on beside it, the files of go test among them.
func alone(t *testing.T) bool {
	t.Helper()
	const mark = "LINKBROKER_TEST_ALONE"
	if os.Getenv(mark) == t.Name() {
		return true
	}
	self, err := os.Executable()
	noErr(t, err)
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), mark+"="+t.Name())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// fileSizeLimit gives two functions: after the first every write to a file fails, after the second none does.
func fileSizeLimit(t *testing.T) (refuse, accept func()) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	var free syscall.Rlimit
	noErr(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &free))
	accept = func() { noErr(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &free)) }
	t.Cleanup(func() {
		accept()
		signal.Reset(syscall.SIGXFSZ)
	})
	none := syscall.Rlimit{Cur: 0, Max: free.Max}
	return func() { noErr(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &none)) }, accept
}
