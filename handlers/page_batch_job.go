package handlers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"time"

	"linkbroker/broker"
)

// batchPhase is how far a file is.
type batchPhase string

const (
	planning batchPhase = "planning" // it is looked at
	planned  batchPhase = "planned"  // it can be run
	running  batchPhase = "running"  // links are got
	ended    batchPhase = "ended"    // to its end or before it
)

// batchJob is a file on the desk.
type batchJob struct {
	id    string
	api   *api
	name  string // of the file, as its owner calls it
	app   string // of the rows that name none
	input *spool

	mu     sync.Mutex
	who    caller // whose grant and budget hold
	at     batchPhase
	idle   chan struct{}           // closed when nothing is done with it
	stop   context.CancelCauseFunc // ends what is done with it
	timer  *time.Timer             // forgets it
	output *spool                  // nil before it runs
	why    error                   // it ended before its end
	report batchReport
	tally  batchTally
}

// batchTally is how far a run is.
type batchTally struct {
	batchSummary

	Began, Until time.Time // the run, or what there is of it
	Rate         float64   // rows a second, the latest weighing most

	told time.Time // when the rate was measured last
	then int       // rows by then
}

// errCancelled is why a batch ended that somebody cancelled.
var errCancelled = errors.New("it was cancelled") //nolint:gochecknoglobals // a constant that Go has no constant for

func (j *batchJob) begin(at batchPhase, idle chan struct{}, stop context.CancelCauseFunc) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.at, j.idle, j.stop = at, idle, stop
	if j.timer != nil {
		j.timer.Stop()
	}
}

func (j *batchJob) expire(timer *time.Timer) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.timer = timer
}

// ready reports whether it has been looked at, and there are rows to run.
func (j *batchJob) ready() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.at == planned && j.report.Rows > j.report.Refused
}

// working reports whether links are being got, or the file is looked at.
func (j *batchJob) working() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.at == planning || j.at == running
}

// end has what is done with it end.
func (j *batchJob) end(why error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stop(why)
}

// over is closed when nothing is done with it.
func (j *batchJob) over() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.idle
}

func (j *batchJob) forget() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.timer != nil {
		j.timer.Stop()
	}
	j.input.discard()
	if j.output != nil {
		j.output.discard()
	}
}

// plan looks at the file: what would be refused, and what it would cost.
func (j *batchJob) plan(ctx context.Context) {
	err := guarded(func() error { return j.planRows(ctx) })
	j.mu.Lock()
	defer j.mu.Unlock()
	j.why, j.at = j.known(err), planned
	if err != nil {
		j.at = ended
	}
}

func (j *batchJob) planRows(ctx context.Context) error {
	content, done := j.input.open()
	defer done()
	sheet, err := openSheet(content)
	if err != nil {
		return err
	}
	rows := &batchRows{job: j, sheet: sheet}
	for plan, err := range j.api.Broker.PlanBatch(ctx, rows.requests()) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		row := rows.next()
		j.mu.Lock()
		j.report.add(row.line, plan, err)
		j.mu.Unlock()
	}
	return cmp.Or(rows.ending, context.Cause(ctx))
}

// run gets the links. It goes into the audit when it begins, so that a crash does not keep it out, and when it ends.
func (j *batchJob) run(ctx context.Context, who caller, address string) {
	j.mu.Lock()
	j.who, j.tally.Began = who, j.api.Clock()
	j.tally.told = j.tally.Began
	begun := fmt.Sprintf("begun: %d rows, of which %d have to be generated", j.report.Rows, j.report.Generations)
	j.mu.Unlock()
	j.note(ctx, address, begun)
	err := guarded(func() error { return j.runRows(ctx) })
	j.mu.Lock()
	t := j.tally
	j.mu.Unlock()
	over := fmt.Sprintf("ended: %d rows, %d hits, %d generated, %d stale, %d failed", t.Lines, t.Hits, t.Generated, t.Stale, t.Failed)
	if err != nil {
		over += "; not to its end"
	}
	j.note(ctx, address, over)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.why, j.at, j.tally.Until = j.known(err), ended, j.api.Clock()
}

