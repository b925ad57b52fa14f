package cli

import (
	"context"
	"errors"
	"time"
)

// batch is a batch under way.
type batch struct {
	remote   *remote
	source   *source
	part     *part
	progress *progress
	patience time.Duration // with a broker that is away

	row []byte // of the output
}

// resume takes over what an earlier run has written.
func (b *batch) resume() error {
	info, err := b.part.file.Stat()
	if err != nil {
		return err
	}
	size, err := trimZeros(b.part.file, info.Size())
	if err != nil {
		return err
	}
	keep, err := b.source.resume(b.part.file, size, b.progress.count)
	if err != nil {
		return err
	}
	if err := b.part.goOn(keep); err != nil {
		return err
	}
	if keep == 0 {
		return b.part.add(b.source.input.outputHead())
	}
	return nil
}

// run asks for the rows that are left.
func (b *batch) run(ctx context.Context) error {
	for {
		c, err := readChunk(b.source)
		if err != nil || len(c.rows) == 0 {
			return err
		}
		if b.progress.every > 0 {
			b.lookAtQuotas(ctx, c)
		}
		if err := b.ask(ctx, c, batchPath, b.settle); err != nil {
			return err
		}
	}
}

// fewRows are enough to find one that needs a generation, where most do.
const fewRows = 50

// lookAtQuotas asks how the mini programs of the first rows stand with their day, by a dry run, which spends nothing. It
// is for those who look on: what fails here is told when it matters.
func (b *batch) lookAtQuotas(ctx context.Context, c chunk) {
	c.rows = c.rows[:min(len(c.rows), fewRows)]
	if _, sum, err := b.remote.send(ctx, rehearsalPath, c, func(asked, batchLine) error { return nil }); err == nil {
		b.progress.note(sum)
	}
}

// ask asks for the rows of a chunk, again and again while it may help.
func (b *batch) ask(ctx context.Context, c chunk, path string, settle func(asked, batchLine) error) error {
	const shortest, longest = time.Second, 15 * time.Second
	for pause, began := shortest, time.Now(); ; pause = min(2*pause, longest) {
		settled, sum, err := b.remote.send(ctx, path, c, settle)
		b.progress.note(sum)
		if c = c.behind(settled); settled > 0 {
			pause, began = shortest, time.Now()
		}
		unwritten, isUnwritten := errors.AsType[*notWritten](err)
		switch {
		case len(c.rows) == 0:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case isUnwritten:
			return unwritten.error
		}
		wait := retryAfter(err)
		switch fateOf(err) {
		case stops:
			return &stopped{err, wait}
		case mayPass:
			wait = max(wait, pause)
			if time.Since(began)+wait > b.patience {
				return &stopped{err, wait}
			}
		default:
			return err
		}
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
	}
}

// notWritten is why a result could not be written: the broker has no part in it.
type notWritten struct{ error }

// settle writes the result of a row, unless it is none.
func (b *batch) settle(a asked, line batchLine) error {
	if line.Problem != nil {
		if fates[line.Problem.Code] != rowFails {
			return line.Problem
		}
		line.result = result{Error: line.Problem.brief()}
	}
	if line.Collapsed {
		line.Outcome = "hit" // it has cost nothing
	}
	b.row = b.source.input.appendOutput(b.row[:0], row{text: a.text}, line.result)
	if err := b.part.add(b.row); err != nil {
		return &notWritten{err}
	}
	b.progress.add(line.result)
	return nil
}

func retryAfter(err error) time.Duration {
	if p, ok := errors.AsType[*refused](err); ok {
		return time.Duration(p.RetryAfter) * time.Second
	}
	return 0
}

// sleep reports whether it slept for the whole time.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
