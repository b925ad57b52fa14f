package broker

import (
	"context"
	"time"
)

// Purging holds the store's writer for 70 to 130 µs a link, so it goes in small bites with room between them.
const (
	purgeBite  = 200
	purgePause = 10 * time.Millisecond

	// purgeGrace is how long the dead are kept: a clock that ran ahead for a while must not cost the living.
	purgeGrace = time.Hour

	// ledgerDays is how long a quota day is remembered.
	ledgerDays = 40
)

// Purge deletes what has been dead for an hour.
func (b *Broker) Purge(ctx context.Context) (Counts, error) {
	now := b.clock()
	counts := Counts{"purged": 0}
	for {
		n, err := b.store.PurgeLinks(ctx, now.Add(-purgeGrace), purgeBite)
		counts["purged"] += n
		if err != nil {
			return counts, err
		}
		if n < purgeBite {
			break
		}
		if !sleep(ctx, purgePause) {
			return counts, ctx.Err()
		}
	}
	entries, err := b.store.PurgeAudit(ctx, now.Add(-b.policy.AuditRetention))
	if err != nil {
		return counts, err
	}
	counts["audit_entries"] = entries
	return counts, b.store.PurgeQuota(ctx, now.AddDate(0, 0, -ledgerDays).UTC().Format(time.DateOnly))
}
