package broker

import "time"

// JobStatus is what the admin sees of a job.
type JobStatus struct {
	Name        string        `json:"name"`
	Schedule    string        `json:"schedule"` // cron's syntax
	Running     bool          `json:"running"`
	LastStart   time.Time     `json:"last_start,omitzero"`
	LastTook    time.Duration `json:"-"`
	LastError   string        `json:"last_error,omitempty"` // empty if the last run was good
	LastCounts  Counts        `json:"last_counts,omitempty"`
	LastSuccess time.Time     `json:"last_success,omitzero"` // end of the last good run
	NextStart   time.Time     `json:"next_start,omitzero"`
	Runs        int           `json:"runs"`
	Failures    int           `json:"failures"`
	Elsewhere   bool          `json:"elsewhere,omitempty"` // when it was last due, another broker on the same store ran it

	LastElsewhere time.Time `json:"-"` // when that was
}

// Counts is what a run did, by name: purged, renewed, failed and the like.
type Counts map[string]int
