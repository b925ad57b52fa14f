package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/robfig/cron/v3"

	"linkbroker/broker"
)

// Config is what a Runner needs. All of it is required, but for Zone, which is UTC by default, and Leads.
type Config struct {
	Zone   *time.Location // in which the schedules are read
	Clock  broker.Clock
	Logger *slog.Logger
	Jobs   []Job

	// Leads reports whether what one broker does for all is this one's to do; nil = it always is.
	Leads func(context.Context) (bool, error)
}

// Runner runs jobs, by their schedules and by hand.
type Runner struct {
	cron   *cron.Cron
	clock  broker.Clock
	logger *slog.Logger
	jobs   []*job
	lead   func(context.Context) (bool, error)

	ctx    context.Context // that of every run; ends with Stop
	cancel context.CancelFunc

	mu      sync.Mutex // guards stopped and the state of each job
	stopped bool
	running sync.WaitGroup
}

// New checks the jobs and their schedules. Nothing runs before Start.
func New(cfg Config) (*Runner, error) {
	zone := cfg.Zone
	if zone == nil {
		zone = time.UTC
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &Runner{
		// No chain of cron's: run below guards a run by hand just as a scheduled one, which cron's wrappers cannot.
		cron:   cron.New(cron.WithLocation(zone), cron.WithLogger(cron.DiscardLogger)),
		clock:  cfg.Clock,
		logger: cfg.Logger,
		lead:   cfg.Leads,
		ctx:    ctx,
		cancel: cancel,
	}
	if r.lead == nil {
		r.lead = func(context.Context) (bool, error) { return true, nil }
	}
	for _, j := range cfg.Jobs {
		if err := r.add(j, zone); err != nil {
			cancel()
			return nil, err
		}
	}
	return r, nil
}

func (r *Runner) add(spec Job, zone *time.Location) error {
	if spec.Name == "" || spec.Run == nil {
		return fmt.Errorf("job %q needs a name and something to run", spec.Name)
	}
	if r.find(spec.Name) != nil {
		return fmt.Errorf("two jobs are named %q", spec.Name)
	}
	j := &job{Job: spec, status: broker.JobStatus{Name: spec.Name, Schedule: spec.Schedule}}
	r.jobs = append(r.jobs, j)
	if spec.Schedule == "" {
		return nil
	}
	when, err := parse(spec.Schedule, r.clock().In(zone))
	if err != nil {
		return fmt.Errorf("jobs.%s: schedule %q: %w", spec.Name, spec.Schedule, err)
	}
	j.entry = r.cron.Schedule(jittered{Schedule: when, by: spec.Jitter}, cron.FuncJob(func() { r.runScheduled(j) }))
	return nil
}

// Start begins to run the jobs by their schedules. It returns at once.
func (r *Runner) Start() {
	r.cron.Start()
	for _, j := range r.jobs {
		if j.AtStart && j.Schedule != "" {
			go r.runScheduled(j)
		}
	}
}

// Stop begins no more runs, cancels those under way and waits for them, no longer than ctx allows.
func (r *Runner) Stop(ctx context.Context) error {
	r.mu.Lock()
	r.stopped = true
	r.mu.Unlock()
	r.cancel()
	scheduled := r.cron.Stop()
	ended := make(chan struct{})
	go func() {
		<-scheduled.Done()
		r.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("jobs were still running: %w", ctx.Err())
	}
}

// Statuses says of every job, in the order given to New, what it did last and when it runs next. Times are UTC.
func (r *Runner) Statuses() []broker.JobStatus {
	statuses := make([]broker.JobStatus, 0, len(r.jobs))
	for _, j := range r.jobs {
		statuses = append(statuses, r.status(j))
	}
	return statuses
}

// Run runs a job now, waits for its end and says how it went: a run that failed is no error of Run's but stands in
// LastError. Errors are NotFound for an unknown job, Busy for one that is running and Unavailable after Stop.
// The run ends early with ctx, and with Stop.
func (r *Runner) Run(ctx context.Context, name string) (broker.JobStatus, error) {
	j := r.find(name)
	if j == nil {
		return broker.JobStatus{}, broker.Errorf(broker.NotFound, "there is no job %q", name)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.ctx, cancel)()
	if err := r.run(ctx, j); err != nil {
		return broker.JobStatus{}, err
	}
	return r.status(j), nil
}

func (r *Runner) find(name string) *job {
	for _, j := range r.jobs {
		if j.Name == name {
			return j
		}
	}
	return nil
}

func (r *Runner) status(j *job) broker.JobStatus {
	next := r.cron.Entry(j.entry).Next // not under our lock: cron has its own, and answers from its own goroutine
	r.mu.Lock()
	defer r.mu.Unlock()
	status := j.status
	if !r.stopped && !next.IsZero() {
		status.NextStart = next.UTC()
	}
	return status
}