// note makes an entry of the audit.
func (j *batchJob) note(ctx context.Context, address, detail string) {
	entry := broker.AuditEntry{Actor: j.who.Name, Address: address, Action: "link.batch", Object: j.name, Detail: detail}
	if err := j.api.Broker.Audit(context.WithoutCancel(ctx), entry); err != nil {
		j.api.Logger.Error("an entry of the audit could not be written",
			"actor", entry.Actor, "action", entry.Action, "object", entry.Object, "error", err)
	}
}

// known logs a defect, which is told to nobody else, and gives the error.
func (j *batchJob) known(err error) error {
	if errors.Is(err, broker.Internal) {
		j.api.Logger.Error("a batch of the admin page met a defect", "error", err)
	}
	return err
}

func (j *batchJob) runRows(ctx context.Context) (err error) {
	content, done := j.input.open()
	defer done()
	sheet, err := openSheet(content)
	if err != nil {
		return err
	}
	output, err := newSpool(j.api.BatchDesk.folder)
	if err != nil {
		return errNoRoom(err)
	}
	j.mu.Lock()
	j.output = output
	j.mu.Unlock()
	out, err := newSheetOutput(output, sheet)
	if err != nil {
		return errNoRoom(err)
	}
	defer func() {
		if flushed := out.flush(); err == nil && flushed != nil {
			err = errNoRoom(flushed)
		}
	}()
	rows := &batchRows{job: j, sheet: sheet}
	for answer, err := range j.api.Broker.Batch(ctx, rows.requests()) {
		if err != nil && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := out.write(rows.next(), j.api.sheetResult(answer, err)); err != nil {
			return errNoRoom(err)
		}
		j.count(answer, err)
	}
	return cmp.Or(rows.ending, context.Cause(ctx))
}

func errNoRoom(err error) error {
	return broker.Errorf(broker.StoreFailed, "the file of the batch cannot be written: %w", err)
}

// count counts an answer, and measures the rate.
func (j *batchJob) count(answer broker.Answer, err error) {
	const weight = 0.3
	j.mu.Lock()
	defer j.mu.Unlock()
	t := &j.tally
	t.count(answer, err)
	now := j.api.Clock()
	took := now.Sub(t.told)
	if took < time.Second {
		return
	}
	rate := float64(t.Lines-t.then) / took.Seconds()
	if t.Rate > 0 {
		rate = t.Rate + weight*(rate-t.Rate)
	}
	t.Rate, t.told, t.then = rate, now, t.Lines
}

// batchRows reads the rows of a file as requests, and keeps those that are not answered yet.
type batchRows struct {
	job    *batchJob
	sheet  *sheet
	ending error // why no more rows could be read; nil at their end

	mu      sync.Mutex
	waiting []sheetRow
}

// requests reads the rows. Each waits before it is given, so that an answer finds its row.
func (b *batchRows) requests() iter.Seq2[broker.Request, error] {
	lines := &batch{api: b.job.api, app: b.job.app}
	return func(yield func(broker.Request, error) bool) {
		for {
			row, err := b.sheet.next()
			if err == nil {
				lines.who, err = b.job.api.admitAgain(b.job.who)
			}
			if err != nil {
				if !errors.Is(err, io.EOF) {
					b.ending = err
				}
				return
			}
			var req broker.Request
			text := b.sheet.request(row)
			if len(text) > maxBody {
				err = broker.Errorf(tooLarge, "the row asks with more than %d bytes", maxBody)
			} else {
				err = guarded(func() (err error) {
					req, _, err = lines.request(lines.who, text)
					return err
				})
			}
			b.mu.Lock()
			b.waiting = append(b.waiting, row)
			b.mu.Unlock()
			if !yield(req, err) {
				return
			}
		}
	}
}

// next gives the row that is answered next.
func (b *batchRows) next() sheetRow {
	b.mu.Lock()
	defer b.mu.Unlock()
	row := b.waiting[0]
	b.waiting[0] = sheetRow{}
	b.waiting = b.waiting[1:]
	return row
}

// results gives those of a batch that has ended.
func (j *batchJob) results() (content *io.SectionReader, done func(), ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.at != ended || j.output == nil {
		return nil, nil, false
	}
	content, done = j.output.open()
	return content, done, true
}
