package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// The exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
	exitConfig  = 78 // EX_CONFIG of sysexits.h; deploy/linkbroker.service does not start again after it
)

// exitStatus is the error of a command that has a code of its own and has said why.
type exitStatus int

// Error is for nobody.
func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// Run runs the command line and gives the exit code: 0 if all went well, 1 if not, 2 if it was called wrongly, 78 if
// the configuration has to be changed first. Errors are printed here, once, and nowhere else.
func Run(args []string, stdout, stderr io.Writer) int {
	root, began := newRoot(), false
	noteBegin(root, &began)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(context.Background())
	status, hasStatus := errors.AsType[exitStatus](err)
	switch {
	case err == nil:
		return exitOK
	case hasStatus:
		return int(status)
	case !began:
		fmt.Fprintf(stderr, "linkbroker: %v\nSee `%s --help`.\n", err, cmd.CommandPath())
		return exitUsage
	default:
		fmt.Fprintf(stderr, "linkbroker: %v\n", err)
		return failure(err)
	}
}

func failure(err error) int {
	_, problems := errors.AsType[Problems](err)
	if _, lasting := errors.AsType[misconfigured](err); problems || lasting {
		return exitConfig
	}
	return exitFailure
}

// noteBegin has each command note that it runs. What fails before that is a flag or an argument.
func noteBegin(cmd *cobra.Command, began *bool) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			*began = true
			return run(cmd, args)
		}
	}
	for _, sub := range cmd.Commands() {
		noteBegin(sub, began)
	}
}

func newRoot() *cobra.Command {
	root := newGroup("linkbroker", "A caching link broker for WeChat mini programs",
		newServe(), newSandbox(), newCheckConfig(), newDoctor(), newLinks(), newKeys(), newAudit(), newJobs(), newBatch(), newAliases(), newExplain(),
		newBackup(), newRestore(), newCompact(), newCheck(), newMigrate(), newVersion(), newInspect())
	root.Long = `linkbroker answers requests for WeChat URL Links. It keeps every link and asks WeChat
only when none that is still good leads to the same place: once, however many ask.`
	root.Example = `  linkbroker serve --sandbox                 try it, with a fake WeChat and nothing to set up
  linkbroker check-config                    see what config.yaml says, and what is wrong with it
  linkbroker serve --config config.yaml      run it
  linkbroker links list --sort=-uses         see the links most asked for
  linkbroker aliases put spring --path=p     an address to print: /l/spring leads to a living link
  linkbroker batch in.csv -o out.csv         a link for every row of a file`
	root.SilenceUsage = true
	root.SilenceErrors = true
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
