package handlers

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// visitKinds are what visits are counted by, in the order in which they are shown; who was sent to the fallback is last.
//
//nolint:gochecknoglobals // a constant table
var visitKinds = []string{string(broker.InWeChat), string(broker.OnIOS), string(broker.OnAndroid), string(broker.Elsewhere), broker.FellBack}

// visitSums is how many came to an alias.
type visitSums struct {
	Total, Today uint64 // without those who were sent to the fallback
	Full         bool   // as many as may have come
	ByKind       map[string]uint64
}

// state is that of an alias, its visits included.
func (s visitSums) state(without string) string {
	if s.Full && without == "open" {
		return "full"
	}
	return without
}

func (a *api) sumVisits(ctx context.Context, alias broker.Alias, now time.Time) (sums visitSums, err error) {
	all, err := a.Broker.Visits(ctx, alias.Slug, broker.Total, time.Time{}, time.Time{})
	if err != nil {
		return sums, goneMeanwhile(err)
	}
	today := a.startOf(broker.Daily, now)
	days, err := a.Broker.Visits(ctx, alias.Slug, broker.Daily, today, today.Add(lengthOf(broker.Daily)))
	if err != nil {
		return sums, goneMeanwhile(err)
	}
	sums.ByKind = make(map[string]uint64)
	for _, stat := range all {
		for kind, n := range stat.Counts {
			sums.ByKind[kind] += n
		}
	}
	sums.Total = visitors(sums.ByKind)
	for _, stat := range days {
		sums.Today += visitors(stat.Counts)
	}
	sums.Full = alias.VisitLimit > 0 && sums.Total >= alias.VisitLimit
	return sums, nil
}

// goneMeanwhile has an alias that was deleted after it was listed stand there once more.
func goneMeanwhile(err error) error {
	if errors.Is(err, broker.NotFound) {
		return nil
	}
	return err
}

// visitors counts those who came, without those who were sent to the fallback.
func visitors(counts map[string]uint64) (n uint64) {
	for kind, count := range counts {
		if kind != broker.FellBack {
			n += count
		}
	}
	return n
}

// visitSlots gives the visits of the last n hours or days, those in which nobody came among them.
func (a *api) visitSlots(ctx context.Context, slug string, grain broker.Grain, now time.Time) ([]slot, error) {
	slots := a.emptySlots(grain, visitsShown[grain], now)
	stats, err := a.Broker.Visits(ctx, slug, grain, slots[0].At, slots[len(slots)-1].At.Add(lengthOf(grain)))
	if err != nil {
		return nil, err
	}
	fill(slots, grain, stats)
	return slots, nil
}

// visitsShown is how many hours and days of visits are drawn.
//
//nolint:gochecknoglobals // a constant table
var visitsShown = map[broker.Grain]int{broker.Hourly: 48, broker.Daily: 90}

// visitsChartView is a chart of visits and the same numbers.
type visitsChartView struct {
	Grain broker.Grain
	Chart chartView
	Slots []slot // the latest first, without those in which nobody came
}

// Charts are those of the visits to the alias.
func (v aliasPageView) Charts() ([]visitsChartView, error) {
	var all []visitsChartView
	for _, grain := range []broker.Grain{broker.Hourly, broker.Daily} {
		slots, err := v.a.visitSlots(v.ctx, v.Stored.Slug, grain, v.now)
		if err != nil {
			return nil, err
		}
		slices.Reverse(slots)
		slots = slices.DeleteFunc(slots, func(s slot) bool { return len(s.Counts) == 0 })
		all = append(all, visitsChartView{Grain: grain, Slots: slots, Chart: chartView{
			Path: "/charts/visits.svg", Query: url.Values{"slug": {v.Stored.Slug}, "per": {string(grain)}}, Size: "half", Scheme: v.scheme,
			Alt: v.texts.say("visits."+string(grain)+".alt", v.Stored.Slug), at: v.now,
		}})
	}
	return all, nil
}

// Kinds are what visits are counted by.
func (aliasPageView) Kinds() []string { return visitKinds }

// Visits is how many came.
func (v aliasPageView) Visits() (visitSums, error) { return v.a.sumVisits(v.ctx, *v.Stored, v.now) }

// visitsChart answers GET /charts/visits.svg.
func (a *api) visitsChart(c *gin.Context, _ caller) error {
	chart, err := a.chart(c)
	if err != nil {
		return err
	}
	grain := broker.Grain(param(c.Request.URL.RawQuery, "per"))
	if visitsShown[grain] == 0 {
		return broker.Errorf(malformed, "a chart of visits is per hour or per day")
	}
	slots, err := a.visitSlots(c.Request.Context(), param(c.Request.URL.RawQuery, "slug"), grain, a.Clock())
	if err != nil {
		return err
	}
	return writeChart(c, chart.bars(slots, visitKinds...))
}
