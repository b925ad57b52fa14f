package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"
)

func newBatch() *cobra.Command {
	o := new(batchOptions)
	cmd := &cobra.Command{
		Use:   "batch FILE -o FILE",
		Short: "Get a link for every row of a file, and go on where it was interrupted",
		Long: `Reads a CSV file whose first row names the columns, and writes it with a link behind each row.

These columns say what is asked; all others are carried over as they are:
  path, query, app, env_version, cloud_base, extra, kind   as for POST /api/v1/links
  expire_type, expire_interval, expire_time                leave them out for links of 30 days
  least_life, scope, splice
These stand behind them in the output: url, key, expires_at, outcome, spliced, error.
A file of one JSON object a line (.ndjson, .jsonl) is read and written in the same way.

Results go to out.csv.part, which becomes out.csv at the end. If it is interrupted, by Ctrl-C, by
a crash, because the day's quota is used up or the broker is away, the same command goes on where
it was. Nothing is generated twice: equal rows share a link, and so do those of an earlier run.

It asks the public listener with a key of role generate, and stands back behind those who wait for
a link. Exits with 0 if every row has a link, with 1 if some have an error instead (or if it could
not go on), and with 3 if it stopped before its end and the same command will go on.`,
		Example: `  export LINKBROKER_KEY=…                              a key of role generate
  linkbroker batch in.csv --dry-run                    what would be refused, and what it would cost
  linkbroker batch in.csv -o out.csv                   get the links; the same again after an interruption
  linkbroker batch in.csv -o out.csv --retry-failed    ask again for the rows without a link`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.in = args[0]
			return o.run(cmd)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.out, "output", "o", "", "`file` to write, of the same form as the input")
	flags.BoolVar(&o.dryRun, "dry-run", false, "only say what would be refused, and how many generations it would cost")
	flags.IntVar(&o.show, "show", 10, "how many rows a dry run shows of each kind of finding; the rest are counted")
	flags.BoolVar(&o.retryFailed, "retry-failed", false, "ask again for the rows of a whole output that have no link")
	flags.BoolVar(&o.force, "force", false, "begin anew, in place of what is there")
	flags.BoolVarP(&o.quiet, "quiet", "q", false, "tell no progress")
	flags.DurationVar(&o.patience, "patience", 2*time.Minute, "how long to try again while the broker or WeChat is away")
	cmd.MarkFlagsMutuallyExclusive("dry-run", "retry-failed")
	cmd.MarkFlagsMutuallyExclusive("force", "retry-failed")
	addRemoteFlags(cmd, publicListener())
	return cmd
}

// exitStopped is the exit code of a batch that stopped before its end, and goes on when it is called again.
const exitStopped = 3

// batchOptions are the flags of a batch.
type batchOptions struct {
	in, out                           string
	dryRun, retryFailed, force, quiet bool
	show                              int
	patience                          time.Duration
}

func (o *batchOptions) run(cmd *cobra.Command) error {
	of, err := formOf(o.in)
	if err != nil {
		return err
	}
	total, err := countRows(of, o.in)
	if err != nil {
		return fmt.Errorf("%s: %w", o.in, err)
	}
	r, err := newRemote(cmd, publicListener())
	if err != nil {
		return err
	}
	ctx, stop := untilSignal(cmd.Context())
	defer stop()
	file, err := os.Open(o.in)
	if err != nil {
		return err
	}
	defer file.Close()
	input, err := openInput(of, file)
	if err != nil {
		return fmt.Errorf("%s: %w", o.in, err)
	}
	p := newProgress(cmd.ErrOrStderr(), o.quiet, total)
	b := &batch{remote: r, source: &source{of: of, input: input}, progress: p, patience: o.patience}
	if o.dryRun {
		return o.rehearse(ctx, cmd, b)
	}
	return o.write(ctx, cmd, b)
}

// countRows reads a whole file once before anything is sent, so that a mistake in its form is told before it costs
// anything.
func countRows(of form, name string) (n int, err error) {
	file, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return 0, errors.Join(err, errors.New("must be a file that can be read twice"))
	}
	input, err := openInput(of, file)
	if err != nil {
		return 0, err
	}
	for ; ; n++ {
		switch _, err := input.next(); {
		case errors.Is(err, io.EOF):
			return n, nil
		case err != nil:
			return 0, err
		}
	}
}

