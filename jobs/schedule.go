package jobs

import (
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// parse reads a schedule in cron's syntax. On top of what cron refuses, it refuses what cron would misread in silence.
func parse(spec string, now time.Time) (cron.Schedule, error) {
	if strings.HasPrefix(spec, "TZ=") || strings.HasPrefix(spec, "CRON_TZ=") {
		// cron panics at a zone with nothing behind it.
		return nil, errors.New("the time zone of all jobs is a setting of its own: leave TZ= out")
	}
	if every, ok := strings.CutPrefix(spec, "@every "); ok {
		if d, err := time.ParseDuration(every); err == nil && d < time.Second {
			return nil, errors.New("the shortest interval is 1s") // cron makes it a second
		}
	}
	when, err := cron.ParseStandard(spec)
	if err != nil {
		return nil, err
	}
	if when.Next(now).IsZero() {
		return nil, errors.New("no such moment will come") // 30 February
	}
	return when, nil
}

// jittered makes each start late by a random time, so that several machines with one configuration do not all call
// at the full minute. A delay that is part of the schedule is seen in the time of the next start.
type jittered struct {
	cron.Schedule

	by time.Duration
}

// Next gives the first start after t.
func (s jittered) Next(t time.Time) time.Time {
	next := s.Schedule.Next(t)
	if next.IsZero() || s.by <= 0 {
		return next
	}
	return next.Add(rand.N(s.by)) //nolint:gosec // nobody gains from guessing it
}
