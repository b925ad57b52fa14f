package broker

import (
	"slices"
	"time"
)

// Policy is what the operator decides. New fills in what is zero with the values named here.
type Policy struct {
	Apps []App

	Deadline           time.Duration // the longest a request waits, retries included; 4 s
	MaxWaiting         int           // how many distinct keys may be generated or waited for at once; 4096
	AddressGenerations int           // a minute, for an address that uses a publishable key; 0 = no limit
	AuditRetention     time.Duration // how long the audit is kept; 400 days
	Observe            func(Event)   // told of what happens; may be nil; must not block
}

// App is one mini program.
type App struct {
	ID          string
	Rate        float64        // generate calls a second; 150
	DailyQuota  int64          // URL Links and schemes a quota day; 500,000
	QuotaZone   *time.Location // in which zone the quota day begins at 00:00; Asia/Shanghai
	LinkHosts   []string       // hosts a generated link may have; wxaurl.cn, wxmpurl.cn
	NeverShare  bool           // each request is its own generation (mini games' old rule)
	AtLeast     bool           // a life of N days is answered with the living link, which lives at least as long
	ExactExpiry bool           // a far expire_time is not rounded down to ExpireTimeGrain
	// ExpireTimeGrain is what a far expire_time is rounded down to; 1 h. See ExactExpiry for none.
	ExpireTimeGrain time.Duration
	// Splice appends queries to the link of their page without one (?cq=), so that one generation serves them all.
	Splice bool
	// FallbackHosts are those to which aliases may send visitors where there is no link.
	FallbackHosts []string
	// BatchReserve is the share of DailyQuota that batches leave untouched; 0.2.
	BatchReserve float64
	// PrewarmReserve is the share of DailyQuota below which pre-warming stops for the day; 0.5.
	PrewarmReserve float64

	ShortLinkQuota      int64 // short links a quota day; 1,000,000
	PermanentShortLinks int64 // permanent short links in all; 100,000
	PlainScheme         bool  // plain schemes may be put together: the pages are declared for them in WeChat's console
}

// shanghai is WeChat's quota day. A fixed zone: China has no summer time, and a bare machine has no zone files.
var shanghai = time.FixedZone("Asia/Shanghai", int(shanghaiAhead/time.Second))

const shanghaiAhead = 8 * time.Hour // of UTC

func (p Policy) withDefaults() Policy {
	if p.Deadline <= 0 {
		p.Deadline = 4 * time.Second
	}
	if p.MaxWaiting <= 0 {
		p.MaxWaiting = 4096
	}
	if p.AuditRetention <= 0 {
		p.AuditRetention = 400 * day
	}
	if p.Observe == nil {
		p.Observe = func(Event) {}
	}
	p.Apps = slices.Clone(p.Apps)
	for i, app := range p.Apps {
		p.Apps[i] = app.withDefaults()
	}
	return p
}

func (a App) withDefaults() App {
	if a.Rate <= 0 {
		a.Rate = 150
	}
	if a.DailyQuota <= 0 {
		a.DailyQuota = 500_000
	}
	if a.QuotaZone == nil {
		a.QuotaZone = shanghai
	}
	if len(a.LinkHosts) == 0 {
		a.LinkHosts = []string{"wxaurl.cn", "wxmpurl.cn"}
	}
	if a.ExpireTimeGrain <= 0 {
		a.ExpireTimeGrain = time.Hour
	}
	if a.ExactExpiry {
		a.ExpireTimeGrain = 0
	}
	if a.PrewarmReserve <= 0 {
		a.PrewarmReserve = 0.5
	}
	if a.BatchReserve <= 0 {
		a.BatchReserve = 0.2
	}
	if a.ShortLinkQuota <= 0 {
		a.ShortLinkQuota = 1_000_000
	}
	if a.PermanentShortLinks <= 0 {
		a.PermanentShortLinks = 100_000
	}
	return a
}

// Accepts reports whether a link of a kind may be handed out.
func (a App) Accepts(kind Kind, link string) bool { return kind.rules().accepts(link, a.LinkHosts) }

// quotaZone is the zone in which a quota day begins at 00:00.
type quotaZone struct{ *time.Location }

// day names the quota day of a moment, as ISO 8601.
func (z quotaZone) day(t time.Time) string { return t.In(z.Location).Format(time.DateOnly) }

func (quotaZone) called(day string) string { return "of the quota day " + day }

// nextDay is when the next quota day begins.
func (z quotaZone) nextDay(t time.Time) time.Time {
	y, m, d := t.In(z.Location).Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, z.Location)
}

func (a App) zone() quotaZone { return quotaZone{a.QuotaZone} }
