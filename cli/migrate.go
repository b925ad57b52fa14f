package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"linkbroker/cache"
)

func newMigrate() *cobra.Command {
	o := new(migrateOptions)
	cmd := &cobra.Command{
		Use:   "migrate [FROM] TO",
		Short: "Move all that a store keeps into another one, and compare the two",
		Long: `Moves all that the store FROM keeps into the store TO: links with their uses, pins and ends, aliases,
clients, the ledger of quota, what was counted, the audit, the key that signs broker tokens. Then it
reads both again and compares them. FROM is not changed; without it, it is the configuration's store.

Stop every broker on FROM first, and start none on TO before this has ended. A file is locked while a
broker has it open. A store in Redis is not: it is refused while a broker is seen to use it, unless
--force is given, and what such a broker changes meanwhile is lost. After the move set "store:" to TO
and keep FROM untouched until you are content. Never let brokers run on both: each would spend the
whole day's quota.

TO must be empty: a file that is not there yet, a database or ?prefix= in Redis without keys. When it
is interrupted, by Ctrl-C or by a crash, the same command goes on where it was, as long as FROM is as
it was. Until it has ended, no broker starts on TO.

Left out are links that have ended and damaged records, which are named. Only a damaged count of the
ledger is moved as it is, so that nothing is spent twice. If the stores differ in the end, the same
command moves everything again.

${NAME} in a URL is the value of an environment variable, or the contents of the file that NAME_FILE
names, so that no password stands in the list of processes. Quote it, or the shell puts it in.

Exits with 0 if both stores keep the same, with 1 if they differ or it could not go on, and with 3 if
it was interrupted and the same command will go on.`,
		Example: `  linkbroker migrate --dry-run bolt://data/links.db                    what there is to be moved
  linkbroker migrate bolt://data/links.db redis://127.0.0.1:6379       move it
  linkbroker migrate 'redis://:${REDIS_PASSWORD}@redis.internal:6379'  out of the configuration's store
  linkbroker migrate redis://127.0.0.1:6379 bolt://data/back.db        and back
  linkbroker migrate --compare-only bolt://a.db redis://127.0.0.1:6379`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.output.Writer = cmd.OutOrStdout()
			return o.run(cmd, args)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.dryRun, "dry-run", false, "only count what there is in FROM; TO need not be named, and is not looked at")
	flags.BoolVar(&o.compareOnly, "compare-only", false, "only read both stores and compare them")
	flags.BoolVar(&o.force, "force", false, "go on though brokers are seen to use a store in Redis")
	flags.BoolVarP(&o.quiet, "quiet", "q", false, "tell no progress")
	cmd.MarkFlagsMutuallyExclusive("dry-run", "compare-only")
	addConfigFlag(cmd)
	addOutputFlag(cmd, &o.output.format)
	return cmd
}

// migrateOptions are the flags of a migration.
type migrateOptions struct {
	dryRun, compareOnly, force, quiet bool

	output output
}

func (o *migrateOptions) run(cmd *cobra.Command, args []string) (err error) {
	from, to, err := o.stores(cmd, args)
	if err != nil {
		return err
	}
	p := &moveProgress{out: cmd.ErrOrStderr(), quiet: o.quiet}
	options, err := storeOptions(DefaultConfig(), slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil)))
	if err != nil {
		return err
	}
	ctx, stop := untilSignal(cmd.Context())
	defer stop()
	access := cache.Fill
	if o.compareOnly {
		access = cache.Read
	}
	m, err := cache.OpenMigration(ctx, string(from), string(to), access, cache.MigrationOptions{Options: options, InUse: o.force, Progress: p.tell})
	if err != nil {
		return explained(err)
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	do := m.Move
	switch {
	case o.dryRun:
		do = m.Count
	case o.compareOnly:
		do = m.Compare
	}
	comparison, err := do(ctx)
	p.end()
	if err != nil && ctx.Err() != nil {
		fmt.Fprintln(cmd.ErrOrStderr(), "linkbroker: interrupted: the same command goes on where it was")
		return exitStatus(exitStopped)
	}
	if err != nil {
		return explained(err)
	}
	return o.report(from, to, comparison)
}

// stores gives the URLs of the stores, as they are to be opened.
func (o *migrateOptions) stores(cmd *cobra.Command, args []string) (from, to StoreURL, err error) {
	lookup := newEnvironment(os.Environ()).lookup
	urls := make([]StoreURL, len(args))
	for i, arg := range args {
		url, err := expand(arg, lookup)
		if err != nil {
			return "", "", err
		}
		urls[i] = StoreURL(url)
	}
	switch {
	case o.dryRun: // TO is not so much as opened, which would make it
		return urls[0], "", nil
	case len(args) == 2:
		return urls[0], urls[1], nil
	}
	settings, err := readPart(cmd, "store")
	if err != nil {
		return "", "", err
	}
	return settings.Store, urls[0], nil
}

// explained says what can be done about an error.
func explained(err error) error {
	if errors.Is(err, cache.ErrNotEmpty) {
		return fmt.Errorf("%w. Name a file that is not there yet, or another ?prefix= in Redis; "+
			"if the store was moved already, --compare-only compares", err)
	}
	return err
}
