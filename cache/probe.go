package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime/debug"
)

// Depth says how thoroughly a file is looked over.
type Depth string

// The depths.
const (
	Quick Depth = "quick" // QuickCheck
	Full  Depth = "full"  // Check
)

// Probe looks a file over. ErrDamaged means that it must not be served; ErrInUse, ErrNewer and every other error mean
// that nothing is known against it, but that it cannot be had either.
type Probe func(ctx context.Context, depth Depth, path string) error

// Inspect is the Probe that runs in this process. It catches panics, but not everything that a damaged file can do:
// pages that refer to each other in a ring exhaust the stack.
func Inspect(ctx context.Context, depth Depth, path string) error {
	switch depth {
	case Quick:
		return QuickCheck(path)
	case Full:
		_, err := Check(ctx, path)
		return err
	default:
		return fmt.Errorf("depth %q is not one of %s, %s", depth, Quick, Full)
	}
}

// What the child of Subprocess says with its exit status. A crash of a Go program says 2.
const (
	exitSound   = 0
	exitCrash   = 2
	exitInUse   = 10
	exitNewer   = 11
	exitDamaged = 12
	exitOther   = 13
)

// stackOfProbe bounds the stack of the child, which a ring of pages shall not fill with bolt's usual gigabyte.
const stackOfProbe = 64 << 20

// InspectAndExit is what the child of Subprocess runs: it inspects, says on stderr what is wrong, and gives the
// status to exit with.
func InspectAndExit(ctx context.Context, depth Depth, path string, stderr io.Writer) (status int) {
	debug.SetMaxStack(stackOfProbe)
	err := Inspect(ctx, depth, path)
	if err != nil {
		fmt.Fprintln(stderr, err)
	}
	switch {
	case err == nil:
		return exitSound
	case errors.Is(err, ErrInUse):
		return exitInUse
	case errors.Is(err, ErrNewer):
		return exitNewer
	case errors.Is(err, ErrDamaged):
		return exitDamaged
	default:
		return exitOther
	}
}

// Subprocess makes a Probe of a command that is given depth and path as its last arguments and runs InspectAndExit.
// A child that crashes or is killed takes the file for damaged.
func Subprocess(name string, args ...string) Probe {
	return func(ctx context.Context, depth Depth, path string) error {
		cmd := exec.CommandContext(ctx, name, append(args[:len(args):len(args)], string(depth), path)...) //nolint:gosec // the caller's own program
		cmd.Env = []string{}                                                                              // it needs no secrets
		var said firstBytes
		cmd.Stderr = &said
		err := cmd.Run()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		exit, exited := errors.AsType[*exec.ExitError](err)
		if err != nil && !exited {
			return fmt.Errorf("cannot look at %s: %w", path, err)
		}
		return verdict(cmd.ProcessState.ExitCode(), exit, path, said.line())
	}
}

func verdict(status int, exit error, path, said string) error {
	switch status {
	case exitSound:
		return nil
	case exitInUse:
		return fmt.Errorf("%s: %w", path, ErrInUse)
	case exitNewer:
		return fmt.Errorf("%s: %w", path, ErrNewer)
	case exitDamaged:
		return fmt.Errorf("%w: %s", ErrDamaged, said)
	case exitCrash, -1: // -1 is a signal
		return fmt.Errorf("%s: %w: looking at it ended with %w: %s", path, ErrDamaged, exit, said)
	default:
		return fmt.Errorf("cannot look at %s: %w: %s", path, exit, said)
	}
}

// firstBytes keeps the beginning of what a child says: a crash prints its cause first and then a lot more.
type firstBytes struct{ kept []byte }

func (f *firstBytes) Write(p []byte) (int, error) {
	const most = 1 << 10
	f.kept = append(f.kept, p[:min(len(p), most-len(f.kept))]...)
	return len(p), nil
}

func (f *firstBytes) line() string {
	line, _, _ := bytes.Cut(f.kept, []byte("\n"))
	return string(line)
}