// write does a batch, or goes on with it.
func (o *batchOptions) write(ctx context.Context, cmd *cobra.Command, b *batch) (err error) {
	if err := o.checkOutput(b.source.of); err != nil {
		return err
	}
	if o.retryFailed {
		earlier, err := os.Open(o.out)
		if err != nil {
			return err
		}
		defer earlier.Close()
		if b.source.earlier, err = openOutput(b.source.of, earlier, b.source.input); err != nil {
			return fmt.Errorf("%s: %w", o.out, err)
		}
	}
	if b.part, err = openPart(o.out); err != nil {
		return err
	}
	began := time.Now()
	if o.force {
		err = b.part.beginAnew(o.out)
	}
	if err == nil {
		err = b.resume()
	}
	if err == nil {
		if n := b.progress.done; n > 0 && !o.quiet {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: going on behind %s rows that are done\n", o.out, thousands(n))
		}
		b.progress.start()
		err = b.run(ctx)
		b.progress.end()
	}
	err = errors.Join(err, b.part.close())
	if err != nil {
		return o.explainStop(ctx, cmd, b, err)
	}
	if err := b.part.finish(o.out); err != nil {
		return err
	}
	if !o.quiet {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s rows in %s: %s\n", o.out, thousands(b.progress.done), time.Since(began).Round(time.Second), b.progress.counts())
	}
	if b.progress.failed > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "linkbroker: %s rows have an error and no link: see the column error, and ask again for them with --retry-failed\n", thousands(b.progress.failed))
		return exitStatus(exitFailure)
	}
	return nil
}

// checkOutput refuses to write over what is there.
func (o *batchOptions) checkOutput(of form) error {
	if o.out == "" {
		return errors.New("name the file to write with -o, or see with --dry-run what it would cost")
	}
	if outOf, err := formOf(o.out); err != nil || outOf != of {
		return errors.Join(err, fmt.Errorf("%s and %s must be of the same form", o.in, o.out))
	}
	in, err := os.Stat(o.in)
	if err != nil {
		return err
	}
	out, err := os.Stat(o.out)
	_, partErr := os.Stat(o.out + partSuffix)
	begun := partErr == nil
	switch {
	case errors.Is(err, fs.ErrNotExist) && o.retryFailed && begun:
		return fmt.Errorf("%s is not whole yet: go on with it first, without --retry-failed", o.out)
	case errors.Is(err, fs.ErrNotExist) && o.retryFailed:
		return fmt.Errorf("there is no %s whose rows could be retried", o.out)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case os.SameFile(in, out):
		return errors.New("the input cannot be the output as well")
	case !out.Mode().IsRegular():
		return fmt.Errorf("%s is no file", o.out)
	case o.force, o.retryFailed:
		return nil
	case begun:
		return fmt.Errorf("%s is there, and a retry of its failed rows was begun: go on with it by --retry-failed, or begin anew with --force", o.out)
	default:
		return fmt.Errorf("%s is there already: --retry-failed asks again for its rows without a link, --force begins anew", o.out)
	}
}

// explainStop says how to go on.
func (o *batchOptions) explainStop(ctx context.Context, cmd *cobra.Command, b *batch, err error) error {
	kept := fmt.Sprintf("%s of %s rows are done and kept in %s", thousands(b.progress.done), thousands(b.progress.total), o.out+partSuffix)
	again := "the same command goes on behind them"
	if o.force {
		again += ", without --force"
	}
	stop, isStop := errors.AsType[*stopped](err)
	switch {
	case ctx.Err() != nil:
		fmt.Fprintf(cmd.ErrOrStderr(), "linkbroker: interrupted. %s: %s\n", kept, again)
	case isStop && stop.after > 0:
		at := time.Now().Add(stop.after)
		fmt.Fprintf(cmd.ErrOrStderr(), "linkbroker: %v\n%s. From %s on (in %s) %s\n", err, kept, at.Format(time.RFC3339), roughly(stop.after), again)
	case isStop:
		fmt.Fprintf(cmd.ErrOrStderr(), "linkbroker: %v\n%s: %s\n", err, kept, again)
	default:
		return fmt.Errorf("%w (%s)", err, kept)
	}
	return exitStatus(exitStopped)
}
