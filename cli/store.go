package cli

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
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
	store, err := cache.Open(ctx, string(cfg.Store), options)
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

// settleRestore draws the consequences of a restore, whether the start or `linkbroker restore` did it. A crash in
// between draws them again.
func settleRestore(ctx context.Context, store *cache.Store, b *broker.Broker, clients *broker.Clients, logger *slog.Logger) error {
	restored, err := store.Restored()
	if err != nil || !restored {
		return err
	}
	if err := b.AssumeSpent(ctx, spentAfterRestore); err != nil {
		return fmt.Errorf("counting quota as spent after the restore: %w", err)
	}
	logger.Warn("the store comes from a backup, whose ledger is older than the truth: today's quota counts as spent at least so far",
		"share", spentAfterRestore)
	disabled := enabledInStore(clients)
	if _, err := clients.DisableStored(ctx); err != nil {
		return fmt.Errorf("disabling the keys of the store after the restore: %w", err)
	}
	if len(disabled) > 0 {
		logger.Error("the store comes from a backup, with which a key that was revoked since could have come back: "+
			"its clients are disabled until each is enabled again", "clients", disabled, "command", "linkbroker keys enable NAME")
	}
	err = b.Audit(ctx, broker.AuditEntry{
		Actor: "linkbroker", Action: "store.restore",
		Detail: fmt.Sprintf("at least %.0f%% of today's quota counts as spent; disabled: %s",
			100*spentAfterRestore, cmp.Or(strings.Join(disabled, ", "), "nobody")),
	})
	if err != nil {
		return fmt.Errorf("noting the restore in the audit: %w", err)
	}
	return store.ConfirmRestored(ctx)
}

// enabledInStore names the clients of the store that are not disabled.
func enabledInStore(clients *broker.Clients) (names []string) {
	for _, client := range clients.List() {
		if !client.Configured() && !client.Disabled {
			names = append(names, client.Name)
		}
	}
	return names
}
