// Command suite compares linkbroker with others: it starts each, primes it, drives all with the same load in
// alternating rounds, and says what each spent. `go run ./bench/suite -help` says what there is.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "suite:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	o, err := parseOptions(args, os.Stderr)
	if err != nil {
		return err
	}
	debug.SetGCPercent(400) // the load shall not wait for its own garbage
	for _, name := range o.scenarios {
		if err := runScenario(ctx, o, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func runScenario(ctx context.Context, o options, name string) error {
	b, err := newBench(ctx, o, os.Stderr)
	if err != nil {
		return err
	}
	defer b.close()
	out, err := scenarios[name](b, ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, out.legend())
	if o.out != "" {
		if err := out.write(o.out); err != nil {
			return err
		}
	}
	return o.judge(out)
}

// newReport begins a report, which says what comes of the scenario as it comes.
func (b *bench) newReport(ctx context.Context, name, title, settings string) *report {
	r := &report{
		Name: name, Title: title, Command: strings.Join(append([]string{"go run ./bench/suite"}, b.args...), " "),
		At: time.Now(), Machine: thisMachine(ctx), Settings: settings, to: os.Stdout,
	}
	fmt.Fprintln(r.to, r.head())
	return r
}
