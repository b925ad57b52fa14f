package cache_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"linkbroker/broker"
)

// midnight is the hour and the day from which the stats of the tests count.
var midnight = time.Date(2026, 3, 1, 16, 0, 0, 0, time.UTC)

func hourly(series string, n int, counts map[string]uint64) broker.Stat {
	return broker.Stat{Series: series, Grain: broker.Hourly, At: midnight.Add(time.Duration(n) * time.Hour), Counts: counts}
}

func daily(series string, n int, counts map[string]uint64) broker.Stat {
	return broker.Stat{Series: series, Grain: broker.Daily, At: midnight.AddDate(0, 0, n), Counts: counts}
}

func total(series string, counts map[string]uint64) broker.Stat {
	return broker.Stat{Series: series, Grain: broker.Total, Counts: counts}
}

func visits(n uint64) map[string]uint64 { return map[string]uint64{"wechat": n} }

func addStats(t testing.TB, s broker.Store, stats ...broker.Stat) {
	t.Helper()
	noErr(t, s.AddStats(t.Context(), stats))
}

// wantStats expects all that is kept of a series in a grain.
func wantStats(t testing.TB, s broker.Store, series string, grain broker.Grain, want ...broker.Stat) {
	t.Helper()
	wantStatsBetween(t, s, series, grain, time.Time{}, date(9999), want...)
}

func wantStatsBetween(t testing.TB, s broker.Store, series string, grain broker.Grain, from, to time.Time, want ...broker.Stat) {
	t.Helper()
	got, err := s.Stats(t.Context(), series, grain, from, to)
	if err != nil || len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
		t.Errorf("%s of %s from %v to %v:\ngot  %v, %v\nwant %v", grain, series, from, to, got, err, want)
	}
}

