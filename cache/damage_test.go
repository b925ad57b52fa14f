package cache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

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

// aliased is how many aliases a sound file has.
const aliased = 50

func soundFile(t *testing.T) ([]broker.Link, []byte) {
	t.Helper()
	path := newPath(t)
	b := openBolt(t, path)
	links := put(t, b, numberedUpTo(3000)...)
	for range 5 { // leave free pages behind
		put(t, b, links[:500]...)
	}
	for n := range aliased {
		putAlias(t, b, aliasOf(fmt.Sprint("a-", n)))
	}
	ninetyDays(t, b, 1)
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
	serveDamagedAliases(t, s)
	t.Logf("%d of %d links found, %d damaged, recovery %+v", found, len(links), s.Damaged(), s.Recovery())
	noErr(t, s.Close())
}

func serveDamagedAliases(t *testing.T, s broker.Store) {
	t.Helper()
	ctx := context.Background()
	for n := range aliased {
		want := aliasOf(fmt.Sprint("a-", n))
		got, err := s.Alias(ctx, want.Slug)
		if !errors.Is(err, broker.NotFound) && (err != nil || !reflect.DeepEqual(got, want)) {
			t.Fatalf("got %+v, %v\nwant %+v or not found", got, err, want)
		}
		_ = s.PutAlias(ctx, want, want.ETag()) // may fail, must not kill
		_ = s.DeleteAlias(ctx, want.Slug, want.ETag())
	}
	const series = "visits/alias-000"
	for grain, most := range map[broker.Grain]int{broker.Hourly: 2160, broker.Daily: 90, broker.Total: 1} {
		if stats, err := s.Stats(ctx, series, grain, midnight, date(2100)); err == nil && len(stats) > most {
			t.Fatalf("%d of %d stretches of the %s", len(stats), most, grain)
		}
	}
	_ = s.AddStats(ctx, []broker.Stat{hourly(series, 9, visits(1)), daily(series, 9, visits(1))})
	_, _ = s.PurgeStats(ctx, midnight.AddDate(0, 0, 9), 100)
	_ = s.DeleteStats(ctx, series)
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

// TestAPageOfThePastEndsEveryWalk: a disk that loses a write leaves the page as it was before, when it may have held
// keys from elsewhere. A walk that went on from there would come by again and again.
func TestAPageOfThePastEndsEveryWalk(t *testing.T) {
	links, file := soundFile(t)
	repeatPage(t, file, links[0].Key, links[len(links)-1].Key)
	path := newPath(t)
	noErr(t, os.WriteFile(path, file, 0o600))
	b := openBolt(t, path)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for doing, err := range map[string]error{
		"list":   second(b.ListLinks(ctx, broker.Key{}, math.MaxInt)),
		"backup": second(b.Backup(ctx, newPath(t), nil)),
	} {
		if err == nil || ctx.Err() != nil {
			t.Errorf("%s: error %v, context %v", doing, err, ctx.Err())
		}
	}
}

// repeatPage overwrites the page on which one record lies with that of another, and leaves it its number.
func repeatPage(t *testing.T, file []byte, from, to broker.Key) {
	t.Helper()
	source, target := leafOf(t, file, from), leafOf(t, file, to)
	copy(target[8:], source[8:])
}

// leafOf gives the page whose record a key's is: its flags say leaf, and the key stands before a record's version.
func leafOf(t *testing.T, file []byte, key broker.Key) []byte {
	t.Helper()
	const leaf = 2
	for at := 0; at+4096 <= len(file); at += 4096 {
		page := file[at : at+4096]
		if page[8] == leaf && bytes.Contains(page, append(key[:], 1)) {
			return page
		}
	}
	t.Fatalf("no page holds %s", key)
	return nil
}
