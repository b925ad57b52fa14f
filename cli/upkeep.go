package cli

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
	"linkbroker/jobs"
)

// newUpkeep makes the jobs of a configuration.
func newUpkeep(cfg Config, b *broker.Broker, clients *broker.Clients, store *cache.Store, logger *slog.Logger) (*jobs.Runner, error) {
	all := []jobs.Job{
		{Name: "purge", Schedule: cfg.Jobs.Purge, Run: b.Purge},
		{Name: "prewarm", Schedule: cfg.Jobs.Prewarm, Jitter: 20 * time.Second, Run: b.Prewarm},
		{Name: "verify", Schedule: cfg.Jobs.Verify, Jitter: time.Minute, Run: b.VerifyLinks},
		{Name: "flush", Schedule: cfg.Jobs.Flush, Each: true, Run: func(ctx context.Context) (broker.Counts, error) {
			counts, err := b.Flush(ctx)
			return counts, errors.Join(err, clients.Flush(ctx))
		}},
		{Name: "census", Schedule: cfg.Jobs.Census, AtStart: true, Run: b.TakeCensus},
	}
	if copies := cfg.copies(store); copies != nil && cfg.Backup.Dir != "" {
		all = append(all, jobs.Job{Name: "backup", Schedule: cfg.Jobs.Backup, Each: true, Run: copies.add})
	}
	return jobs.New(jobs.Config{Zone: zone(cfg.Jobs.Timezone), Clock: time.Now, Logger: logger, Jobs: all, Leads: b.Leads})
}
