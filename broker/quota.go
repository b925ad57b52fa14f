package broker

import (
	"context"
	"time"
)

// Quota is how an app stands with its quotas.
type Quota struct {
	App         string
	Day         string    // ISO 8601, in the app's quota zone
	Limit       int64     // URL Links and schemes
	Used        int64     // units spent; a crash may count a few as spent that were not
	PrewarmLeft int64     // units that pre-warming may still spend
	BatchLeft   int64     // units that batches may still spend
	ResetsAt    time.Time // when the next quota day begins
	ClosedUntil time.Time // zero unless WeChat said that the day's quota is used up
	Rate        float64   // calls a second that WeChat is asked at present

	Others   []AccountQuota // those that are not for URL Links and schemes
	Openings Openings       // as last known; nobody is asked for it here
}

// AccountQuota is how an app stands with one of WeChat's further quotas.
type AccountQuota struct {
	Account     Account
	Limit       int64
	Used        int64
	ClosedUntil time.Time
}

// Quotas says how each app stands with its quotas.
func (b *Broker) Quotas(ctx context.Context) ([]Quota, error) {
	now := b.clock()
	quotas := make([]Quota, 0, len(b.policy.Apps))
	for _, a := range b.policy.Apps {
		app := b.apps[a.ID]
		quota := Quota{
			App:      a.ID,
			Day:      a.zone().day(now),
			ResetsAt: a.zone().nextDay(now).UTC(),
			Rate:     app.pace.current(now),
			Openings: app.openings.known(),
		}
		for _, name := range accounts {
			account := app.accounts[name]
			used, err := account.ledger.used(ctx, now)
			if err != nil {
				return nil, err
			}
			limit, closed := account.ledger.limit, account.latch.closedUntil(now)
			if name != Links {
				quota.Others = append(quota.Others, AccountQuota{Account: name, Limit: limit, Used: used, ClosedUntil: closed})
				continue
			}
			quota.Limit, quota.Used, quota.ClosedUntil = limit, used, closed
			quota.PrewarmLeft = max(limit-app.keptFrom(account.ledger, Prewarming)-used, 0)
			quota.BatchLeft = max(limit-app.keptFrom(account.ledger, Batched)-used, 0)
		}
		quotas = append(quotas, quota)
	}
	return quotas, nil
}

// AssumeSpent counts at least this share of today's quota of every app as spent: after a backup was restored, whose
// ledger is older than the truth. Quotas that never come back are left alone: what is counted there is lost for good,
// and WeChat itself refuses what is too much.
func (b *Broker) AssumeSpent(ctx context.Context, share float64) error {
	now := b.clock()
	for _, app := range b.apps {
		for _, name := range []Account{Links, ShortLinks} {
			ledger := app.accounts[name].ledger
			if err := ledger.assumeSpent(ctx, now, int64(float64(ledger.limit)*share)); err != nil {
				return err
			}
		}
	}
	return nil
}
