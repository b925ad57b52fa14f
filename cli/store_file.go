package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"linkbroker/cache"
)

// The commands that work on the store's file while no broker has it open.

// storeFile is that file and where its backups are.
type storeFile struct {
	path    string
	backups string
	options cache.Options
}

// addStoreFlags gives a command what it needs to find the store.
func addStoreFlags(cmd *cobra.Command) {
	addConfigFlag(cmd)
	cmd.Flags().String("store", "", "bolt://`path` (default: the configuration's)")
}

// newStoreFile finds the store.
func newStoreFile(cmd *cobra.Command) (storeFile, error) {
	settings, err := readPart(cmd, "store", "backup")
	if err != nil {
		return storeFile{}, err
	}
	path, isFile := settings.Store.file()
	switch {
	case settings.Store.shared():
		return storeFile{}, fmt.Errorf("the store is %s, which has no file: Redis is backed up by its own means, and `linkbroker migrate` "+
			"moves a store into a file", settings.Store)
	case !isFile:
		return storeFile{}, fmt.Errorf("the store is %s, which has no file", settings.Store)
	}
	if _, err := os.Stat(path); err != nil && cmd.Name() != restoreCommand {
		return storeFile{}, fmt.Errorf("there is no store: %w", err)
	}
	options, err := storeOptions(settings.Config, slog.New(slog.DiscardHandler))
	return storeFile{path: path, backups: settings.Backup.Dir, options: options}, err
}

// open opens the file for copying. A damaged one is not replaced, as serve would do.
func (f storeFile) open(ctx context.Context) (*cache.Store, error) {
	if err := f.options.Probe(ctx, cache.Quick, f.path); err != nil {
		return nil, err
	}
	return cache.Open(ctx, "bolt://"+f.path, f.options)
}

func newBackup() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup [FILE]",
		Short: "Copy the store of a broker that is not running",
		Long: `Copies the store into a new file, by default into backup.dir. The broker must not be running;
while it is, ` + "`linkbroker jobs run backup`" + ` has it make the copy itself.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			file, err := newStoreFile(cmd)
			if err != nil {
				return err
			}
			to := cmp.Or(append(args, "")[0], filepath.Join(file.backups, cache.BackupName(time.Now())))
			store, err := file.open(cmd.Context())
			if errors.Is(err, cache.ErrInUse) {
				return fmt.Errorf("%w. While it runs, `linkbroker jobs run backup` copies it", err)
			}
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, store.Close()) }()
			copied, err := store.Backup(cmd.Context(), to, nil)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d links copied into %s\n", copied.Links, to)
			return nil
		},
	}
	addStoreFlags(cmd)
	return cmd
}

const restoreCommand = "restore"

func newRestore() *cobra.Command {
	cmd := &cobra.Command{
		Use:   restoreCommand + " FILE",
		Short: "Put a backup into the place of the store",
		Long: `Puts a backup into the place of the store. The backup is looked over first, and what it replaces
is kept under another name. The broker must not be running. On its next start at least half of
today's quota counts as spent, because the backup does not know what was spent since.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := newStoreFile(cmd)
			if err != nil {
				return err
			}
			kept, err := cache.Restore(cmd.Context(), args[0], file.path, file.options)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is restored from %s\n", file.path, args[0])
			if kept != "" {
				fmt.Fprintf(cmd.OutOrStdout(), "what was there is kept as %s\n", kept)
			}
			return nil
		},
	}
	addStoreFlags(cmd)
	return cmd
}

func newCompact() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "compact",
		Short: "Give the space back that the store no longer needs",
		Long: `Copies the store into a file without unused pages and puts that into its place. Until then the
disk needs room for both. The broker must not be running.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			file, err := newStoreFile(cmd)
			if err != nil {
				return err
			}
			done, err := cache.Compact(cmd.Context(), file.path)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d links: %s before, %s now\n", done.Links, size(done.Before), size(done.After))
			return nil
		},
	}
	addStoreFlags(cmd)
	return cmd
}

// report is cache.Report as JSON.
type report struct {
	Links        int   `json:"links"`
	Aliases      int   `json:"aliases"`
	Damaged      int   `json:"damaged"`
	Unlisted     int   `json:"unlisted"`
	LeadsNowhere int   `json:"leads_nowhere"`
	Unfindable   int   `json:"unfindable"`
	StrayURLs    int   `json:"stray_urls"`
	Bytes        int64 `json:"bytes"`
}

func newCheck() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Look at every page and record of the store",
		Long: `Looks at every page and every record of the store, and fails if one is damaged. The broker must
not be running.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			file, err := newStoreFile(cmd)
			if err != nil {
				return err
			}
			// First in a child: what is badly damaged would kill this process, and say nothing of use.
			if err := file.options.Probe(cmd.Context(), cache.Full, file.path); err != nil {
				return err
			}
			found, err := cache.Check(cmd.Context(), file.path)
			if err != nil {
				return err
			}
			out := output{cmd.OutOrStdout(), format}
			if err := out.show(report(found), func() table { return reportTable(found) }); err != nil {
				return err
			}
			if !found.Clean() {
				return errors.New("the store is not clean: it can be served, damaged records are answered as missing; `linkbroker compact` leaves them out")
			}
			return nil
		},
	}
	addStoreFlags(cmd)
	addOutputFlag(cmd, &format)
	return cmd
}

func reportTable(r cache.Report) table {
	return table{
		{"links", strconv.Itoa(r.Links)},
		{"aliases", strconv.Itoa(r.Aliases)},
		{"damaged records", strconv.Itoa(r.Damaged)},
		{"links never purged", strconv.Itoa(r.Unlisted)},
		{"ends of no link", strconv.Itoa(r.LeadsNowhere)},
		{"links not found by URL", strconv.Itoa(r.Unfindable)},
		{"URLs of no link", strconv.Itoa(r.StrayURLs)},
		{"size", size(r.Bytes)},
	}
}

// size writes a number of bytes as people read it.
func size(bytes int64) string {
	const unit = 1024
	switch {
	case bytes >= unit*unit*unit:
		return fmt.Sprintf("%.1f GiB", float64(bytes)/(unit*unit*unit))
	case bytes >= unit*unit:
		return fmt.Sprintf("%.1f MiB", float64(bytes)/(unit*unit))
	default:
		return fmt.Sprintf("%.1f KiB", float64(bytes)/unit)
	}
}
