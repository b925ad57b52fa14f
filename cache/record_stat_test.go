package cache_test

import (
	"bytes"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
)

func recordedStats() map[string]broker.Stat {
	return map[string]broker.Stat{
		"hour":  hourly("visits/sale", 3, visits(300)),
		"day":   daily("visits/sale", 3, map[string]uint64{"wechat": 1, "ios": 1 << 40, "android": 7, "other": 1<<64 - 1}),
		"total": total("visits/sale", map[string]uint64{"": 1, "é": 2}),
	}
}

func TestRecordsOfCountsAreReadForever(t *testing.T) {
	stats, written := recordedStats(), make(map[string][]byte)
	for name, stat := range stats {
		key := cache.StatKey(stat)
		written[name+"-key"], written[name] = key, cache.EncodeCounts(key, stat.Counts)
	}
	pinned := golden(t, "stats.golden", written)
	for name, stat := range stats {
		if got, err := cache.DecodeCounts(pinned[name+"-key"], pinned[name]); err != nil || !maps.Equal(got, stat.Counts) {
			t.Errorf("%s: the record reads %v, %v", name, got, err)
		}
	}
}

func TestEveryFlippedBitOfCountsIsNoticed(t *testing.T) {
	stat := recordedStats()["day"]
	key := cache.StatKey(stat)
	record := cache.EncodeCounts(key, stat.Counts)
	for bit := range len(record) * 8 {
		flipped := bytes.Clone(record)
		flipped[bit/8] ^= 1 << (bit % 8)
		if _, err := cache.DecodeCounts(key, flipped); !cache.IsDamage(err) {
			t.Fatalf("bit %d flipped, and the record reads with error %v", bit, err)
		}
	}
	if _, err := cache.DecodeCounts(cache.StatKey(daily("visits/sale", 4, nil)), record); !cache.IsDamage(err) {
		t.Errorf("the record of another day reads with error %v", err)
	}
}

func TestCountsThatNobodyWroteAreNotRead(t *testing.T) {
	key := cache.StatKey(recordedStats()["hour"])
	for name, body := range map[string]string{
		"no counts":            "",
		"only a later field":   "\x98\x06\x01",
		"a name that is twice": "\x0a\x02\x10\x01\x0a\x02\x10\x02",
		"a count of 0":         "\x0a\x05\x0a\x03ios",
		"a count cut short":    "\x0a\x05\x10\x01",
	} {
		record := cache.Seal(key, append(make([]byte, cache.RecordHeader), body...))
		if counts, err := cache.DecodeCounts(key, record); !cache.IsDamage(err) {
			t.Errorf("%s: read as %v, %v", name, counts, err)
		}
	}
}

// FuzzCounts seals whatever bytes as the body of a sound record. What reads as counts must come back unchanged.
func FuzzCounts(f *testing.F) {
	key := cache.StatKey(recordedStats()["hour"])
	for _, stat := range recordedStats() {
		f.Add(cache.EncodeCounts(key, stat.Counts)[cache.RecordHeader:])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		counts, err := cache.DecodeCounts(key, cache.Seal(key, append(make([]byte, cache.RecordHeader), body...)))
		if err != nil {
			if !cache.IsDamage(err) {
				t.Fatalf("an error that is no damage: %v", err)
			}
			return
		}
		got, err := cache.DecodeCounts(key, cache.EncodeCounts(key, counts))
		if err != nil || !maps.Equal(got, counts) {
			t.Fatalf("read as %v and then as %v, %v", counts, got, err)
		}
	})
}

// FuzzStatScan searches among whatever keys, as a damaged page may hold them. None of them may keep a search from its
// end, hide what is sought or pass for it.
func FuzzStatScan(f *testing.F) {
	for _, stat := range recordedStats() {
		f.Add(string(cache.StatKey(stat)) + "|h|d|t|d\x00|hh\x00\x00|h\x00\x00\x00\x00\x69\xa4\x8c\xb1z|h\xff\xff\xff\xff\xff\xff\xff\xff|t\x00\xff")
	}
	f.Fuzz(func(t *testing.T, noise string) {
		for _, stat := range recordedStats() {
			var want []string
			keys := strings.Split(noise, "|")
			for n := range 40 {
				stat.At = hourly("", n*25, nil).At
				keys = append(keys, string(cache.StatKey(stat)))
				if n > 0 && stat.Grain != broker.Total || n == 0 && stat.Grain == broker.Total {
					want = append(want, string(cache.StatKey(stat)))
				}
			}
			slices.Sort(keys)
			seek := func(sought string) string {
				at, _ := slices.BinarySearch(keys, sought)
				return append(keys, "")[at]
			}
			found := cache.ScanStats(seek, stat.Series, stat.Grain, midnight.Add(time.Second), date(2100))
			for _, key := range found {
				if !slices.Contains(want, key) && !strings.Contains(noise, key) {
					t.Fatalf("%q is found, which is not of the range", key)
				}
			}
			found = slices.DeleteFunc(found, func(key string) bool { return !slices.Contains(want, key) })
			if !reflect.DeepEqual(found, want) {
				t.Fatalf("found %q, want %q", found, want)
			}
		}
	})
}

func TestASearchThatIsLedBackEnds(t *testing.T) {
	for _, stat := range recordedStats() {
		back := string(cache.StatKey(hourly(stat.Series, 1, nil)))
		if stat.Grain == broker.Daily {
			back = string(cache.StatKey(daily(stat.Series, 1, nil)))
		}
		seek := func(string) string { return back }
		if found := cache.ScanStats(seek, stat.Series, stat.Grain, midnight.AddDate(0, 0, 2), date(2100)); found != nil {
			t.Errorf("found %q, which lies before the beginning", found)
		}
	}
}