// statPromises are the sentences of broker.StatStore.
var statPromises = map[string]func(t *testing.T, s broker.Store){
	"counts add up, each by its name": func(t *testing.T, s broker.Store) {
		for _, stat := range []broker.Stat{hourly("v", 3, nil), daily("v", 3, nil), total("v", nil)} {
			wantStats(t, s, "v", stat.Grain)
			for _, counts := range []map[string]uint64{{"a": 1, "b": 2}, {"b": 3, "": 4}, {"a": 5, "é\x00": 1}} {
				stat.Counts = counts
				addStats(t, s, stat)
			}
			stat.Counts = map[string]uint64{"a": 6, "b": 5, "": 4, "é\x00": 1}
			wantStats(t, s, "v", stat.Grain, stat)
		}
	},
	"what is added at once adds up too": func(t *testing.T, s broker.Store) {
		addStats(t, s, hourly("v", 0, visits(1)), hourly("v", 0, visits(2)), hourly("v", 1, visits(3)), hourly("v", 0, visits(4)))
		wantStats(t, s, "v", broker.Hourly, hourly("v", 0, visits(7)), hourly("v", 1, visits(3)))
		addStats(t, s)
	},
	"a stretch in which nothing happened is left out": func(t *testing.T, s broker.Store) {
		addStats(t, s, hourly("v", 0, visits(1)), hourly("v", 1, visits(0)), hourly("v", 2, nil), hourly("v", 3, visits(1)))
		addStats(t, s, hourly("v", 3, map[string]uint64{"other": 0}))
		wantStats(t, s, "v", broker.Hourly, hourly("v", 0, visits(1)), hourly("v", 3, visits(1)))
	},
	"a stretch of time includes its beginning and not its end": func(t *testing.T, s broker.Store) {
		for _, make := range []func(string, int, map[string]uint64) broker.Stat{hourly, daily} {
			var all []broker.Stat
			for n := range 5 {
				all = append(all, make("v", n, visits(1)))
			}
			addStats(t, s, all...)
			for _, c := range []struct{ from, to int }{{0, 5}, {1, 4}, {2, 3}, {3, 3}, {3, 2}} {
				from, to := make("v", c.from, nil).At, make("v", c.to, nil).At
				wantStatsBetween(t, s, "v", all[0].Grain, from, to, all[c.from:max(c.from, c.to)]...)
				wantStatsBetween(t, s, "v", all[0].Grain, from.Add(1), to.Add(1), all[min(c.from+1, 5):min(max(c.from, c.to)+1, 5)]...)
			}
		}
	},
	"a total has no moment": func(t *testing.T, s broker.Store) {
		stat := total("v", visits(1))
		stat.At = noon
		addStats(t, s, stat, total("v", visits(2)))
		wantStatsBetween(t, s, "v", broker.Total, noon, noon, total("v", visits(3)))
	},
	"series are counted apart": func(t *testing.T, s broker.Store) {
		names := []string{"v", "v/", "v/a", "v/a\xff", "v/b", "w", "d", "h", "t", strings.Repeat("v", 1024)}
		for i, name := range names {
			counts := visits(uint64(i + 1))
			addStats(t, s, hourly(name, 0, counts), hourly(name, i, counts), daily(name, i, counts), total(name, counts))
		}
		for i, name := range names {
			counts := visits(uint64(i + 1))
			if i > 0 {
				wantStats(t, s, name, broker.Hourly, hourly(name, 0, counts), hourly(name, i, counts))
			}
			wantStats(t, s, name, broker.Daily, daily(name, i, counts))
			wantStats(t, s, name, broker.Total, total(name, counts))
		}
		wantStats(t, s, "", broker.Hourly)
		wantStats(t, s, "unknown", broker.Daily)
		wantStats(t, s, "v", "week")
	},
	"counts are added all or nothing": func(t *testing.T, s broker.Store) {
		for name, spoil := range map[string]func(*broker.Stat){
			"no series":           func(stat *broker.Stat) { stat.Series = "" },
			"a zero in a series":  func(stat *broker.Stat) { stat.Series = "v\x00w" },
			"a series too long":   func(stat *broker.Stat) { stat.Series = strings.Repeat("v", 1025) },
			"an unknown grain":    func(stat *broker.Stat) { stat.Grain = "week" },
			"a moment of no hour": func(stat *broker.Stat) { stat.At = stat.At.Add(time.Minute) },
			"a moment too fine":   func(stat *broker.Stat) { stat.Grain, stat.At = broker.Daily, stat.At.Add(1) },
			"the year 1":          func(stat *broker.Stat) { stat.At = time.Time{} },
			"the year 9999":       func(stat *broker.Stat) { stat.At = date(9999).Truncate(time.Hour) },
		} {
			bad := hourly("v", 1, visits(1))
			spoil(&bad)
			err := s.AddStats(t.Context(), []broker.Stat{hourly("v", 0, visits(1)), bad})
			if broker.CodeOf(err) != broker.StoreFailed {
				t.Errorf("%s: error %v", name, err)
			}
			wantStats(t, s, "v", broker.Hourly)
		}
	},
	"a count stays at the greatest number": func(t *testing.T, s broker.Store) {
		addStats(t, s, total("v", visits(math.MaxUint64-1)))
		for range 3 {
			addStats(t, s, total("v", map[string]uint64{"wechat": 1, "other": math.MaxUint64}))
		}
		wantStats(t, s, "v", broker.Total, total("v", map[string]uint64{"wechat": math.MaxUint64, "other": math.MaxUint64}))
	},
	"what is given and handed out is nobody else's": func(t *testing.T, s broker.Store) {
		counts := visits(1)
		addStats(t, s, total("v", counts))
		clear(counts)
		got, err := s.Stats(t.Context(), "v", broker.Total, time.Time{}, time.Time{})
		noErr(t, err)
		got[0].Counts["wechat"] = 99
		wantStats(t, s, "v", broker.Total, total("v", visits(1)))
	},
	"what many add at once adds up": func(t *testing.T, s broker.Store) {
		var all sync.WaitGroup
		for worker := range 16 {
			all.Go(func() {
				for range 20 {
					mustDo(t, s.AddStats(t.Context(), []broker.Stat{
						hourly("v", worker%2, visits(1)), daily("v", 0, visits(2)), total("v", visits(3)),
					}))
					_ = s.AddStats(t.Context(), []broker.Stat{total("v", visits(1)), {Series: "v", Grain: "week"}}) // refused
				}
			})
		}
		all.Wait()
		wantStats(t, s, "v", broker.Hourly, hourly("v", 0, visits(160)), hourly("v", 1, visits(160)))
		wantStats(t, s, "v", broker.Daily, daily("v", 0, visits(640)))
		wantStats(t, s, "v", broker.Total, total("v", visits(960)))
	},
	"a purge takes hours alone, those before the moment": func(t *testing.T, s broker.Store) {
		for n := range 5 {
			for _, name := range []string{"v", "w"} {
				addStats(t, s, hourly(name, n, visits(1)), daily(name, n, visits(1)), total(name, visits(1)))
			}
		}
		purge := func(before time.Time, limit, want int) {
			t.Helper()
			if n, err := s.PurgeStats(t.Context(), before, limit); n != want || err != nil {
				t.Errorf("%d purged, %v; want %d", n, err, want)
			}
		}
		third := hourly("v", 3, nil).At
		purge(third, 0, 0)
		purge(third, 4, 4)
		purge(third, 100, 2)
		purge(third, 100, 0)
		purge(time.Time{}, 100, 0)
		for _, name := range []string{"v", "w"} {
			wantStats(t, s, name, broker.Hourly, hourly(name, 3, visits(1)), hourly(name, 4, visits(1)))
			wantStats(t, s, name, broker.Total, total(name, visits(5)))
		}
		purge(third.Add(1), 100, 2)
		purge(date(9999), 1, 1)
		purge(date(9999), 100, 1)
		if days, err := s.Stats(t.Context(), "v", broker.Daily, time.Time{}, date(9999)); len(days) != 5 || err != nil {
			t.Errorf("%d days are left, %v", len(days), err)
		}
	},
	"a deleted series is gone in all its grains, and no other is": func(t *testing.T, s broker.Store) {
		names := []string{"v", "v/", "va", "u"}
		for _, name := range names {
			for n := range 30 {
				addStats(t, s, hourly(name, n*7, visits(1)), daily(name, n, visits(1)), total(name, visits(1)))
			}
		}
		noErr(t, s.DeleteStats(t.Context(), "v"))
		noErr(t, s.DeleteStats(t.Context(), "unknown"))
		for _, name := range names {
			want := map[bool]int{true: 0, false: 61}[name == "v"]
			n := 0
			for _, grain := range []broker.Grain{broker.Hourly, broker.Daily, broker.Total} {
				stats, err := s.Stats(t.Context(), name, grain, time.Time{}, date(9999))
				noErr(t, err)
				n += len(stats)
			}
			if n != want {
				t.Errorf("%d are left of %s, want %d", n, name, want)
			}
		}
		addStats(t, s, total("v", visits(1)))
		wantStats(t, s, "v", broker.Total, total("v", visits(1)))
	},
	"any mix leaves what it should": func(t *testing.T, s broker.Store) {
		r := rand.New(rand.NewPCG(1, 2))
		names := []string{"a", "a/", "a/b", "b", "b\xff", "c"}
		model := make(map[string]broker.Stat)
		for range 300 {
			mixStats(t, s, r, names, model)
		}
		for _, name := range names {
			for _, grain := range []broker.Grain{broker.Hourly, broker.Daily, broker.Total} {
				from := hourly("", r.IntN(24*40), nil).At
				to := from.Add(time.Duration(r.IntN(24*40)) * time.Hour)
				wantStats(t, s, name, grain, fromModel(model, name, grain, time.Time{}, date(9999))...)
				if grain != broker.Total {
					wantStatsBetween(t, s, name, grain, from, to, fromModel(model, name, grain, from, to)...)
				}
			}
		}
	},
}

