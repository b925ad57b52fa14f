package sandbox

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// shanghai is the zone of WeChat's quota day (assumed). China has no summer time.
var shanghai = time.FixedZone("Asia/Shanghai", 8*60*60)

func quotaDay(t time.Time) string { return t.In(shanghai).Format(time.DateOnly) }

// app is a mini program and what WeChat counts of it.
type app struct {
	App

	tokens tokens

	second int64 // the second in which calls were last counted
	calls  int   // in it

	day       string // the quota day in which links were last counted
	used      int    // URL Links and schemes made in it
	visits    int    // links opened in it
	short     int    // short links made in it
	permanent int    // permanent ones made ever
}

func newApp(a App, tokenLife time.Duration) *app {
	a.DailyQuota = cmp.Or(a.DailyQuota, 500_000)
	a.Rate = cmp.Or(a.Rate, 200)
	a.ShortLinkQuota = cmp.Or(a.ShortLinkQuota, 1_000_000)
	a.PermanentShortLinks = cmp.Or(a.PermanentShortLinks, 100_000)
	return &app{App: a, tokens: tokens{life: cmp.Or(tokenLife, 2*time.Hour)}}
}

// tooFast counts a call and reports whether there were too many in its second.
func (a *app) tooFast(now time.Time) bool {
	if second := now.Unix(); second != a.second {
		a.second, a.calls = second, 0
	}
	a.calls++
	return a.calls > a.Rate
}

// turnDay begins to count anew when the quota day has changed.
func (a *app) turnDay(now time.Time) {
	if day := quotaDay(now); day != a.day {
		a.day, a.used, a.visits, a.short = day, 0, 0, 0
	}
}

// hasPage reports whether a path is a page of the released version. The home page always is.
func (a *app) hasPage(path string) bool {
	return path == "" || len(a.Pages) == 0 || slices.ContainsFunc(a.Pages, func(page string) bool {
		return strings.TrimLeft(page, "/") == path
	})
}
