package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"
)

func newCheckConfig() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check-config",
		Short: "Say what is wrong with the configuration, or print what holds",
		Long: `Reads the configuration as serve would. Prints every problem there is, or else the value
that each setting has and where it was set. Secrets and keys print as [redacted].`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := readConfig(cmd)
			if err != nil {
				return err
			}
			for _, warning := range settings.Warnings {
				fmt.Fprintln(cmd.ErrOrStderr(), "linkbroker: warning:", warning)
			}
			if hint := settings.hint(); hint != "" {
				fmt.Fprintln(cmd.ErrOrStderr(), "linkbroker: hint: public_url", hint)
			}
			return settings.Print(cmd.OutOrStdout())
		},
	}
	addSettingFlags(cmd)
	return cmd
}

// defaultConfigFile is read when it is there and no other is named.
const defaultConfigFile = "config.yaml"

// addSettingFlags gives a command the flags that name settings: --admin-listen is admin.listen.
func addSettingFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	addConfigFlag(cmd)
	flags.String("listen", "", "`address` where clients ask (default "+DefaultConfig().Listen+")")
	flags.String("admin-listen", "", "`address` where administrators ask (default "+DefaultConfig().Admin.Listen+")")
	flags.String("store", "", "where links are kept: bolt://`path`, redis://host:port or memory:// (default "+DefaultConfig().Store.String()+")")
	flags.String("log-level", "", "debug, info, warn or error (default "+DefaultConfig().Log.Level+")")
	flags.String("log-format", "", "text or json (default "+DefaultConfig().Log.Format+")")
}

func addConfigFlag(cmd *cobra.Command) {
	cmd.Flags().StringP("config", "c", "", "`file` to read (default $LINKBROKER_CONFIG, else "+defaultConfigFile+" if there is one)")
}

// readConfig reads the configuration that a command's flags and the environment name.
func readConfig(cmd *cobra.Command) (*Settings, error) {
	named := cmp.Or(cmd.Flag("config").Value.String(), os.Getenv(variablePrefix+"CONFIG"))
	name := cmp.Or(named, defaultConfigFile)
	contents, mode, err := readWithMode(name)
	if err != nil && (named != "" || !errors.Is(err, fs.ErrNotExist)) {
		return nil, misconfigured{fmt.Errorf("reading the configuration: %w", err)}
	}
	return LoadConfig(Sources{
		FileName: name, File: contents, FileMode: mode, Environ: os.Environ(), Flags: cmd.Flags(), Now: time.Now(),
	})
}

// readPart reads the configuration where only some of its sections need be right: whoever mends a store may have no secrets
// at hand.
func readPart(cmd *cobra.Command, sections ...string) (*Settings, error) {
	settings, err := readConfig(cmd)
	problems, ok := errors.AsType[Problems](err)
	if !ok {
		return settings, err
	}
	if about := problems.about(sections...); len(about) > 0 {
		return nil, about
	}
	return settings, nil
}

func readWithMode(name string) ([]byte, fs.FileMode, error) {
	file, err := os.Open(name) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, 0, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, 0, err
	}
	contents, err := io.ReadAll(file)
	return contents, info.Mode().Perm(), err
}
