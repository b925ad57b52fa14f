package handlers

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// overviewView is what overview.html shows. Its parts live on their own, so each looks up what it shows.
type overviewView struct {
	a      *api
	ctx    context.Context //nolint:containedctx // it lives as long as the request
	texts  texts
	scheme string
	now    time.Time
}

// overview answers GET /.
func (a *api) overview(c *gin.Context, who caller) error {
	language := a.pageLanguage(c.Request)
	return a.page(c, who, "overview", overviewView{
		a: a, ctx: c.Request.Context(), texts: a.Pages.texts[language], scheme: pageScheme(c.Request), now: a.Clock(),
	})
}

// stateView is whether requests are answered as they should be.
type stateView struct {
	Kind     string // ready, degraded or unready
	Degraded []string
	Reason   string // English
}

// degradedTexts are the messages for what Config.Ready names.
//
//nolint:gochecknoglobals // a constant table
var degradedTexts = []struct{ prefix, key string }{
	{"access token of ", "state.token"}, {"quota of ", "state.quota"}, {"job ", "state.job"}, {"store", "state.store"},
}

// State is for the first line.
func (v overviewView) State() stateView {
	degraded, err := v.a.Ready(v.ctx)
	if err != nil {
		return stateView{Kind: "unready", Reason: err.Error()}
	}
	state := stateView{Kind: "ready"}
	for _, name := range degraded {
		state.Kind = "degraded"
		for _, text := range degradedTexts {
			if of, ok := strings.CutPrefix(name, text.prefix); ok {
				name = v.texts.say(text.key, of)
				break
			}
		}
		state.Degraded = append(state.Degraded, name)
	}
	return state
}

// Empty reports whether nothing has been asked and nothing is stored: then the page says how to begin.
func (v overviewView) Empty() (bool, error) {
	if census := v.a.census(v.ctx); census != nil && census.Links > 0 {
		return false, nil
	}
	month, err := v.traffic(broker.Daily, 30)
	return month.Requests == 0, err
}

// Example is where to send a first request.
func (v overviewView) Example() string { return v.a.example() }

// trafficView is how requests were answered.
type trafficView struct {
	Name                               string // of the time: a message traffic.NAME
	Requests, Hit, Stale, Miss, Failed float64
	Slots                              []slot
}

// Ratio is the share of the requests that were answered from the store.
func (t trafficView) Ratio() float64 { return (t.Hit + t.Stale) / max(t.Requests, 1) }

// Parts are for a bar.
func (t trafficView) Parts() []part {
	return []part{{"hit", t.Hit}, {"stale", t.Stale}, {"miss", t.Miss}, {"failed", t.Failed}}
}

// Traffic is how requests were answered in the last hour, day and month.
func (v overviewView) Traffic() ([]trafficView, error) {
	var all []trafficView
	for _, of := range []struct {
		name  string
		grain broker.Grain
		n     int
	}{{"hour", broker.Hourly, 1}, {"day", broker.Hourly, 24}, {"month", broker.Daily, 30}} {
		t, err := v.traffic(of.grain, of.n)
		if err != nil {
			return nil, err
		}
		t.Name = of.name
		all = append(all, t)
	}
	return all, nil
}

// traffic sums up the answers of all apps over the last n hours or days.
func (v overviewView) traffic(grain broker.Grain, n int) (t trafficView, err error) {
	slots, err := v.a.answers(v.ctx, grain, n+1, v.now)
	if err != nil {
		return t, err
	}
	sums := within(slots, lengthOf(grain), v.now.Add(-time.Duration(n)*lengthOf(grain)))
	t = trafficView{
		Hit: sums[string(broker.Hit)], Stale: sums[string(broker.Stale)], Miss: sums[string(broker.Miss)], Failed: sums[broker.CountFailed],
		Slots: slots[len(slots)-n:],
	}
	t.Requests = t.Hit + t.Stale + t.Miss + t.Failed
	return t, nil
}

// Hours are the numbers of the chart of requests.
func (v overviewView) Hours() ([]slot, error) {
	slots, err := v.a.answers(v.ctx, broker.Hourly, 24, v.now)
	slices.Reverse(slots)
	return slots, err
}

// RequestsChart draws them.
func (v overviewView) RequestsChart() chartView {
	return chartView{Path: "/charts/requests.svg", Size: "wide", Scheme: v.scheme, Alt: v.texts.say("traffic.alt"), at: v.now}
}

// requestsChart answers GET /charts/requests.svg.
func (a *api) requestsChart(c *gin.Context, _ caller) error {
	chart, err := a.chart(c)
	if err != nil {
		return err
	}
	slots, err := a.answers(c.Request.Context(), broker.Hourly, 24, a.Clock())
	if err != nil {
		return err
	}
	return writeChart(c, chart.bars(slots, string(broker.Hit), string(broker.Stale), string(broker.Miss), broker.CountFailed))
}

// Census is what stands in the store; nil before the first count.
func (v overviewView) Census() *broker.Census {
	census := v.a.census(v.ctx)
	if census != nil {
		census.Pages = census.Pages[:min(len(census.Pages), mostTop)]
	}
	return census
}

// mostTop is how many of the pages and clients with the most requests are shown.
const mostTop = 8

// TimeLeft are the classes of the census as parts of a bar.
func (v overviewView) TimeLeft(census *broker.Census) []part {
	var parts []part
	for i, class := range []string{"dead", "d1", "d3", "d10", "later"} {
		parts = append(parts, part{class, float64(census.ByTimeLeft[i])})
	}
	return parts
}

// clientUse is what a client asked for in the last day.
type clientUse struct {
	Name          string
	Requests, Hit float64
}

// Ratio is the share that was answered from the store.
func (c clientUse) Ratio() float64 { return c.Hit / max(c.Requests, 1) }

// Clients are those that asked the most in the last day.
func (v overviewView) Clients() ([]clientUse, error) {
	var all []clientUse
	for _, client := range v.a.Clients.List() {
		slots, err := v.a.history(v.ctx, broker.Hourly, 25, v.now, broker.AskedBy+client.Name)
		if err != nil {
			return nil, err
		}
		use := clientUse{Name: client.Name}
		for what, n := range within(slots, time.Hour, v.now.Add(-24*time.Hour)) {
			use.Requests += n
			if what == string(broker.Hit) || what == string(broker.Stale) {
				use.Hit += n
			}
		}
		if use.Requests > 0 {
			all = append(all, use)
		}
	}
	slices.SortFunc(all, func(a, b clientUse) int {
		return cmp.Or(cmp.Compare(b.Requests, a.Requests), cmp.Compare(a.Name, b.Name))
	})
	return all[:min(len(all), mostTop)], nil
}

// Warnings are the latest that the log has.
func (v overviewView) Warnings() []Warning {
	if v.a.Warnings == nil {
		return nil
	}
	return v.a.Warnings()
}
