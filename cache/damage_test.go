package cache_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"linkbroker/broker"
	"linkbroker/cache"
)

// TestADamagedFileIsNeitherServedNorFatal damages a file in many ways and places. Whatever comes of it, the store
// opens, and answers every link rightly or not at all.
func TestADamagedFileIsNeitherServedNorFatal(t *testing.T) {
	links, sound := soundFile(t)
	ways := map[string]func(r *rand.Rand, file []byte) []byte{
		"cut": func(r *rand.Rand, file []byte) []byte { return file[:r.IntN(len(file))] },
		"page of zeros": func(r *rand.Rand, file []byte) []byte {
			clear(file[page(r, file):][:4096])
			return file
		},
		"page of another place": func(r *rand.Rand, file []byte) []byte {
			copy(file[page(r, file):][:4096], file[page(r, file):][:4096])
			return file
		},
		"sector of noise": func(r *rand.Rand, file []byte) []byte {
			at := r.IntN(len(file)/512) * 512
			for i := range 512 {
				file[at+i] = byte(r.Uint32())
			}
			return file
		},
		"flipped bits": func(r *rand.Rand, file []byte) []byte {
			for range 1 + r.IntN(40) {
				file[r.IntN(len(file))] ^= 1 << r.IntN(8)
			}
			return file
		},
	}
	for way, damage := range ways {
		for seed := range uint64(6) {
			t.Run(fmt.Sprint(way, " ", seed), func(t *testing.T) {
				r := rand.New(rand.NewPCG(seed, 0))
				path := newPath(t)
				noErr(t, os.WriteFile(path, damage(r, append([]byte(nil), sound...)), 0o600))
				serveDamaged(t, path, links)
			})
		}
	}
}

func soundFile(t *testing.T) ([]broker.Link, []byte) {
	t.Helper()
	path := newPath(t)
	b := openBolt(t, path)
	links := put(t, b, numberedUpTo(3000)...)
	for range 5 { // leave free pages behind
		put(t, b, links[:500]...)
	}
	backup := filepath.Join(t.TempDir(), "backup.db") // not padded with zeros, so that every hit is a hit
	_, err := b.Backup(t.Context(), backup, nil)
	noErr(t, err)
	noErr(t, b.Close())
	file, err := os.ReadFile(backup)
	noErr(t, err)
	return links, file
}

func page(r *rand.Rand, file []byte) int { return r.IntN(len(file)/4096) * 4096 }

func serveDamaged(t *testing.T, path string, links []broker.Link) {
	t.Helper()
	opts := options()
	opts.Probe = childProbe(t)
	s, err := cache.Open(t.Context(), "bolt://"+path, opts)
	noErr(t, err)
	ctx := context.Background()
	found := 0
	for _, want := range links {
		switch got, err := s.Link(ctx, want.Key); {
		case err == nil && reflect.DeepEqual(got, want):
			found++
		case !errors.Is(err, broker.NotFound):
			t.Fatalf("got %+v, %v\nwant %+v or not found", got, err, want)
		}
	}
	for link, err := range s.ExpiringLinks(ctx, noon, noon.AddDate(1, 0, 0)) {
		if err == nil && link.Target.Key() != link.Key {
			t.Fatalf("a wrong link: %+v", link)
		}
	}
	for _, link := range links[:10] {
		_ = s.PutLink(ctx, link) // may fail, must not kill
		_ = s.DeleteLink(ctx, link.Key)
	}
	_, _ = s.PurgeLinks(ctx, links[100].ExpiresAt, 100)
	t.Logf("%d of %d links found, %d damaged, recovery %+v", found, len(links), s.Damaged(), s.Recovery())
	noErr(t, s.Close())
}

func TestABackupThatCannotBeReadIsPassedOver(t *testing.T) {
	path, backups := newPath(t), t.TempDir()
	noErr(t, os.WriteFile(path, make([]byte, 1<<16), 0o600))
	noErr(t, os.Mkdir(filepath.Join(backups, "links-20990101T000000Z.db"), 0o700))
	opts := options()
	opts.BackupDir = backups
	s, err := cache.Open(t.Context(), "bolt://"+path, opts)
	noErr(t, err)
	if s.Recovery() == nil || s.Recovery().Backup != "" {
		t.Errorf("recovery %+v, want one that begins empty", s.Recovery())
	}
	noErr(t, s.Close())
}
