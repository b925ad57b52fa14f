package cache_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"linkbroker/broker"
	"linkbroker/cache"
)

// ruin makes a file that no probe lets pass.
func ruin(t *testing.T, path string) []byte {
	t.Helper()
	ruined := bytes.Repeat([]byte("ruined"), 10_000)
	noErr(t, os.WriteFile(path, ruined, 0o600))
	return ruined
}

// backedUp gives a folder with three backups: of one, two and three links.
func backedUp(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "backups")
	b := openBolt(t, newPath(t))
	for n := range 3 {
		put(t, b, numbered(n))
		_, err := b.Backup(t.Context(), filepath.Join(dir, cache.BackupName(noon.AddDate(0, 0, n))), nil)
		noErr(t, err)
	}
	return dir
}

func TestADamagedFileIsReplacedByTheNewestGoodBackup(t *testing.T) {
	for name, c := range map[string]struct {
		ruined, found int // of three backups, from the newest; links then found
	}{
		"the newest is good":           {0, 3},
		"the newest is bad":            {1, 2},
		"all are bad: it begins empty": {3, 0},
	} {
		t.Run(name, func(t *testing.T) {
			opts := options()
			opts.Probe, opts.BackupDir = childProbe(t), backedUp(t)
			var log bytes.Buffer
			opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
			backups, err := cache.Backups(opts.BackupDir)
			noErr(t, err)
			for _, backup := range backups[:c.ruined] {
				ruin(t, backup)
			}
			path := newPath(t)
			ruined := ruin(t, path)

			s := open(t, path, opts)
			page, err := s.ListLinks(t.Context(), broker.Key{}, 10)
			noErr(t, err)
			if len(page) != c.found {
				t.Errorf("%d links, want %d", len(page), c.found)
			}
			r := s.Recovery()
			if r == nil || !errors.Is(r.Cause, cache.ErrDamaged) || (r.Backup == "") != (c.found == 0) {
				t.Fatalf("recovery %+v", r)
			}
			if kept, err := os.ReadFile(r.Quarantined); err != nil || !bytes.Equal(kept, ruined) {
				t.Errorf("the damaged file is not kept: %v", err)
			}
			if !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), r.Quarantined) {
				t.Errorf("nobody was told: %s", log.String())
			}
		})
	}
}

func TestARestoreIsRememberedUntilItIsConfirmed(t *testing.T) {
	opts := options()
	opts.BackupDir = backedUp(t)
	for name, dir := range map[string]string{"from a backup": opts.BackupDir, "begun empty": ""} {
		t.Run(name, func(t *testing.T) {
			opts.BackupDir = dir
			path := newPath(t)
			ruin(t, path)
			for range 2 { // a crash before it is confirmed
				s := open(t, path, opts)
				if restored, err := s.Restored(); !restored || err != nil {
					t.Errorf("restored %v, %v", restored, err)
				}
				noErr(t, s.Close())
			}
			s := open(t, path, opts)
			noErr(t, s.ConfirmRestored(t.Context()))
			noErr(t, s.Close())
			s = open(t, path, opts)
			if restored, err := s.Restored(); restored || err != nil {
				t.Errorf("confirmed, and yet restored %v, %v", restored, err)
			}
		})
	}
}

func TestWhatIsNoDamageIsNotQuarantined(t *testing.T) {
	away := errors.New("the child could not be started")
	sound := func(t *testing.T) string {
		path := newPath(t)
		b := openBolt(t, path)
		put(t, b, numbered(1))
		noErr(t, b.Close())
		return path
	}
	for name, c := range map[string]struct {
		path  func(t *testing.T) string
		probe cache.Probe
		want  error
	}{
		"a probe that cannot look": {sound, func(context.Context, cache.Depth, string) error { return away }, away},
		"a folder in its place":    {func(t *testing.T) string { return t.TempDir() }, childProbe(t), nil},
		"a start that is called off": {sound, func(context.Context, cache.Depth, string) error {
			return context.Canceled
		}, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			opts := options()
			opts.Probe = c.probe
			path := c.path(t)
			_, err := cache.Open(t.Context(), "bolt://"+path, opts)
			if err == nil || c.want != nil && !errors.Is(err, c.want) || errors.Is(err, cache.ErrDamaged) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			if others, err := filepath.Glob(path + ".*"); err != nil || len(others) > 0 {
				t.Errorf("it was touched: %v, %v", others, err)
			}
		})
	}
}

// TestTheFullCheckDecides over what the quick one takes for damage.
func TestTheFullCheckDecides(t *testing.T) {
	path := newPath(t)
	b := openBolt(t, path)
	put(t, b, numbered(1))
	noErr(t, b.Close())
	opts := options()
	for _, quick := range []error{cache.ErrDamaged, context.DeadlineExceeded} {
		opts.Probe = func(ctx context.Context, depth cache.Depth, path string) error {
			if depth == cache.Quick {
				return quick
			}
			return cache.Inspect(ctx, depth, path)
		}
		s := open(t, path, opts)
		wantLink(t, s, numbered(1))
		if s.Recovery() != nil {
			t.Errorf("%v: recovery %+v", quick, s.Recovery())
		}
		noErr(t, s.Close())
	}
}

func TestWhatACrashLeftIsSweptAway(t *testing.T) {
	path := newPath(t)
	half := path + ".1234.tmp"
	noErr(t, os.WriteFile(half, []byte("half a file"), 0o600))
	open(t, path, options())
	if _, err := os.Stat(half); err == nil {
		t.Error("it is still there")
	}
}
