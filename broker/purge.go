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

// Purge deletes what has been dead for an hour, and what is kept for a while only.
func (b *Broker) Purge(ctx context.Context) (Counts, error) {
	now := b.clock()
	counts := Counts{}
	err := inBites(ctx, counts, "purged", func() (int, error) {
		return b.store.PurgeLinks(ctx, now.Add(-purgeGrace), purgeBite)
	})
	if err != nil {
		return counts, err
	}
	err = inBites(ctx, counts, "stats", func() (int, error) {
		return b.store.PurgeStats(ctx, now.Add(-hourlyKept), purgeBite)
	})
	if err != nil {
		return counts, err
	}
	if counts["audit_entries"], err = b.store.PurgeAudit(ctx, now.Add(-b.policy.AuditRetention)); err != nil {
		return counts, err
	}
	return counts, b.store.PurgeQuota(ctx, now.AddDate(0, 0, -ledgerDays).UTC().Format(time.DateOnly))
}

// inBites deletes bite by bite until one is not full.
func inBites(ctx context.Context, counts Counts, name string, purge func() (int, error)) error {
	for {
		n, err := purge()
		counts[name] += n
		if err != nil || n < purgeBite {
			return err
		}
		if !sleep(ctx, purgePause) {
			return ctx.Err()
		}
	}
}
