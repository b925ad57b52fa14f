package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
	"linkbroker/jobs"
)

// newUpkeep makes the jobs of a configuration.
func newUpkeep(cfg Config, b *broker.Broker, clients *broker.Clients, store *cache.Store, logger *slog.Logger) (*jobs.Runner, error) {
	all := []jobs.Job{
		{Name: "purge", Schedule: cfg.Jobs.Purge, Run: b.Purge},
		// Several machines with one configuration share WeChat's rate.
		{Name: "prewarm", Schedule: cfg.Jobs.Prewarm, Jitter: 20 * time.Second, Run: b.Prewarm},
		{Name: "verify", Schedule: cfg.Jobs.Verify, Jitter: time.Minute, Run: b.VerifyLinks},
		{Name: "flush", Schedule: cfg.Jobs.Flush, Run: func(ctx context.Context) (broker.Counts, error) {
			counts, err := b.Flush(ctx)
			return counts, errors.Join(err, clients.Flush(ctx))
		}},
		{Name: "census", Schedule: cfg.Jobs.Census, AtStart: true, Run: b.TakeCensus},
	}
	if cfg.Backup.Dir != "" && strings.HasPrefix(cfg.Store, "bolt://") {
		copies := backups{store: store, dir: cfg.Backup.Dir, keep: cfg.Backup.Keep}
		all = append(all, jobs.Job{Name: "backup", Schedule: cfg.Jobs.Backup, Run: copies.add})
	}
	return jobs.New(jobs.Config{Zone: zone(cfg.Jobs.Timezone), Clock: time.Now, Logger: logger, Jobs: all})
}

// backups is a folder with copies of a store.
type backups struct {
	store *cache.Store
	dir   string
	keep  int
}

// add copies the store while it is in use, and deletes the oldest copies.
func (b backups) add(ctx context.Context) (broker.Counts, error) {
	copied, err := b.store.Backup(ctx, filepath.Join(b.dir, cache.BackupName(time.Now())), nil)
	if err != nil {
		return nil, fmt.Errorf("copying the store: %w", err)
	}
	counts := broker.Counts{"links": copied.Links, "damaged": copied.Dropped}
	deleted, err := cache.PruneBackups(b.dir, b.keep)
	counts["deleted"] = len(deleted)
	if err != nil {
		return counts, fmt.Errorf("deleting old backups: %w", err)
	}
	return counts, nil
}
