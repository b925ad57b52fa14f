package broker

import (
	"context"
	"time"
)

// Account is one of WeChat's quotas: generations are counted by it, each app for itself.
type Account string

// The accounts.
const (
	Links               Account = "links"                 // URL Links and schemes together, a day
	ShortLinks          Account = "short_links"           // a day, permanent ones among them
	PermanentShortLinks Account = "permanent_short_links" // in all, for ever
)

// accounts are all there are, in the order in which they are shown.
var accounts = []Account{Links, ShortLinks, PermanentShortLinks}

// account is what is left of a quota, and whether WeChat says that it is used up.
type account struct {
	ledger *ledger
	latch  latch
}

// newAccount opens an account of an app. That of links has the app's own name in the store: it was there first.
func newAccount(store LedgerStore, app App, name Account) *account {
	id, days := app.ID+"/"+string(name), quotaDays(app.zone())
	if name == Links {
		id = app.ID
	}
	if name == PermanentShortLinks {
		days = allTime{app.zone()}
	}
	return &account{ledger: newLedger(store, id, app.limit(name), days, QuotaExhausted)}
}

// limit is how many generations an account has.
func (a App) limit(name Account) int64 {
	switch name {
	case ShortLinks:
		return a.ShortLinkQuota
	case PermanentShortLinks:
		return a.PermanentShortLinks
	default:
		return a.DailyQuota
	}
}

// quotaDays says on which day of a quota a moment lies.
type quotaDays interface {
	day(t time.Time) string        // ISO 8601
	nextDay(t time.Time) time.Time // when asking again makes sense
	called(day string) string      // for people
}

// allTime is the one day of a quota that never comes back. It sorts behind all real days, so it is never purged.
type allTime struct{ quotaZone }

func (allTime) day(time.Time) string { return "9999-12-31" }

func (allTime) called(string) string { return "there are for ever" }

// units are taken from several accounts for one generation.
type units []unit

// spend takes a unit from each account of a target, or from none.
func (a *app) spend(ctx context.Context, w want, clock Clock) (taken units, err error) {
	for _, name := range w.target.Accounts() {
		ledger := a.accounts[name].ledger
		u, err := ledger.spend(ctx, clock, a.keptFrom(ledger, w.purpose))
		if err != nil {
			taken.refund()
			return nil, err
		}
		taken = append(taken, u)
	}
	return taken, nil
}

// refund gives units back that were certainly not spent.
func (u units) refund() {
	for _, one := range u {
		one.refund()
	}
}

// reserveAhead sees to it that the accounts have further units by the time they are needed.
func (u units) reserveAhead(ctx context.Context) {
	for _, one := range u {
		one.of.reserveAhead(ctx, one.day)
	}
}

// keptFrom is how much of a quota a purpose must leave untouched.
func (a *app) keptFrom(l *ledger, purpose Purpose) int64 {
	switch purpose {
	case Prewarming:
		return int64(float64(l.limit) * a.PrewarmReserve)
	case Batched:
		return int64(float64(l.limit) * a.BatchReserve)
	default:
		return 0
	}
}
