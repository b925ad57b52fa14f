package cache_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"linkbroker/broker"
	"linkbroker/cache"
)

// movables are all stores that can be moved, and opened anew in a test.
var movables = map[string]func(t *testing.T) movableStore{
	"memory": func(*testing.T) movableStore { return cache.NewMovableMemory() },
	"bolt":   func(t *testing.T) movableStore { return openBolt(t, newPath(t)) },
	"redis": func(t *testing.T) movableStore {
		return cache.RedisRecords(openRedis(t, ownURL(t, sharedRedis(t))))
	},
}

type movableStore interface {
	broker.Store
	cache.Movable
}

// furnish puts something of everything into a store, and gives the links that have not ended.
func furnish(t *testing.T, s broker.Store) []broker.Link {
	t.Helper()
	links := append(slices.Collect(maps.Values(recordedLinks())), numberedUpTo(50)...)
	links = slices.CompactFunc(slices.SortedFunc(slices.Values(links), func(a, b broker.Link) int {
		return slices.Compare(a.Key[:], b.Key[:])
	}), func(a, b broker.Link) bool { return a.Key == b.Key })
	put(t, s, links...)
	for n := range 9 {
		ended := numbered(1000 + n)
		ended.GeneratedAt, ended.ExpiresAt = noon.AddDate(0, -1, 0), noon.Add(-time.Second)
		put(t, s, ended)
	}
	noErr(t, s.TouchLinks(t.Context(), []broker.Use{{Key: numbered(3).Key, Count: 7, UsedAt: noon}}))
	noErr(t, s.PinLink(t.Context(), numbered(4).Key, true))
	putAlias(t, s, slices.Collect(maps.Values(nastyAliases()))...)
	for _, name := range []string{"shop", "shop-page"} {
		noErr(t, s.PutClient(t.Context(), broker.Client{
			Name: name, Role: broker.RoleGenerate, CreatedAt: noon, Keys: []broker.ClientKey{{Digest: broker.DigestKey(name)}},
		}, ""))
	}
	for n := range 30 {
		noErr(t, s.AppendAudit(t.Context(), broker.AuditEntry{Actor: fmt.Sprint("ops ", n), At: noon.Add(time.Duration(n) * time.Second)}))
		addStats(t, s, hourly("v", n, visits(2)), daily("v/é", n, visits(3)), total(fmt.Sprint("v", n), visits(4)))
		for _, account := range []string{"wx1", "wx1/short_link"} {
			noErr(t, second2(s.ReserveQuota(t.Context(), account, fmt.Sprintf("2026-03-%02d", n+1), int64(n+1), 1<<40)))
		}
		noErr(t, s.PutBlob(t.Context(), fmt.Sprint("blob ", n), []byte{byte(n), 0, 0xff}))
	}
	noErr(t, s.PutBlob(t.Context(), "empty", nil))
	_, err := s.PurgeAudit(t.Context(), noon.Add(5*time.Second))
	noErr(t, err)
	for i := range links {
		links[i] = must(s.Link(t.Context(), links[i].Key))
	}
	return links
}

// contents are all that a store gives back.
func contents(t *testing.T, s broker.Store) map[string]any {
	t.Helper()
	all := map[string]any{
		"aliases": must(s.ListAliases(t.Context(), "", 1000)),
		"clients": must(s.ListClients(t.Context())),
		"audit":   must(s.ListAudit(t.Context(), 0, 1000)),
		"hours":   must(s.Stats(t.Context(), "v", broker.Hourly, time.Time{}, date(9999))),
		"days":    must(s.Stats(t.Context(), "v/é", broker.Daily, time.Time{}, date(9999))),
		"empty":   must(s.Blob(t.Context(), "empty")),
	}
	for n := range 30 {
		all[fmt.Sprint("blob", n)] = must(s.Blob(t.Context(), fmt.Sprint("blob ", n)))
		all[fmt.Sprint("total", n)] = must(s.Stats(t.Context(), fmt.Sprint("v", n), broker.Total, time.Time{}, date(9999)))
		for _, account := range []string{"wx1", "wx1/short_link"} {
			all[account+fmt.Sprint(n)] = must(s.ReservedQuota(t.Context(), account, fmt.Sprintf("2026-03-%02d", n+1)))
		}
	}
	return all
}

