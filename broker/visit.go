package broker

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Visitor is by what somebody came to an alias. Nothing else is kept of visitors.
type Visitor string

// The visitors.
const (
	InWeChat  Visitor = "wechat"  // in WeChat's own browser, on whatever device
	OnIOS     Visitor = "ios"     // in another browser
	OnAndroid Visitor = "android" // in another browser
	Elsewhere Visitor = "other"
)

// visitors are all that count as visits, in the order in which they are shown.
var visitors = []Visitor{InWeChat, OnIOS, OnAndroid, Elsewhere}

// FellBack counts, beside the visitors, those who were sent to the fallback.
const FellBack = "fallback"

// visitSeries is the name under which the visits of an alias are counted.
func visitSeries(slug string) string { return "visits/" + slug }

// maxVisited bounds the memory while the store cannot be written: what is visited beyond that is not counted.
const maxVisited = 1 << 16

// visits are counted in memory and written every few seconds, as uses are. A crash loses seconds of counting.
type visits struct {
	mu     sync.Mutex
	counts map[visitPlace]uint64
	sums   map[string]uint64 // visits by slug that are not yet known to be written
}

// visitPlace is where a visit is counted.
type visitPlace struct {
	slug string
	hour int64 // Unix seconds
	what string
}

func newVisits() visits {
	return visits{counts: make(map[visitPlace]uint64), sums: make(map[string]uint64)}
}

// add counts a visit and gives the number of those to the slug that the store may not know of yet.
func (v *visits) add(slug, what string, now time.Time) uint64 {
	place := visitPlace{slug, now.Truncate(time.Hour).Unix(), what}
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, known := v.counts[place]; known || len(v.counts) < maxVisited {
		v.counts[place]++
		if what != FellBack {
			v.sums[slug]++
		}
	}
	return v.sums[slug]
}

func (v *visits) unwritten(slug string) uint64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.sums[slug]
}

// take takes all that is counted. Who has written it says so with written, who cannot puts it back.
func (v *visits) take() map[visitPlace]uint64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	taken := v.counts
	v.counts = make(map[visitPlace]uint64)
	return taken
}

func (v *visits) putBack(place visitPlace, n uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.counts[place] += n
}

func (v *visits) written(place visitPlace, n uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if place.what == FellBack || v.sums[place.slug] == 0 {
		return // nothing is summed up of it, or the alias was deleted meanwhile
	}
	if v.sums[place.slug] -= min(n, v.sums[place.slug]); v.sums[place.slug] == 0 {
		delete(v.sums, place.slug)
	}
}

// takeBack takes a visit back that came beyond the limit.
func (v *visits) takeBack(slug, what string, now time.Time) {
	place := visitPlace{slug, now.Truncate(time.Hour).Unix(), what}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.counts[place] > 0 {
		v.counts[place]--
		v.sums[slug]--
	}
}

func (v *visits) forget(slug string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.sums, slug)
	for place := range v.counts {
		if place.slug == slug {
			delete(v.counts, place)
		}
	}
}

// flushVisits writes the visits counted in memory: to their hour, to their day and to the total of the alias.
func (b *Broker) flushVisits(ctx context.Context, counts Counts) error {
	taken := b.visits.take()
	places := make([]visitPlace, 0, len(taken))
	for place := range taken {
		places = append(places, place)
	}
	var err error
	for bite := range slices.Chunk(places, touchBite/3) { // each is three records
		if err == nil {
			err = b.addVisits(ctx, bite, taken)
		}
		for _, place := range bite {
			if err != nil {
				b.visits.putBack(place, taken[place])
			} else {
				b.visits.written(place, taken[place])
				counts["visits"] += int(taken[place]) //nolint:gosec // of a few seconds
			}
		}
	}
	return err
}

func (b *Broker) addVisits(ctx context.Context, bite []visitPlace, taken map[visitPlace]uint64) error {
	var stats []Stat
	for _, place := range bite {
		hour := time.Unix(place.hour, 0).UTC()
		stat := Stat{Series: visitSeries(place.slug), Grain: Hourly, At: hour, Counts: map[string]uint64{place.what: taken[place]}}
		stats = append(stats, stat)
		stat.Grain, stat.At = Daily, dayOf(hour)
		stats = append(stats, stat)
		stat.Grain, stat.At = Total, time.Time{}
		stats = append(stats, stat)
	}
	return b.addStats(ctx, stats)
}

// addStats writes counts, for its asker or without, as touch does.
func (b *Broker) addStats(ctx context.Context, stats []Stat) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storePatience)
	defer cancel()
	return b.store.AddStats(ctx, stats)
}

// dayOf gives the beginning of a day in Shanghai.
func dayOf(t time.Time) time.Time {
	y, m, d := t.In(shanghai).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, shanghai).UTC()
}

// Visits gives the visits to an alias over a stretch of time, by the hour (of the last 90 days), by the day or in all.
// Those of the last seconds are still to come.
func (b *Broker) Visits(ctx context.Context, slug string, grain Grain, from, to time.Time) ([]Stat, error) {
	alias, err := b.Alias(ctx, slug)
	if err != nil {
		return nil, err
	}
	switch grain {
	case Hourly, Daily, Total:
		return b.store.Stats(ctx, visitSeries(alias.Slug), grain, from, to)
	default:
		return nil, Errorf(InvalidArgument, "visits are counted by hour, day or total, not by %q", grain)
	}
}

// visitsWritten says how many visits to an alias the store knows of.
func (b *Broker) visitsWritten(ctx context.Context, slug string) (n uint64, err error) {
	totals, err := b.store.Stats(ctx, visitSeries(slug), Total, time.Time{}, time.Time{})
	for _, total := range totals {
		for _, visitor := range visitors {
			n += total.Counts[string(visitor)]
		}
	}
	return n, err
}
