package broker

import (
	"context"
	"errors"
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
	flushing onceLock // held while visits are written, which is I/O

	mu      sync.Mutex
	counts  map[visitPlace]uint64
	sums    map[string]uint64 // visits by slug that are not yet known to be written
	settled uint64            // how often some became known to be
	taken   int               // places of counts that are being written
	writing chan struct{}     // closed when they are, or could not be; nil while none are
}

// visitPlace is where a visit is counted.
type visitPlace struct {
	slug string
	hour int64 // Unix seconds
	what string
}

func newVisits() visits {
	return visits{flushing: newOnceLock(), counts: make(map[visitPlace]uint64), sums: make(map[string]uint64)}
}

// add counts a visit.
func (v *visits) add(slug, what string, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.count(slug, what, now)
}

func (v *visits) count(slug, what string, now time.Time) (counted bool) {
	place := visitPlace{slug, now.Truncate(time.Hour).Unix(), what}
	if _, known := v.counts[place]; !known && len(v.counts)+v.taken >= maxVisited {
		return false
	}
	v.counts[place]++
	if what != FellBack {
		v.sums[slug]++
	}
	return true
}

// addWithin counts a visit if there is room for it under a limit, or only looks where what is empty. It is told how many
// visits the store knew of, and of which moment before that: see settledTimes. For what it cannot tell it gives the end of
// the doubt, after which the store has to be read again.
func (v *visits) addWithin(limit, written, settled uint64, slug, what string, now time.Time) (ok bool, doubt <-chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.settled != settled: // some may be in neither number
		over := make(chan struct{})
		close(over)
		return false, over
	case written+v.sums[slug] < limit:
		return what == "" || v.count(slug, what, now), nil
	default:
		return false, v.writing // while that goes on, some may be in both
	}
}

// settledTimes is how often visits have left memory for the store.
func (v *visits) settledTimes() uint64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.settled
}

// take takes all that is counted. Who has written it says so with written, who cannot puts it back, and both call done.
func (v *visits) take() map[visitPlace]uint64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	taken := v.counts
	v.counts = make(map[visitPlace]uint64)
	v.taken, v.writing = len(taken), make(chan struct{})
	return taken
}

func (v *visits) done() {
	v.mu.Lock()
	defer v.mu.Unlock()
	close(v.writing)
	v.taken, v.writing = 0, nil
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
	v.settled++
	if v.sums[place.slug] -= min(n, v.sums[place.slug]); v.sums[place.slug] == 0 {
		delete(v.sums, place.slug)
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
	if err := b.visits.flushing.lock(ctx); err != nil {
		return err
	}
	defer b.visits.flushing.unlock()
	taken := b.visits.take()
	defer b.visits.done()
	places := make([]visitPlace, 0, len(taken))
	for place := range taken {
		if !b.deletedElsewhere(ctx, place.slug) {
			places = append(places, place)
		}
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

// deletedElsewhere forgets the visits to an alias that another broker has deleted: they would be the first of the next one.
func (b *Broker) deletedElsewhere(ctx context.Context, slug string) bool {
	if b.leaser == nil {
		return false
	}
	_, err := b.store.Alias(ctx, slug)
	gone := errors.Is(err, NotFound)
	if gone {
		b.visits.forget(slug)
	}
	return gone
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

// forgetVisits forgets the visits to an alias. None of them is being written meanwhile, or it would come back.
func (b *Broker) forgetVisits(ctx context.Context, slug string) error {
	if err := b.visits.flushing.lock(ctx); err != nil {
		return err
	}
	defer b.visits.flushing.unlock()
	b.visits.forget(slug)
	return b.store.DeleteStats(ctx, visitSeries(slug))
}

// hasRoom reports whether an alias that has a limit leads one more visitor on, and counts him; where what is empty it only
// looks. It waits only where visits that are being written decide it. Brokers that share a store tell each other at once
// whom they have led on, and may exceed the limit together by those who come meanwhile.
func (b *Broker) hasRoom(ctx context.Context, alias Alias, what string, now time.Time) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, b.policy.Deadline)
	defer cancel()
	for {
		settled := b.visits.settledTimes()
		written, err := b.visitsWritten(ctx, alias.Slug)
		if err != nil {
			return false, err
		}
		ok, doubt := b.visits.addWithin(alias.VisitLimit, written, settled, alias.Slug, what, now)
		if doubt == nil {
			if ok && what != "" && b.leaser != nil {
				_ = b.flushVisits(ctx, Counts{}) // so that other brokers count him, too; if not now, then with the next flush
			}
			return ok, nil
		}
		select {
		case <-doubt:
		case <-ctx.Done():
			return false, Errorf(Unavailable, "the visits are being written, and they are nearly all that the alias has: %w", ctx.Err())
		}
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
