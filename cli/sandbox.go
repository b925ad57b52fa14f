package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

// sandboxSecret is the AppSecret that `linkbroker sandbox` expects. It opens nothing, and stays the same so that a
// config.yaml goes on working.
const sandboxSecret = "sandbox-secret"

func newSandbox() *cobra.Command {
	var address string
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Run a fake WeChat by itself, with faults to switch on",
		Long: `Runs a fake WeChat on this machine: the calls that linkbroker makes, with WeChat's true rules,
and faults that can be switched on over HTTP. It forgets everything when it ends.

` + "`linkbroker serve --sandbox`" + ` has one of its own.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := untilSignal(cmd.Context())
			defer stop()
			f, err := startFake(ctx, address, sandboxSecret, nil)
			if err != nil {
				return err
			}
			defer f.stop()
			fmt.Fprintf(cmd.OutOrStdout(), `The fake WeChat answers at %s. Its app, for config.yaml:
  apps:
    - appid: %s
      secret: %s
      base_url: %s
`, f.url, sandboxApp, sandboxSecret, f.url)
			f.explainFaults(cmd.OutOrStdout())
			<-ctx.Done()
			return nil
		},
	}
	cmd.Flags().StringVar(&address, "listen", "127.0.0.1:9090", "`address` to listen on, of this machine alone; port 0 = any that is free")
	return cmd
}