func placeOf(stat broker.Stat) string { return fmt.Sprint(stat.Series, stat.Grain, stat.At) }

// mixStats does something to a store and to the model of it. Most hours are empty, as those of most aliases are.
func mixStats(t *testing.T, s broker.Store, r *rand.Rand, names []string, model map[string]broker.Stat) {
	t.Helper()
	name := names[r.IntN(len(names))]
	switch r.IntN(20) {
	case 0:
		noErr(t, s.DeleteStats(t.Context(), name))
		maps.DeleteFunc(model, func(_ string, stat broker.Stat) bool { return stat.Series == name })
	case 1:
		before := hourly("", r.IntN(24*10), nil).At
		noErr(t, second(s.PurgeStats(t.Context(), before, math.MaxInt)))
		maps.DeleteFunc(model, func(_ string, stat broker.Stat) bool {
			return stat.Grain == broker.Hourly && stat.At.Before(before)
		})
	default:
		var stats []broker.Stat
		for range r.IntN(12) {
			name, n := names[r.IntN(len(names))], uint64(r.IntN(9)+1)
			hour := r.IntN(24 * 60)
			stats = append(stats, hourly(name, hour, visits(n)), daily(name, hour/24, visits(n)), total(name, visits(n)))
		}
		addStats(t, s, stats...)
		for _, stat := range stats {
			sum := model[placeOf(stat)].Counts["wechat"] + stat.Counts["wechat"]
			stat.Counts = visits(sum)
			model[placeOf(stat)] = stat
		}
	}
}

func fromModel(model map[string]broker.Stat, series string, grain broker.Grain, from, to time.Time) []broker.Stat {
	var stats []broker.Stat
	for _, stat := range model {
		if stat.Series == series && stat.Grain == grain && !stat.At.Before(from) && stat.At.Before(to) {
			stats = append(stats, stat)
		}
	}
	slices.SortFunc(stats, func(a, b broker.Stat) int { return a.At.Compare(b.At) })
	return stats
}

func TestStoresKeepCounts(t *testing.T) { keepPromises(t, statPromises) }
