package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"linkbroker/broker"
	"linkbroker/cache"
)

// inspectCommand is the hidden command in which a store's file is looked over before it is served.
const inspectCommand = "inspect-store"

// openStore opens the store of a configuration, after a child process has looked it over.
func openStore(ctx context.Context, cfg Config, logger *slog.Logger) (*cache.Store, error) {
	options, err := storeOptions(cfg, logger)
	if err != nil {
		return nil, err
	}
	store, err := cache.Open(ctx, cfg.Store, options)
	if err != nil {
		return nil, fmt.Errorf("opening the store: %w", err)
	}
	return store, nil
}

func storeOptions(cfg Config, logger *slog.Logger) (cache.Options, error) {
	self, err := os.Executable()
	if err != nil {
		return cache.Options{}, fmt.Errorf("finding this program, which has a child look the store over: %w", err)
	}
	return cache.Options{
		Clock:       time.Now,
		MemoryLinks: cfg.Cache.MemoryLinks,
		BackupDir:   cfg.Backup.Dir,
		Probe:       cache.Subprocess(self, inspectCommand),
		Logger:      logger,
	}, nil
}

func newInspect() *cobra.Command {
	return &cobra.Command{
		Use:    inspectCommand + " DEPTH FILE",
		Short:  "Look a store's file over, and tell by the exit status",
		Hidden: true,
		Args:   cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return exitStatus(cache.InspectAndExit(cmd.Context(), cache.Depth(args[0]), args[1], cmd.ErrOrStderr()))
		},
	}
}

// spentAfterRestore is the share of the day's quota that counts as spent when the ledger comes from a backup.
const spentAfterRestore = 0.5

// settleRestore draws the consequence of a restore, whether the start or `linkbroker restore` did it. A crash in
// between draws it again.
func settleRestore(ctx context.Context, store *cache.Store, b *broker.Broker, logger *slog.Logger) error {
	restored, err := store.Restored()
	if err != nil || !restored {
		return err
	}
	if err := b.AssumeSpent(ctx, spentAfterRestore); err != nil {
		return fmt.Errorf("counting quota as spent after the restore: %w", err)
	}
	logger.Warn("the store comes from a backup, whose ledger is older than the truth: today's quota counts as spent at least so far",
		"share", spentAfterRestore)
	return store.ConfirmRestored(ctx)
}
