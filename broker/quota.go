package broker

import (
	"context"
	"time"
)

// Quota is how an app stands with its quota of one day.
type Quota struct {
	App         string
	Day         string // ISO 8601, in the app's quota zone
	Limit       int64
	Used        int64     // units spent; a crash may count a few as spent that were not
	PrewarmLeft int64     // units that pre-warming may still spend
	BatchLeft   int64     // units that batches may still spend
	ResetsAt    time.Time // when the next quota day begins
	ClosedUntil time.Time // zero unless WeChat said that the day's quota is used up
	Rate        float64   // calls a second that WeChat is asked at present
}

// Quotas says how each app stands with its quota.
func (b *Broker) Quotas(ctx context.Context) ([]Quota, error) {
	now := b.clock()
	quotas := make([]Quota, 0, len(b.policy.Apps))
	for _, a := range b.policy.Apps {
		app := b.apps[a.ID]
		used, err := app.ledger.used(ctx, now)
		if err != nil {
			return nil, err
		}
		quotas = append(quotas, Quota{
			App:         a.ID,
			Day:         a.zone().day(now),
			Limit:       a.DailyQuota,
			Used:        used,
			PrewarmLeft: max(a.DailyQuota-app.keptFrom(Prewarming)-used, 0),
			BatchLeft:   max(a.DailyQuota-app.keptFrom(Batched)-used, 0),
			ResetsAt:    a.zone().nextDay(now).UTC(),
			ClosedUntil: app.trouble.closedUntil(now),
			Rate:        app.pace.current(now),
		})
	}
	return quotas, nil
}

// AssumeSpent counts at least this share of today's quota of every app as spent: after a backup was restored, whose
// ledger is older than the truth.
func (b *Broker) AssumeSpent(ctx context.Context, share float64) error {
	now := b.clock()
	for _, app := range b.apps {
		if err := app.ledger.assumeSpent(ctx, now, int64(float64(app.DailyQuota)*share)); err != nil {
			return err
		}
	}
	return nil
}
