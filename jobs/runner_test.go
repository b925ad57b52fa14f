package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"linkbroker/broker"
	"linkbroker/jobs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start makes a running Runner that the test stops at its end.
func start(t *testing.T, list ...jobs.Job) *jobs.Runner {
	t.Helper()
	return startWith(t, jobs.Config{Jobs: list})
}

func startWith(t *testing.T, cfg jobs.Config) *jobs.Runner {
	t.Helper()
	cfg.Clock = time.Now
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	r, err := jobs.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.Start()
	t.Cleanup(func() {
		if err := r.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r
}

// counting gives a job's Run that counts its runs.
func counting(n *atomic.Int32) func(context.Context) (broker.Counts, error) {
	return func(context.Context) (broker.Counts, error) {
		return broker.Counts{"runs": int(n.Add(1))}, nil
	}
}

// waits is a job's Run that ends with its context.
func waits(ctx context.Context) (broker.Counts, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestAJobRunsByItsSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int32
		start(t, jobs.Job{Name: "purge", Schedule: "@every 1m", Run: counting(&n)})
		time.Sleep(10*time.Minute + time.Second)
		if got := n.Load(); got != 10 {
			t.Errorf("ran %d times in ten minutes, want 10", got)
		}
	})
}

func TestAJobMayRunAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var scheduled, byHand atomic.Int32
		start(t, jobs.Job{Name: "census", Schedule: "@every 1m", AtStart: true, Run: counting(&scheduled)},
			jobs.Job{Name: "check", AtStart: true, Run: counting(&byHand)})
		synctest.Wait()
		if scheduled.Load() != 1 || byHand.Load() != 0 {
			t.Errorf("ran %d times, and %d times without a schedule, want once and never", scheduled.Load(), byHand.Load())
		}
		time.Sleep(61 * time.Second)
		if scheduled.Load() != 2 {
			t.Errorf("ran %d times by its schedule, want once", scheduled.Load()-1)
		}
	})
}

func TestASchedulesHoursAreThoseOfTheZone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // begins at midnight UTC
		var n atomic.Int32
		r := startWith(t, jobs.Config{
			Zone: time.FixedZone("Asia/Shanghai", 8*60*60),
			Jobs: []jobs.Job{{Name: "backup", Schedule: "30 3 * * *", Run: counting(&n)}},
		})
		next := r.Statuses()[0].NextStart
		if want := "19:30:00Z"; next.Format("15:04:05Z07:00") != want {
			t.Errorf("half past three in Shanghai is %s, want %s", next, want)
		}
		time.Sleep(24 * time.Hour)
		if got := n.Load(); got != 1 {
			t.Errorf("a daily job ran %d times in a day", got)
		}
	})
}

func TestAPanicEndsNeitherTheProgramNorTheSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var n atomic.Int32
		r := startWith(t, jobs.Config{
			Logger: slog.New(slog.NewTextHandler(&log, nil)),
			Jobs: []jobs.Job{{Name: "purge", Schedule: "@every 1m", Run: func(context.Context) (broker.Counts, error) {
				if n.Add(1) < 3 {
					panic("oh dear")
				}
				return broker.Counts{}, nil
			}}},
		})
		time.Sleep(2*time.Minute + time.Second)
		synctest.Wait()
		status := r.Statuses()[0]
		if status.Running || status.Failures != 2 || status.LastError != "panic: oh dear" || !status.LastSuccess.IsZero() {
			t.Errorf("after two panics: %+v", status)
		}
		if !strings.Contains(log.String(), "runner_test.go") {
			t.Error("the log has no stack")
		}
		time.Sleep(time.Minute)
		status = r.Statuses()[0]
		if status.Runs != 3 || status.LastError != "" || status.LastSuccess.IsZero() {
			t.Errorf("a job that panicked does not run again: %+v", status)
		}
	})
}

func TestAJobIsSkippedWhileItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n, most atomic.Int32
		var log bytes.Buffer
		startWith(t, jobs.Config{
			Logger: slog.New(slog.NewTextHandler(&log, nil)),
			Jobs: []jobs.Job{{Name: "slow", Schedule: "@every 1m", Run: func(context.Context) (broker.Counts, error) {
				most.Store(max(most.Load(), n.Add(1)))
				defer n.Add(-1)
				time.Sleep(150 * time.Second)
				return broker.Counts{}, nil
			}}},
		})
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := most.Load(); got != 1 {
			t.Errorf("%d runs at once", got)
		}
		if !strings.Contains(log.String(), "job skipped") {
			t.Error("skipping was not logged")
		}
	})
}

func TestStatusTellsOfTheLastRunAndTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now().UTC()
		fails := errors.New("disk full")
		var n atomic.Int32
		r := start(t, jobs.Job{Name: "backup", Schedule: "@every 1h", Run: func(context.Context) (broker.Counts, error) {
			time.Sleep(time.Minute)
			if n.Add(1) == 2 {
				return broker.Counts{"kept": 1}, fails
			}
			return broker.Counts{"kept": 7}, nil
		}})

		time.Sleep(time.Hour + time.Second)
		if s := r.Statuses()[0]; !s.Running || !s.LastStart.Equal(begin.Add(time.Hour)) || s.Runs != 0 {
			t.Errorf("while it runs: %+v", s)
		}
		time.Sleep(time.Hour + 2*time.Minute)
		s := r.Statuses()[0]
		if s.Running || s.Runs != 2 || s.Failures != 1 || s.LastError != "disk full" || s.LastCounts["kept"] != 1 {
			t.Errorf("after a good run and a bad one: %+v", s)
		}
		if want := begin.Add(time.Hour + time.Minute); !s.LastSuccess.Equal(want) || s.LastTook != time.Minute {
			t.Errorf("last success %s, want %s; took %s", s.LastSuccess, want, s.LastTook)
		}
		if want := begin.Add(3 * time.Hour); !s.NextStart.Equal(want) || s.NextStart.Location() != time.UTC {
			t.Errorf("next start %s, want %s", s.NextStart, want)
		}
	})
}

func TestJitterDelaysEachStartAndShowsInTheStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		seen := map[time.Duration]bool{}
		r := start(t, jobs.Job{
			Name: "prewarm", Schedule: "0 * * * *", Jitter: 10 * time.Minute,
			Run: func(context.Context) (broker.Counts, error) {
				seen[time.Since(begin)%time.Hour] = true
				return broker.Counts{}, nil
			},
		})
		if next := r.Statuses()[0].NextStart.Sub(begin); next < time.Hour || next >= 70*time.Minute {
			t.Errorf("the first start is to come after %s", next)
		}
		time.Sleep(24*time.Hour + 10*time.Minute)
		if status := r.Statuses()[0]; status.Runs != 24 {
			t.Errorf("ran %d times in 24 hours", status.Runs)
		}
		for late := range seen {
			if late >= 10*time.Minute {
				t.Errorf("started %s late", late)
			}
		}
		if len(seen) < 12 {
			t.Errorf("24 starts were late by only %d different times", len(seen))
		}
	})
}

func TestRunByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fails := errors.New("disk full")
		var n atomic.Int32
		r := start(t,
			jobs.Job{Name: "flush", Run: counting(&n)},
			jobs.Job{Name: "backup", Run: func(context.Context) (broker.Counts, error) { return nil, fails }},
			jobs.Job{Name: "slow", Schedule: "@every 1m", Run: waits},
		)

		status, err := r.Run(t.Context(), "flush")
		if err != nil || status.Runs != 1 || status.LastCounts["runs"] != 1 || !status.NextStart.IsZero() {
			t.Errorf("a good run: %+v, %v", status, err)
		}
		status, err = r.Run(t.Context(), "backup")
		if err != nil || status.LastError != "disk full" {
			t.Errorf("a run that failed: %+v, %v", status, err)
		}
		if _, err := r.Run(t.Context(), "nosuch"); !errors.Is(err, broker.NotFound) {
			t.Errorf("an unknown job: %v", err)
		}
		time.Sleep(90 * time.Second)
		if _, err := r.Run(t.Context(), "slow"); !errors.Is(err, broker.Busy) {
			t.Errorf("a job that is running: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Run(t.Context(), "flush"); !errors.Is(err, broker.Unavailable) {
			t.Errorf("after Stop: %v", err)
		}
	})
}

func TestARunByHandKeepsTheScheduleAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, jobs.Job{Name: "backup", Schedule: "@every 1m", Run: waits})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute+time.Second)
		defer cancel()
		status, err := r.Run(ctx, "backup")
		if err != nil || status.Runs != 1 {
			t.Errorf("the schedule started it as well: %+v, %v", status, err)
		}
	})
}

func TestStop(t *testing.T) {
	t.Run("cancels what runs and waits for it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var cleaned atomic.Bool
			r := start(t, jobs.Job{Name: "backup", Schedule: "@every 1m", Run: func(ctx context.Context) (broker.Counts, error) {
				<-ctx.Done()
				time.Sleep(time.Second)
				cleaned.Store(true)
				return nil, ctx.Err()
			}})
			go func() { _, _ = r.Run(context.Background(), "backup") }()
			synctest.Wait()
			if err := r.Stop(t.Context()); err != nil || !cleaned.Load() {
				t.Errorf("Stop came back early: %v", err)
			}
			if next := r.Statuses()[0].NextStart; !next.IsZero() {
				t.Errorf("stopped, and yet to start at %s", next)
			}
		})
	})
	t.Run("waits no longer than it may", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			release := make(chan struct{})
			r := start(t, jobs.Job{Name: "deaf", Schedule: "@every 1m", Run: func(context.Context) (broker.Counts, error) {
				<-release
				return broker.Counts{}, nil
			}})
			time.Sleep(61 * time.Second)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := r.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Stop with a deaf job: %v", err)
			}
			close(release)
		})
	})
	t.Run("begins nothing afterwards", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var n atomic.Int32
			r := start(t, jobs.Job{Name: "purge", Schedule: "@every 1m", Run: counting(&n)})
			if err := r.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
			if n.Load() != 0 {
				t.Error("a job ran after Stop")
			}
		})
	})
}

func TestWhatOneBrokerDoesForAllRunsWhereItLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var purged, flushed atomic.Int32
		var leads atomic.Bool
		var away atomic.Pointer[error]
		r := startWith(t, jobs.Config{
			Leads: func(context.Context) (bool, error) {
				if err := away.Load(); err != nil {
					return false, *err
				}
				return leads.Load(), nil
			},
			Jobs: []jobs.Job{
				{Name: "purge", Schedule: "@every 1m", Run: counting(&purged)},
				{Name: "flush", Schedule: "@every 1m", Each: true, Run: counting(&flushed)},
			},
		})
		after := func(wantPurged, wantFlushed int32, elsewhere bool, lastError string) {
			t.Helper()
			time.Sleep(time.Minute + time.Second)
			status := r.Statuses()[0]
			if purged.Load() != wantPurged || flushed.Load() != wantFlushed || status.Elsewhere != elsewhere || status.LastError != lastError {
				t.Errorf("purged %d, flushed %d, %+v", purged.Load(), flushed.Load(), status)
			}
		}
		after(0, 1, true, "")
		leads.Store(true)
		after(1, 2, false, "")
		err := errors.New("the store is away")
		away.Store(&err)
		after(1, 3, false, "the store is away")
		away.Store(nil)
		leads.Store(false)
		after(1, 4, true, "")
		if status, err := r.Run(t.Context(), "purge"); err != nil || status.Runs != 2 {
			t.Errorf("by hand it runs wherever it is asked for: %+v, %v", status, err)
		}
	})
}
