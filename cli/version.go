package cli

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"linkbroker/handlers"
)

// version is set by the linker: see the Makefile.
var version string

// build names what is running: the version that the linker was told, and the commit that go build noted.
func build() handlers.Version {
	settings := make(map[string]string)
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			settings[setting.Key] = setting.Value
		}
	}
	return handlers.Version{Version: cmp.Or(version, "development"), Commit: settings["vcs.revision"], Go: runtime.Version()}
}

func newVersion() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b := build()
			return output{cmd.OutOrStdout(), format}.show(b, func() table {
				return table{{fmt.Sprintf("linkbroker %s (commit %s, %s)", b.Version, cmp.Or(b.Commit, "unknown"), b.Go)}}
			})
		},
	}
	addOutputFlag(cmd, &format)
	return cmd
}