// wantMoved expects all of a furnished store in another one.
func wantMoved(t *testing.T, from, to broker.Store, links []broker.Link) {
	t.Helper()
	found := must(to.ListLinks(t.Context(), broker.Key{}, 1000))
	if !reflect.DeepEqual(found, links) {
		t.Errorf("%d links, want %d, or they differ", len(found), len(links))
	}
	ends := 0
	for _, err := range to.ExpiringLinks(t.Context(), noon.AddDate(-1, 0, 0), noon.AddDate(1, 0, 0)) {
		noErr(t, err)
		ends++
	}
	for _, link := range links {
		if got, err := to.LinkByURL(t.Context(), link.URL); err != nil || got.URL != link.URL {
			t.Errorf("%s is not found by its URL: %v", link.URL, err)
		}
	}
	if ends != len(links) {
		t.Errorf("%d ends, want %d", ends, len(links))
	}
	if got, want := contents(t, to), contents(t, from); !reflect.DeepEqual(got, want) {
		for name := range want {
			if !reflect.DeepEqual(got[name], want[name]) {
				t.Errorf("%s:\ngot  %v\nwant %v", name, got[name], want[name])
			}
		}
	}
	noErr(t, to.AppendAudit(t.Context(), broker.AuditEntry{Actor: "next"}))
	noErr(t, from.AppendAudit(t.Context(), broker.AuditEntry{Actor: "next"}))
	if got, want := must(to.ListAudit(t.Context(), 0, 1))[0].ID, must(from.ListAudit(t.Context(), 0, 1))[0].ID; got != want {
		t.Errorf("the next entry of the audit has the ID %d, want %d", got, want)
	}
}

func move(t *testing.T, from, to cache.Movable) cache.Comparison {
	t.Helper()
	compared, err := cache.NewMigration(from, to, 7, func(cache.Progress) {}).Move(t.Context())
	noErr(t, err)
	return compared
}

func TestAMigrationMovesEverythingThatHasNotEnded(t *testing.T) {
	for source, openSource := range movables {
		for target, openTarget := range movables {
			t.Run(source+" to "+target, func(t *testing.T) {
				from, to := openSource(t), openTarget(t)
				links := furnish(t, from)
				compared := move(t, from, to)
				if !compared.Equal() {
					t.Errorf("the stores differ: %+v", compared)
				}
				if got := compared[0].Source; got.Records != len(links) || got.Ended != 9 {
					t.Errorf("links: %+v, want %d and 9 that ended", got, len(links))
				}
				wantMoved(t, from, to, links)
			})
		}
	}
}

func TestAFileThatWasMovedToIsClean(t *testing.T) {
	path := newPath(t)
	from, to := cache.NewMovableMemory(), openBolt(t, path)
	put(t, from, numberedUpTo(3000)...)
	move(t, from, to)
	noErr(t, to.Close())
	report, err := cache.Check(t.Context(), path)
	if err != nil || !report.Clean() || report.StrayURLs > 0 || report.Links != 3000 {
		t.Errorf("%+v, %v", report, err)
	}
}

// TestAMigrationGoesOnWhereItWas stops one after each of its steps.
func TestAMigrationGoesOnWhereItWas(t *testing.T) {
	for target, open := range movables {
		t.Run(target, func(t *testing.T) {
			from, to := openBolt(t, newPath(t)), open(t)
			links := furnish(t, from)
			moves, done := 0, 0
			for stop := 1; ; stop++ {
				ctx, cancel := context.WithCancel(t.Context())
				step := 0
				compared, err := cache.NewMigration(from, to, 7, func(p cache.Progress) {
					if step++; step == min(stop, 5) && moves < 1000 {
						cancel()
					}
					if p.Doing == "moving" {
						if moves++; p.Done < done {
							t.Errorf("%d are done, then %d", done, p.Done)
						}
						done = p.Done
					} else {
						moves = 1000 // the comparison is not gone on with, but done again
					}
				}).Move(ctx)
				cancel()
				if err == nil {
					if !compared.Equal() {
						t.Errorf("the stores differ: %+v", compared)
					}
					break
				}
				if !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
			}
			wantMoved(t, from, to, links)
		})
	}
}

func TestATargetThatIsNotForItIsRefused(t *testing.T) {
	from := openBolt(t, newPath(t))
	furnish(t, from)
	furnishings := map[string]func(s movableStore) error{
		"a link":      func(s movableStore) error { return s.PutLink(t.Context(), numbered(1)) },
		"an alias":    func(s movableStore) error { return s.PutAlias(t.Context(), aliasOf("a"), "") },
		"a client":    func(s movableStore) error { return s.PutClient(t.Context(), broker.Client{Name: "new"}, "") },
		"a count":     func(s movableStore) error { return s.AddStats(t.Context(), []broker.Stat{daily("v", 1, visits(1))}) },
		"an entry":    func(s movableStore) error { return s.AppendAudit(t.Context(), broker.AuditEntry{Actor: "ops"}) },
		"a value":     func(s movableStore) error { return s.PutBlob(t.Context(), "name", nil) },
		"spent quota": func(s movableStore) error { return second2(s.ReserveQuota(t.Context(), "wx1", "2026-03-01", 1, 9)) },
		"what another store had": func(s movableStore) error {
			other := cache.NewMovableMemory()
			put(t, other, numberedUpTo(20)...)
			return interrupted(t, other, s)
		},
		"what the store had before it was changed": func(s movableStore) error {
			if err := interrupted(t, from, s); err != nil {
				return err
			}
			return from.PutLink(t.Context(), numbered(777))
		},
	}
	for name, open := range movables {
		for what, furnish := range furnishings {
			t.Run(name+" with "+what, func(t *testing.T) {
				to := open(t)
				noErr(t, furnish(to))
				_, err := cache.NewMigration(from, to, 7, func(cache.Progress) {}).Move(t.Context())
				if !errors.Is(err, cache.ErrNotEmpty) {
					t.Errorf("error %v, want not empty", err)
				}
			})
		}
	}
}

