package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func newServe() *cobra.Command {
	var inSandbox bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the broker",
		Long: `Runs the broker until it gets SIGTERM or SIGINT. It then takes no new requests, finishes and
stores what is under way and closes the store; a second signal ends it at once, and loses
nothing but the latest counts of use. With SIGHUP it takes over the configuration's clients,
limits, log.level and certificates, if nothing is wrong with it.

With --sandbox it needs nothing: it reads no configuration and no environment, brings a fake
WeChat, an app and an API key, and keeps all of that in data/sandbox.db.`,
		Example: `  linkbroker serve --sandbox
  linkbroker serve --config config.yaml
  LINKBROKER_LISTEN=:8080 linkbroker serve --log-level=debug`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := untilSignal(cmd.Context())
			defer stop()
			if inSandbox {
				return serveSandbox(ctx, cmd)
			}
			settings, err := readConfig(cmd)
			if err != nil {
				return err
			}
			return serve(ctx, cmd, settings)
		},
	}
	addSettingFlags(cmd)
	cmd.Flags().BoolVar(&inSandbox, "sandbox", false, "try it with a fake WeChat; nothing to set up")
	cmd.MarkFlagsMutuallyExclusive("sandbox", "config")
	return cmd
}

func serve(ctx context.Context, cmd *cobra.Command, settings *Settings) (err error) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP) // from here on, for it would end a program that is still starting
	defer signal.Stop(hangups)
	logger, level := settings.Log.logger(cmd.ErrOrStderr())
	logWarnings(settings, logger)
	boundMemory(settings.Config, logger)
	logger.Info("opening the store", "store", settings.Store)
	store, err := openStore(ctx, settings.Config, logger)
	if err != nil {
		return unlessStopped(ctx, err)
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	s, err := newService(ctx, settings, store, logger)
	if err != nil {
		return unlessStopped(ctx, err)
	}
	s.level, s.hangups, s.read = level, hangups, func() (*Settings, error) { return readConfig(cmd) }
	return s.run(ctx, func() {
		fmt.Fprintf(cmd.OutOrStdout(), "linkbroker answers at %s, and administrators at %s\n", s.public.url(), s.admin.url())
	})
}

// unlessStopped makes no failure of a start that a signal ended.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
