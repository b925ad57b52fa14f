package handlers

import (
	"context"
	"time"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// statView is what happened in a stretch of time.
type statView struct {
	Time   time.Time         `json:"time"` // when the stretch began
	Counts map[string]uint64 `json:"counts"`
}

// listStats answers GET /api/v1/stats: what happened, hour by hour or day by day. Stretches in which nothing did are
// left out.
func (a *api) listStats(c *gin.Context, _ caller) error {
	series := map[string]string{"answers": broker.AnswersOf, "calls": broker.CallsOf, "clients": broker.AskedBy}
	var of, name string
	s, err := a.parseStretch(c.Request.URL.RawQuery, func(param, value string) error {
		switch param {
		case "of":
			of = series[value]
		case "name":
			name = value
		default:
			return noOther(param, value)
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case of == "":
		return broker.Errorf(malformed, "of must be answers, calls or clients")
	case name == "":
		return broker.Errorf(malformed, "name must be the appid whose answers or calls, or the client whose requests, are asked for")
	}
	stats, err := a.Broker.History(c.Request.Context(), of+name, s.per, s.from, s.to)
	if err != nil {
		return err
	}
	items := make([]statView, 0, len(stats))
	for _, stat := range stats {
		items = append(items, statView{utc(stat.At), stat.Counts})
	}
	writeItems(c, items)
	return nil
}

// answers gives the last n hours or days of all apps together, those in which nothing happened among them.
func (a *api) answers(ctx context.Context, grain broker.Grain, n int, now time.Time) ([]slot, error) {
	var series []string
	for _, app := range a.Broker.Apps() {
		series = append(series, broker.AnswersOf+app.ID)
	}
	return a.history(ctx, grain, n, now, series...)
}

// history gives the last n hours or days of some series together, the one of now among them.
func (a *api) history(ctx context.Context, grain broker.Grain, n int, now time.Time, series ...string) ([]slot, error) {
	slots := a.emptySlots(grain, n, now)
	for _, one := range series {
		stats, err := a.Broker.History(ctx, one, grain, slots[0].At, slots[n-1].At.Add(lengthOf(grain)))
		if err != nil {
			return nil, err
		}
		fill(slots, grain, stats)
	}
	return slots, nil
}

// emptySlots are the last n hours or days, the one of now among them.
func (a *api) emptySlots(grain broker.Grain, n int, now time.Time) []slot {
	slots := make([]slot, n)
	last := a.startOf(grain, now)
	for i := range slots {
		slots[i] = slot{At: last.Add(-time.Duration(n-1-i) * lengthOf(grain)), Counts: map[string]uint64{}}
	}
	return slots
}

// fill adds what happened to the slots in which it did.
func fill(slots []slot, grain broker.Grain, stats []broker.Stat) {
	for _, stat := range stats {
		at := int(stat.At.Sub(slots[0].At) / lengthOf(grain))
		for what, count := range stat.Counts {
			slots[at].Counts[what] += count
		}
	}
}

// within sums up what happened since a moment. Of the stretch in which the moment lies it takes the share that lies
// behind it, as if what happened there had happened evenly.
func within(slots []slot, length time.Duration, since time.Time) map[string]float64 {
	sums := make(map[string]float64)
	for _, s := range slots {
		share := min(s.At.Add(length).Sub(since).Seconds()/length.Seconds(), 1)
		for what, n := range s.Counts {
			sums[what] += float64(n) * max(share, 0)
		}
	}
	return sums
}

// lengthOf is how long a stretch is. Days are Shanghai's, where no day is longer than another.
func lengthOf(grain broker.Grain) time.Duration {
	if grain == broker.Hourly {
		return time.Hour
	}
	return 24 * time.Hour
}

// startOf is when the stretch of a moment began.
func (a *api) startOf(grain broker.Grain, t time.Time) time.Time {
	const ahead = 8 * time.Hour // is Shanghai of UTC
	if grain == broker.Hourly {
		return t.UTC().Truncate(time.Hour)
	}
	return t.UTC().Add(ahead).Truncate(24 * time.Hour).Add(-ahead)
}
