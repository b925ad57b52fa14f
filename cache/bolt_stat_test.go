package cache_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"linkbroker/broker"
	"linkbroker/cache"
)

// ninetyDays counts hour by hour for so many aliases, and gives their series.
func ninetyDays(t testing.TB, b *cache.Bolt, aliases int) []string {
	t.Helper()
	names := make([]string, aliases)
	var stats []broker.Stat
	for i := range names {
		names[i] = fmt.Sprintf("visits/alias-%03d", i)
		for n := range 90 * 24 {
			stats = append(stats, hourly(names[i], n, visits(1)))
		}
		for n := range 90 {
			stats = append(stats, daily(names[i], n, visits(24)))
		}
		stats = append(stats, total(names[i], visits(90*24)))
	}
	addStats(t, b, stats...)
	return names
}

func TestALongSeriesIsDeletedInBites(t *testing.T) {
	b := openBolt(t, newPath(t))
	names := ninetyDays(t, b, 5)
	before := b.Commits()
	noErr(t, b.DeleteStats(t.Context(), names[2]))
	if n := b.Commits() - before; n != 12 { // 2,160 hours, 90 days and the total, in bites of 200
		t.Errorf("deleted in %d transactions, want 12", n)
	}
	for i, name := range names {
		for grain, want := range map[broker.Grain]int{broker.Hourly: 2160, broker.Daily: 90, broker.Total: 1} {
			if i == 2 {
				want = 0
			}
			stats, err := b.Stats(t.Context(), name, grain, midnight, midnight.AddDate(1, 0, 0))
			if len(stats) != want || err != nil {
				t.Errorf("%d of %s by the %s are left, %v; want %d", len(stats), name, grain, err, want)
			}
		}
	}
}

func TestHoursArePurgedInBites(t *testing.T) {
	b := openBolt(t, newPath(t))
	names := ninetyDays(t, b, 2)
	before := b.Commits()
	n, err := b.PurgeStats(t.Context(), midnight.Add(500*time.Hour), 100_000)
	if n != 1000 || err != nil {
		t.Errorf("%d purged, %v; want 1,000", n, err)
	}
	if n := b.Commits() - before; n != 5 {
		t.Errorf("purged in %d transactions, want 5", n)
	}
	hours, err := b.Stats(t.Context(), names[1], broker.Hourly, time.Time{}, date(9999))
	if err != nil || len(hours) != 1660 || !hours[0].At.Equal(midnight.Add(500*time.Hour)) {
		t.Errorf("%d hours are left, %v", len(hours), err)
	}
}

func TestAKeyOfNoFormHidesNoCounts(t *testing.T) {
	b := openBolt(t, newPath(t))
	var hours, days []broker.Stat
	for n := range 4 {
		hours, days = append(hours, hourly("v", n, visits(1))), append(days, daily("v", n, visits(1)))
	}
	addStats(t, b, append(hours, days...)...)
	noErr(t, b.Change(t.Context(), func(tx *bolt.Tx) (bool, error) {
		for _, stat := range append(hours, days...) {
			key := cache.StatKey(stat)
			late := bytes.Clone(key[:9])
			late[8]++ // a second after the hour, of a later series
			for _, odd := range []string{string(late) + "z", string(key[:7]), string(key[:len(key)-1]), string(key) + "\x00", string(key[:1])} {
				if err := tx.Bucket([]byte("stats")).Put([]byte(odd), cache.EncodeCounts([]byte(odd), visits(99))); err != nil {
					return false, err
				}
			}
		}
		return true, nil
	}))
	wantStats(t, b, "v", broker.Hourly, hours...)
	wantStats(t, b, "v", broker.Daily, days...)
	noErr(t, b.DeleteStats(t.Context(), "v"))
	wantStats(t, b, "v", broker.Hourly)
}

func TestWhatChangesNothingIsNotCommitted(t *testing.T) {
	b := openBolt(t, newPath(t))
	putAlias(t, b, aliasOf("taken"))
	before := b.Commits()
	wantErr(t, b.PutAlias(t.Context(), aliasOf("taken"), ""), broker.Conflict)
	wantErr(t, b.DeleteAlias(t.Context(), "taken", "x"), broker.Conflict)
	wantErr(t, b.DeleteAlias(t.Context(), "none", "x"), broker.NotFound)
	noErr(t, b.AddStats(t.Context(), []broker.Stat{total("v", nil)}))
	noErr(t, b.DeleteStats(t.Context(), "v"))
	if n := b.Commits() - before; n != 0 {
		t.Errorf("%d transactions for nothing", n)
	}
}
