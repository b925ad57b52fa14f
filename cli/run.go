package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// The exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// Run runs the command line and gives the exit code: 0 if all went well, 1 if not, 2 if it was called wrongly. Errors
// are printed here, once, and nowhere else.
func Run(args []string, stdout, stderr io.Writer) int {
	root, began := newRoot(), false
	root.PersistentPreRun = func(*cobra.Command, []string) { began = true }
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(context.Background())
	switch {
	case err == nil:
		return exitOK
	case !began: // flags and arguments did not make sense, so no command was run
		fmt.Fprintf(stderr, "linkbroker: %v\nSee `%s --help`.\n", err, cmd.CommandPath())
		return exitUsage
	default:
		fmt.Fprintf(stderr, "linkbroker: %v\n", err)
		return exitFailure
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "linkbroker",
		Short: "A caching link broker for WeChat mini programs",
		Long: `linkbroker answers requests for WeChat URL Links. It keeps every link and asks WeChat
only when none that is still good leads to the same place: once, however many ask.`,
		Example: `  linkbroker serve --sandbox                 try it, with a fake WeChat and nothing to set up
  linkbroker check-config                    see what config.yaml says, and what is wrong with it
  linkbroker serve --config config.yaml      run it
  linkbroker links list --sort=-uses         see the links most asked for`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(newCheckConfig(), newLinks(), newJobs(), newSandbox(), newVersion())
	return root
}

// newGroup makes a command that only holds others. Called by itself it explains them.
func newGroup(use, short string, commands ...*cobra.Command) *cobra.Command {
	group := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	group.AddCommand(commands...)
	return group
}
