package handlers

import (
	"net/url"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// burnView is how an app burns its quota of the day down.
type burnView struct {
	broker.Quota

	Left    int64
	PerHour float64   // of the last hours
	EndsAt  time.Time // when at this rate nothing is left; zero = not before the day ends
	AtEnd   int64     // what at this rate is left then
	Known   bool      // whether there is a rate yet
	Points  []point   // what was left, hour by hour, and now
}

// Whole and Parts are for a bar of what is used.
func (b burnView) Whole() float64 { return float64(b.Limit) }

// Parts are for the same.
func (b burnView) Parts() []part {
	class := "used"
	switch {
	case b.Left == 0 || !b.ClosedUntil.IsZero():
		class = "full"
	case !b.EndsAt.IsZero():
		class = "near"
	}
	return []part{{class, float64(b.Used)}}
}

// Burns is how each app stands.
func (v overviewView) Burns() ([]burnView, error) {
	quotas, err := v.a.Broker.Quotas(v.ctx)
	if err != nil {
		return nil, err
	}
	burns := make([]burnView, 0, len(quotas))
	for _, quota := range quotas {
		hours, err := v.a.history(v.ctx, broker.Hourly, 25, v.now, broker.CallsOf+quota.App)
		if err != nil {
			return nil, err
		}
		burns = append(burns, burn(quota, hours, v.now))
	}
	return burns, nil
}

// Tightest is the app that will have the least left.
func (v overviewView) Tightest() (burnView, error) {
	burns, err := v.Burns()
	var tightest burnView
	for i, b := range burns {
		if i == 0 || b.share() > tightest.share() {
			tightest = b
		}
	}
	return tightest, err
}

func (b burnView) share() float64 { return float64(b.Limit-b.AtEnd) / float64(max(b.Limit, 1)) }

// How the rate is taken: from the calls of the last hours, if there was some time for it.
const (
	rateOver  = 3 * time.Hour
	rateLeast = 5 * time.Minute
)

// burn puts together what is left of a quota. The hours say when it was spent; what the ledger says counts: after a crash
// it knows of more.
func burn(quota broker.Quota, hours []slot, now time.Time) burnView {
	b := burnView{Quota: quota, Left: max(quota.Limit-quota.Used, 0)}
	begins := quota.ResetsAt.Add(-24 * time.Hour)
	b.Points = []point{{begins, float64(quota.Limit)}}
	left, since := float64(quota.Limit), now
	for _, hour := range hours {
		n := spent(hour.Counts)
		if n > 0 && hour.At.Before(since) {
			since = hour.At
		}
		end := hour.At.Add(time.Hour)
		if hour.At.Before(begins) || end.After(now) {
			continue
		}
		left = max(left-float64(n), float64(b.Left))
		b.Points = append(b.Points, point{end, left})
	}
	b.Points = append(b.Points, point{now, float64(b.Left)})
	b.forecast(hours, maxTime(since, now.Add(-rateOver)), now)
	return b
}

// forecast goes on as in the time since a moment.
func (b *burnView) forecast(hours []slot, since, now time.Time) {
	b.AtEnd = b.Left
	over := now.Sub(since)
	if b.Known = over >= rateLeast; !b.Known {
		return
	}
	sums := within(hours, time.Hour, since)
	b.PerHour = (sums[broker.CountGood] + sums[string(broker.Unavailable)]) / over.Hours()
	rest := b.ResetsAt.Sub(now)
	if needed := b.PerHour * rest.Hours(); needed >= float64(b.Left) && b.PerHour > 0 {
		b.EndsAt = now.Add(time.Duration(float64(b.Left) / b.PerHour * float64(time.Hour)))
		b.AtEnd = 0
	} else {
		b.AtEnd = b.Left - int64(needed)
	}
}

// spent is how many calls may have generated: those with a link, and those of which nobody knows.
func spent(counts map[string]uint64) uint64 {
	return counts[broker.CountGood] + counts[string(broker.Unavailable)]
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// BurnChart draws how an app's quota goes.
func (v overviewView) BurnChart(b burnView) chartView {
	return chartView{
		Path: "/charts/quota.svg", Query: url.Values{"app": {b.App}}, Size: "half", Scheme: v.scheme,
		Alt: v.texts.say("quota.alt", b.App), at: v.now,
	}
}

// quotaChart answers GET /charts/quota.svg.
func (a *api) quotaChart(c *gin.Context, _ caller) error {
	chart, err := a.chart(c)
	if err != nil {
		return err
	}
	app := param(c.Request.URL.RawQuery, "app")
	burns, err := overviewView{a: a, ctx: c.Request.Context(), now: a.Clock()}.Burns()
	if err != nil {
		return err
	}
	for _, b := range burns {
		if b.App != app {
			continue
		}
		chart.from, chart.to, chart.most = b.ResetsAt.Add(-24*time.Hour), b.ResetsAt, float64(b.Limit)
		chart.zone = a.quotaZone(app)
		return writeChart(c, chart.lines(b.Points, b.expected(a.Clock())))
	}
	return broker.Errorf(broker.UnknownApp, "no app of the appid %s is configured", strconv.Quote(app))
}

// expected goes on from now to where the quota or the day ends.
func (b burnView) expected(now time.Time) []point {
	switch {
	case !b.Known || !b.ClosedUntil.IsZero():
		return nil
	case !b.EndsAt.IsZero():
		return []point{{now, float64(b.Left)}, {b.EndsAt, 0}}
	default:
		return []point{{now, float64(b.Left)}, {b.ResetsAt, float64(b.AtEnd)}}
	}
}

func (a *api) quotaZone(app string) *time.Location {
	for _, one := range a.Broker.Apps() {
		if one.ID == app {
			return one.QuotaZone
		}
	}
	return time.UTC
}
