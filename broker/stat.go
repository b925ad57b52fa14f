package broker

import (
	"context"
	"time"
)

// Grain is the stretch of time that a Stat counts over.
type Grain string

// The grains.
const (
	Hourly Grain = "hour"  // kept for 90 days
	Daily  Grain = "day"   // from 00:00 in Shanghai; kept for ever
	Total  Grain = "total" // over all time; its moment is the zero one
)

// Stat is how often things happened in a stretch of time.
type Stat struct {
	Series string // of what, as in visits/spring-sale
	Grain  Grain
	At     time.Time         // when the stretch began
	Counts map[string]uint64 // by what happened
}

// StatStore counts what happened, hour by hour and day by day.
type StatStore interface {
	// AddStats adds counts to what is kept of the same series, grain and moment. It is all or nothing.
	AddStats(ctx context.Context, stats []Stat) error

	// Stats gives what is kept of a series and a grain with from <= At < to, in the order of the moments. Stretches in
	// which nothing happened are left out. For Total both moments are without meaning.
	Stats(ctx context.Context, series string, grain Grain, from, to time.Time) ([]Stat, error)

	// DeleteStats forgets a series.
	DeleteStats(ctx context.Context, series string) error

	// PurgeStats deletes up to limit of the hourly ones from before the moment, and says how many.
	PurgeStats(ctx context.Context, before time.Time, limit int) (int, error)
}

// hourlyKept is how long it is kept what happened in each hour.
const hourlyKept = 90 * day