// interrupted begins a migration and stops it.
func interrupted(t *testing.T, from, to cache.Movable) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	_, err := cache.NewMigration(from, to, 7, func(p cache.Progress) {
		if p.Done > 0 {
			cancel()
		}
	}).Move(ctx)
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return fmt.Errorf("a migration that was stopped says %w", err)
}

func TestWhatIsDamagedIsLeftOutAndCounted(t *testing.T) {
	for name, open := range movables {
		if name == "memory" {
			continue // refuses to keep what is damaged
		}
		t.Run(name, func(t *testing.T) {
			from, to := openBolt(t, newPath(t)), open(t)
			links := furnish(t, from)
			spoil(t, from, func(records, _ *bolt.Bucket) error {
				return errors.Join(flipRecord(records, links[3].Key), records.Put([]byte("short"), []byte("x")))
			})
			spoilRecord(t, from, "aliases", []byte("plain"))
			spoilRecord(t, from, "ledger", []byte("2026-03-02\x00wx1"))
			compared := move(t, from, to)
			if !compared.Equal() {
				t.Errorf("the stores differ: %+v", compared)
			}
			for _, kind := range compared {
				want := map[cache.Kind]int{"links": 2, "aliases": 1, "ledger": 1}[kind.Kind]
				if kind.Source.Damaged != want {
					t.Errorf("%d damaged %s, want %d", kind.Source.Damaged, kind.Kind, want)
				}
			}
			wantNoLink(t, to, links[3].Key)
			wantErr(t, second(to.Alias(t.Context(), "plain")), broker.NotFound)
			wantErr(t, second2(to.ReserveQuota(t.Context(), "wx1", "2026-03-02", 1, 1<<40)), broker.StoreFailed) // or it were spent twice
		})
	}
}

func TestAComparisonSeesEachChange(t *testing.T) {
	changes := map[cache.Kind]func(s broker.Store) error{
		"links":   func(s broker.Store) error { return s.PinLink(t.Context(), numbered(9).Key, true) },
		"aliases": func(s broker.Store) error { return s.PutAlias(t.Context(), aliasOf("new"), "") },
		"clients": func(s broker.Store) error { return s.PutClient(t.Context(), broker.Client{Name: "new"}, "") },
		"stats":   func(s broker.Store) error { return s.AddStats(t.Context(), []broker.Stat{total("v1", visits(1))}) },
		"audit":   func(s broker.Store) error { return s.AppendAudit(t.Context(), broker.AuditEntry{Actor: "ops"}) },
		"blobs":   func(s broker.Store) error { return s.PutBlob(t.Context(), "blob 1", []byte("changed")) },
		"ledger":  func(s broker.Store) error { return second2(s.ReserveQuota(t.Context(), "wx1", "2026-03-01", 1, 1<<40)) },
	}
	for name, open := range movables {
		for kind, change := range changes {
			t.Run(name+" "+string(kind), func(t *testing.T) {
				from, to := cache.NewMovableMemory(), open(t)
				furnish(t, from)
				move(t, from, to)
				noErr(t, change(to))
				compared, err := cache.NewMigration(from, to, 7, func(cache.Progress) {}).Compare(t.Context())
				noErr(t, err)
				for _, c := range compared {
					if c.Equal() != (c.Kind != kind) {
						t.Errorf("%s: %+v", c.Kind, c)
					}
				}
			})
		}
	}
}

// TestWhatDiffersIsMovedAnew: a store that loses what it had acknowledged, as one in Redis may, is filled again.
func TestWhatDiffersIsMovedAnew(t *testing.T) {
	for name, open := range movables {
		t.Run(name, func(t *testing.T) {
			from, to := cache.NewMovableMemory(), open(t)
			links := furnish(t, from)
			lost := false
			compared, err := cache.NewMigration(from, to, 7, func(p cache.Progress) {
				if p.Doing != "moving" && !lost {
					lost = true
					noErr(t, to.DeleteLink(t.Context(), links[5].Key))
				}
			}).Move(t.Context())
			noErr(t, err)
			if compared.Equal() {
				t.Fatal("a lost link is not seen")
			}
			if !move(t, from, to).Equal() {
				t.Error("it is not moved anew")
			}
			wantMoved(t, from, to, links)
		})
	}
}

