package cli_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// stored makes a folder with the store of a broker that generated one link and stopped.
func stored(t *testing.T, w *weChat) (dir string, link answer) {
	t.Helper()
	dir = configured(t, w.configuration())
	p := serve(t, dir, secrets)
	link = decoded(t, p.postLink(`{"path":"p"}`))
	p.terminate()
	return dir, link
}

// expect runs a command without any secret at hand, and compares its exit code and what it prints.
func expect(t *testing.T, dir string, code int, want string, args ...string) {
	t.Helper()
	stdout, stderr, got := run(t, dir, nil, args...)
	if got != code || !regexp.MustCompile(want).MatchString(stdout+stderr) {
		t.Errorf("%s: exit code %d and\n%s%s\nwant %d and %s", strings.Join(args, " "), got, stdout, stderr, code, want)
	}
}

func TestStoreCommands(t *testing.T) {
	t.Parallel()
	w := newWeChat(t)
	dir, link := stored(t, w)
	expect(t, dir, 0, `(?m)^links +1$`, "check")
	expect(t, dir, 0, `"links": 1,\n  "aliases": 0,\n  "damaged": 0,`, "check", "-o", "json")
	expect(t, dir, 0, `^1 links copied into data/backups/links-\d+T\d+Z.db\n$`, "backup")
	expect(t, dir, 0, `^1 links copied into copy.db\n$`, "backup", "copy.db")
	expect(t, dir, 1, `copy.db exists already`, "backup", "copy.db")
	expect(t, dir, 0, `^1 links: \d+.\d KiB before, \d+.\d KiB now\n$`, "compact")
	expect(t, dir, 1, `there is no store: stat other.db: no such file`, "check", "--store=bolt://other.db")
	expect(t, dir, 1, `the store is memory://, which has no file`, "check", "--store=memory://")
	expect(t, dir, 1, "linkbroker migrate", "backup", "--store=redis://127.0.0.1:7000")
	expect(t, dir, 78, `--store: store: must be bolt://`, "check", "--store=other.db")
	expect(t, dir, 1, `nothing.db: no such file`, "restore", "nothing.db")
	expect(t, dir, 0, `data/links.db is restored from copy.db\nwhat was there is kept as data/links.db.replaced-`, "restore", "copy.db")
	expect(t, dir, 0, `^new.db is restored from copy.db\n$`, "restore", "copy.db", "--store=bolt://new.db")

	p := serve(t, dir, secrets)
	if hit := decoded(t, p.postLink(`{"path":"p"}`)); hit.Outcome != "hit" || hit.URL != link.URL {
		t.Errorf("after restore the answer is %+v, want a hit with %s", hit, link.URL)
	}
	if quota := call(t, http.MethodGet, p.admin+"/api/v1/quota", "", bearer(opsKey)); !strings.Contains(quota.body, `"used":250000`) {
		t.Errorf("after restore half of today's quota is to count as spent: %s", quota.body)
	}
	expect(t, dir, 1, "the store is in use by another linkbroker process.*`linkbroker jobs run backup` copies it", "backup")
	expect(t, dir, 1, "the store is in use by another linkbroker process", "compact")
	expect(t, dir, 1, "the store is in use by another linkbroker process", "check")
	expect(t, dir, 1, "the store is in use by another linkbroker process", "restore", "copy.db")
}

// TestDamagedStoreIsReplaced damages a store while nobody looks. It is neither served nor a reason not to start.
func TestDamagedStoreIsReplaced(t *testing.T) {
	t.Parallel()
	w := newWeChat(t)
	dir, link := stored(t, w)
	expect(t, dir, 0, `1 links copied into data/backups/links-`, "backup")
	store := filepath.Join(dir, "data/links.db")
	contents, err := os.ReadFile(store)
	if err != nil {
		t.Fatal(err)
	}
	clear(contents[:len(contents)/2])
	if err := os.WriteFile(store, contents, 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, dir, 1, `the file is damaged`, "check")
	expect(t, dir, 1, `the file is damaged`, "backup")

	p := serve(t, dir, secrets)
	if hit := decoded(t, p.postLink(`{"path":"p"}`)); hit.Outcome != "hit" || hit.URL != link.URL {
		t.Errorf("the answer is %+v, want a hit with %s from the backup", hit, link.URL)
	}
	log := p.stderr.String()
	for _, want := range []string{"store was damaged and has been replaced", "today's quota counts as spent"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not say %q:\n%s", want, log)
		}
	}
	p.terminate()
	next := serve(t, dir, secrets)
	if log := next.stderr.String(); strings.Contains(log, "today's quota counts as spent") {
		t.Errorf("the restore is settled once, but the next start says:\n%s", log)
	}
}
