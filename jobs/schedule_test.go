package jobs_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/jobs"
)

func nothing(context.Context) (broker.Counts, error) { return broker.Counts{}, nil }

func newRunner(list ...jobs.Job) error {
	_, err := jobs.New(jobs.Config{Clock: time.Now, Logger: slog.New(slog.DiscardHandler), Jobs: list})
	return err
}

func TestSchedulesThatAreRefused(t *testing.T) {
	for name, schedule := range map[string]string{
		"a word":                         "daily",
		"four fields":                    "* * * *",
		"six fields":                     "0 0 3 * * *",
		"an hour that is none":           "0 25 * * *",
		"a day that never comes":         "0 0 30 2 *",
		"an interval that is none":       "@every soon",
		"an interval of nothing":         "@every 0s",
		"an interval that cron rounds":   "@every 500ms",
		"a negative interval":            "@every -5m",
		"a zone of its own":              "TZ=Asia/Shanghai 0 3 * * *",
		"a zone with nothing behind it":  "TZ=UTC",
		"cron's zone with nothing there": "CRON_TZ=",
		"only space":                     "  ",
	} {
		t.Run(name, func(t *testing.T) {
			err := newRunner(jobs.Job{Name: "backup", Schedule: schedule, Run: nothing})
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), "jobs.backup") || !strings.Contains(err.Error(), `"`+schedule+`"`) {
				t.Errorf("%q names job and value badly", err)
			}
		})
	}
}

func TestSchedulesThatAreTaken(t *testing.T) {
	for _, schedule := range []string{"", "30 3 * * *", "*/5 * * * 1-5", "@every 5s", "@every 1h30m", "@daily", "@midnight"} {
		if err := newRunner(jobs.Job{Name: "backup", Schedule: schedule, Run: nothing}); err != nil {
			t.Errorf("%q: %v", schedule, err)
		}
	}
}

func TestJobsThatAreRefused(t *testing.T) {
	good := jobs.Job{Name: "purge", Run: nothing}
	for name, list := range map[string][]jobs.Job{
		"two of one name":      {good, good},
		"one without a name":   {{Run: nothing}},
		"one that does naught": {{Name: "purge"}},
	} {
		if err := newRunner(list...); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzSchedule(f *testing.F) {
	for _, seed := range []string{"30 3 * * *", "@every 5m", "@every -1s", "TZ=", "*/0 * * * *", "1-0 * * * *", "@"} {
		f.Add(seed)
	}
	f.Fuzz(func(_ *testing.T, schedule string) {
		_ = newRunner(jobs.Job{Name: "job", Schedule: schedule, Run: nothing}) // must not panic
	})
}
