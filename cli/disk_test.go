package cli_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// smallDisk makes a folder on a disk of its own, so that it can be filled or made read-only. That takes root; where
// continuous integration runs, a missing disk is a failure and not a reason to skip.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("no small disk could be made: %v", err)
		}
		t.Skipf("SKIPPED: this test needs root to make a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// onDisk runs the program with its store on a disk of its own.
func onDisk(t *testing.T, w *weChat) (p *program, disk string) {
	t.Helper()
	disk = smallDisk(t)
	p = serve(t, configured(t, w.configuration()+"\nstore: bolt://"+disk+"/links.db\n"), secrets)
	t.Cleanup(p.kill) // before the disk goes
	return p, disk
}

// TestAFullDisk goes through a full disk: hits go on, a call that was spent is delivered, and when there is room
// again all is stored without anybody doing anything.
func TestAFullDisk(t *testing.T) {
	t.Parallel()
	w := newWeChat(t)
	p, disk := onDisk(t, w)
	ask := func(n int) reply { return p.postLink(fmt.Sprintf(`{"path":"p","query":"n=%d"}`, n)) }
	first := decoded(t, ask(0))
	fill(t, disk)

	last := askUntilUnstored(t, ask)
	t.Logf("after %d links none could be stored", last)
	if hit := decoded(t, ask(0)); hit.Outcome != "hit" || hit.URL != first.URL {
		t.Errorf("a stored link is a %s of %s", hit.Outcome, hit.URL)
	}
	if hit := decoded(t, ask(last)); hit.Outcome != "hit" {
		t.Errorf("the link that could not be stored is a %s when it is asked for again", hit.Outcome)
	}
	if ready := call(t, http.MethodGet, p.public+"/readyz", ""); ready.status != http.StatusOK {
		t.Errorf("it is taken out of service though hits go on: %d %s", ready.status, ready.body)
	}

	if err := os.Remove(filepath.Join(disk, "filler")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all links are stored", func() bool { return storedLinks(t, p) == last+1 })
	made := w.Stats().Generated
	for n := range last + 1 {
		if got := decoded(t, ask(n)); got.Outcome != "hit" {
			t.Errorf("link %d is a %s", n, got.Outcome)
		}
	}
	if made != last+1 || w.Stats().Generated != made {
		t.Errorf("%d links were made for %d targets, and %d in the end", made, last+1, w.Stats().Generated)
	}
}

// askUntilUnstored asks for new links until one cannot be stored, and gives its number: some fit into pages that the
// file has already.
func askUntilUnstored(t *testing.T, ask func(int) reply) (last int) {
	t.Helper()
	for n := 1; n < 1000; n++ {
		got := ask(n)
		decoded(t, got)
		if got.header.Get("Linkbroker-Stored") == "false" {
			return n
		}
	}
	t.Fatal("a full disk takes a thousand links")
	return 0
}

// storedLinks counts what the store holds.
func storedLinks(t *testing.T, p *program) int {
	t.Helper()
	return len(decodedItems(t, call(t, http.MethodGet, p.admin+"/api/v1/links?limit=500", "", bearer(opsKey)).body))
}

// fill leaves no room on a disk.
func fill(t *testing.T, disk string) {
	t.Helper()
	f, err := os.Create(filepath.Join(disk, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4096); ; {
		if _, err := f.Write(block); err != nil {
			return
		}
	}
}