func migrationOptions() cache.MigrationOptions {
	return cache.MigrationOptions{Options: options(), Progress: func(cache.Progress) {}}
}

func TestAMigrationOpensFilesByTheirURLs(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "a.db"), filepath.Join(dir, "new", "b.db")
	s := openBolt(t, from)
	links := furnish(t, s)
	_, err := cache.OpenMigration(t.Context(), "bolt://"+from, "bolt://"+to, cache.Fill, migrationOptions())
	if !errors.Is(err, cache.ErrInUse) {
		t.Errorf("error %v, want in use", err)
	}
	noErr(t, s.Close())

	m := must(cache.OpenMigration(t.Context(), "bolt://"+from, "", cache.Read, migrationOptions()))
	counted := must(m.Count(t.Context()))
	noErr(t, m.Close())
	if counted[0].Source.Records != len(links) {
		t.Errorf("counted %+v, want %d links", counted, len(links))
	}
	_, err = cache.OpenMigration(t.Context(), "bolt://"+from, "bolt://"+to, cache.Read, migrationOptions())
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want that there is no target to compare with", err)
	}

	m = must(cache.OpenMigration(t.Context(), "bolt://"+from, "bolt://"+to, cache.Fill, migrationOptions()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Move(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want canceled", err)
	}
	noErr(t, m.Close())
	m = must(cache.OpenMigration(t.Context(), "bolt://"+from, "bolt://"+to, cache.Fill, migrationOptions()))
	if compared, err := m.Move(t.Context()); err != nil || !compared.Equal() {
		t.Errorf("%+v, %v", compared, err)
	}
	noErr(t, m.Close())
	wantMoved(t, open(t, from, options()), open(t, to, options()), links)
}

func TestAHalfFilledStoreIsNotServed(t *testing.T) {
	path := newPath(t)
	from, to := cache.NewMovableMemory(), openBolt(t, path)
	furnish(t, from)
	noErr(t, interrupted(t, from, to))
	noErr(t, to.Close())
	if _, err := cache.Open(t.Context(), "bolt://"+path, options()); !errors.Is(err, cache.ErrHalfMoved) {
		t.Errorf("error %v, want half moved", err)
	}
	_, err := cache.OpenMigration(t.Context(), "bolt://"+path, "bolt://"+newPath(t), cache.Fill, migrationOptions())
	if !errors.Is(err, cache.ErrHalfMoved) {
		t.Errorf("it can be moved on: %v", err)
	}
	to = openBolt(t, path)
	move(t, from, to)
	noErr(t, to.Close())
	noErr(t, open(t, path, options()).Close())
}

func TestAStoreInRedisThatBrokersUseIsNotMoved(t *testing.T) {
	used, path := ownURL(t, sharedRedis(t)), newPath(t)
	s := must(cache.Open(t.Context(), used, options()))
	furnish(t, s)
	file := openBolt(t, path)
	furnish(t, file)
	noErr(t, file.Close())
	for from, to := range map[string]string{used: "bolt://" + newPath(t), "bolt://" + path: used} {
		if _, err := cache.OpenMigration(t.Context(), from, to, cache.Fill, migrationOptions()); !errors.Is(err, cache.ErrInUse) {
			t.Errorf("error %v, want in use", err)
		}
	}
	forced := migrationOptions()
	forced.InUse = true
	noErr(t, must(cache.OpenMigration(t.Context(), used, "bolt://"+newPath(t), cache.Fill, forced)).Close())
	noErr(t, s.Close())

	m := must(cache.OpenMigration(t.Context(), used, "bolt://"+newPath(t), cache.Fill, migrationOptions()))
	if compared, err := m.Move(t.Context()); err != nil || !compared.Equal() {
		t.Errorf("%+v, %v", compared, err)
	}
	noErr(t, m.Close())
}

func TestAHalfFilledStoreInRedisIsNotServed(t *testing.T) {
	url := ownURL(t, sharedRedis(t))
	from, to := cache.NewMovableMemory(), openRedis(t, url)
	furnish(t, from)
	noErr(t, interrupted(t, from, cache.RedisRecords(to)))
	noErr(t, to.Close())
	if _, err := cache.Open(t.Context(), url, options()); !errors.Is(err, cache.ErrHalfMoved) {
		t.Errorf("error %v, want half moved", err)
	}
	to = openRedis(t, url)
	move(t, from, cache.RedisRecords(to))
	noErr(t, to.Close())
	noErr(t, must(cache.Open(t.Context(), url, options())).Close())
}
