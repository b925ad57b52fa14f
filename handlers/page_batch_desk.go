package handlers

import (
	"context"
	"crypto/rand"
	"io"
	"sync"
	"time"

	"linkbroker/broker"
)

// BatchDesk is where the admin page takes in the files of batches, one at a time. What it keeps of one is forgotten with
// the next, after a day, and when the program stops.
type BatchDesk struct {
	folder string
	going  sync.WaitGroup

	mu      sync.Mutex
	job     *batchJob // the latest; nil = there is none
	stopped bool
}

// NewBatchDesk makes a desk that puts files into a folder.
func NewBatchDesk(folder string) *BatchDesk { return &BatchDesk{folder: folder} }

// Stop ends what goes on, and forgets all files. It waits for that until ctx ends.
func (d *BatchDesk) Stop(ctx context.Context) error {
	d.mu.Lock()
	d.stopped = true
	job := d.job
	d.mu.Unlock()
	if job != nil {
		job.end(errStopping())
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		d.going.Wait()
		d.forget(job)
	}()
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// kept is how long a file and its results are.
const kept = 24 * time.Hour

// errBusyDesk is told to who would begin a second one.
func errBusyDesk() error {
	return broker.Errorf(broker.Busy, "a batch is under way: wait for its end, or cancel it")
}

// take has a new file take the place of the one before, and looks at it.
func (d *BatchDesk) take(job *batchJob) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.stopped:
		return errStopping()
	case d.job != nil && d.job.working():
		return errBusyDesk()
	case d.job != nil:
		d.job.forget()
	}
	job.id = rand.Text()[:8]
	d.job = job
	d.start(job, planning, job.plan)
	return nil
}

// run gets the links of the present file, if it is the one meant and has been looked at.
func (d *BatchDesk) run(id string, who caller, address string) (*batchJob, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	job := d.job
	switch {
	case d.stopped:
		return nil, errStopping()
	case job == nil || job.id != id || !job.ready():
		return nil, broker.Errorf(broker.Conflict, "this is not the present file any more")
	}
	d.start(job, running, func(ctx context.Context) { job.run(ctx, who, address) })
	return job, nil
}

// drop ends what is done with the present file or, if nothing is, forgets it. It reports whether the file is the one
// that is meant.
func (d *BatchDesk) drop(id string) (*batchJob, bool) {
	job := d.present()
	if job == nil || job.id != id {
		return nil, false
	}
	if job.working() {
		job.end(errCancelled)
	} else {
		d.forget(job)
	}
	return job, true
}

// start works on a file in the background. The desk is locked.
func (d *BatchDesk) start(job *batchJob, at batchPhase, work func(context.Context)) {
	ctx, end := context.WithCancelCause(context.Background())
	idle := make(chan struct{})
	job.begin(at, idle, end)
	d.going.Go(func() {
		defer close(idle)
		defer end(context.Canceled)
		work(ctx)
		job.expire(time.AfterFunc(kept, func() { d.forget(job) }))
	})
}

// forget drops a file, unless it is worked on or another has taken its place.
func (d *BatchDesk) forget(job *batchJob) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if job == nil || d.job != job || job.working() {
		return
	}
	job.forget()
	d.job = nil
}

// present is the file that is worked on, or that was last; nil = there is none.
func (d *BatchDesk) present() *batchJob {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.job
}

// results gives those of the present file, until done.
func (d *BatchDesk) results() (content *io.SectionReader, done func(), ok bool) {
	d.mu.Lock() // so that it is not forgotten before it is opened
	defer d.mu.Unlock()
	if d.job == nil {
		return nil, nil, false
	}
	return d.job.results()
}
