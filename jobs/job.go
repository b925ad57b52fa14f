package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/robfig/cron/v3"

	"linkbroker/broker"
)

// Job is one piece of upkeep.
type Job struct {
	Name     string
	Schedule string        // cron's five fields, or @hourly, @every 5m and the like; empty = by hand only
	Jitter   time.Duration // each scheduled start is late by a random time below this
	AtStart  bool          // also runs once as soon as the runner starts, if it has a schedule
	Each     bool          // each broker does it for itself; otherwise one does it for all that share a store
	Run      func(ctx context.Context) (broker.Counts, error)
}

// job is a Job and its state, which Runner.mu guards.
type job struct {
	Job

	entry  cron.EntryID // zero without a schedule
	status broker.JobStatus
}

func (r *Runner) runScheduled(j *job) {
	if !j.Each && !r.leads(j) {
		return
	}
	if err := r.run(r.ctx, j); errors.Is(err, broker.Busy) {
		r.logger.Warn("job skipped: its last run is not over", "job", j.Name)
	}
}

// leads reports whether the job is this broker's to run, and notes where it is not.
func (r *Runner) leads(j *job) bool {
	leads, err := r.lead(r.ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	if j.status.Elsewhere = err == nil && !leads; j.status.Elsewhere {
		j.status.LastElsewhere = r.clock().UTC()
		j.status.LastError = "" // whatever it was, it is another's by now
	}
	if err != nil && !r.stopped {
		j.status.LastError = err.Error()
		r.logger.Error("job skipped: it is not known which broker is to run it", "job", j.Name, "error", err)
	}
	return leads
}

// run runs a job unless it is running or the runner has stopped, and notes how it went.
func (r *Runner) run(ctx context.Context, j *job) error {
	start := r.clock().UTC()
	if err := r.begin(j, start); err != nil {
		return err
	}
	defer r.running.Done()
	counts, err := runRecovering(ctx, j.Job)
	end := r.clock().UTC()
	r.end(j, start, end, counts, err)
	if err != nil {
		r.logger.Error("job failed", "job", j.Name, "error", err, "took", end.Sub(start))
		return nil
	}
	r.logger.Debug("job done", "job", j.Name, "counts", counts, "took", end.Sub(start))
	return nil
}

func (r *Runner) begin(j *job, start time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.stopped:
		return broker.Errorf(broker.Unavailable, "linkbroker is stopping")
	case j.status.Running:
		return broker.Errorf(broker.Busy, "job %q is running already, since %s", j.Name, j.status.LastStart.Format(time.RFC3339))
	}
	r.running.Add(1)
	j.status.Running = true
	j.status.LastStart = start
	return nil
}

func (r *Runner) end(j *job, start, end time.Time, counts broker.Counts, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &j.status
	s.Running = false
	s.Runs++
	s.LastTook = end.Sub(start)
	s.LastCounts = counts
	s.LastError = ""
	if err != nil {
		s.Failures++
		s.LastError = err.Error()
		return
	}
	s.LastSuccess = end
}

// runRecovering turns a panic into an error. It is innermost on purpose: were the panic caught further out, as by a
// chain of cron.Recover around cron.SkipIfStillRunning, the mark that the job is running would stay for good, and the
// job would never run again.
func runRecovering(ctx context.Context, j Job) (counts broker.Counts, err error) {
	defer func() {
		if p := recover(); p != nil {
			counts, err = nil, &panicError{value: p, stack: debug.Stack()}
		}
	}()
	return j.Run(ctx)
}

// panicError is what a run that panicked failed with. Only the log gets the stack.
type panicError struct {
	value any
	stack []byte
}

// Error says what the panic said.
func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// LogValue adds the stack.
func (e *panicError) LogValue() slog.Value {
	return slog.StringValue(fmt.Sprintf("%s\n%s", e.Error(), e.stack))
}
