package handlers

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// jobView is a job as an administrator sees it.
type jobView struct {
	Name                string        `json:"name"`
	Schedule            string        `json:"schedule"` // cron's syntax; empty = by hand only
	Running             bool          `json:"running"`
	LastStart           time.Time     `json:"last_start,omitzero"`
	LastSeconds         float64       `json:"last_seconds"`
	LastError           string        `json:"last_error,omitempty"` // absent if the last run was good
	LastCounts          broker.Counts `json:"last_counts,omitempty"`
	LastSuccess         time.Time     `json:"last_success,omitzero"` // end of the last good run
	SecondsSinceSuccess int64         `json:"seconds_since_success,omitzero"`
	NextStart           time.Time     `json:"next_start,omitzero"`
	Runs                int           `json:"runs"`
	Failures            int           `json:"failures"`
	Elsewhere           bool          `json:"elsewhere,omitzero"` // when it was last due, another broker on the same store ran it
}

func (a *api) viewJob(s broker.JobStatus) jobView {
	v := jobView{
		Name: s.Name, Schedule: s.Schedule, Running: s.Running,
		LastStart: utc(s.LastStart), LastSeconds: s.LastTook.Seconds(), LastError: s.LastError, LastCounts: s.LastCounts,
		LastSuccess: utc(s.LastSuccess), NextStart: utc(s.NextStart), Runs: s.Runs, Failures: s.Failures, Elsewhere: s.Elsewhere,
	}
	if !s.LastSuccess.IsZero() {
		v.SecondsSinceSuccess = int64(a.Clock().Sub(s.LastSuccess) / time.Second)
	}
	return v
}

// listJobs answers GET /api/v1/jobs.
func (a *api) listJobs(c *gin.Context, _ caller) error {
	items := []jobView{}
	for _, status := range a.Jobs.Statuses() {
		items = append(items, a.viewJob(status))
	}
	writeItems(c, items)
	return nil
}

// runJob answers POST /api/v1/jobs/{name}:run when the run is over, which for a backup may take minutes. Who hangs
// up meanwhile does not end it.
func (a *api) runJob(c *gin.Context, _ caller) error {
	err := http.NewResponseController(c.Writer).SetWriteDeadline(time.Time{})
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	status, err := a.Jobs.Run(context.WithoutCancel(c.Request.Context()), c.Param("name"))
	switch {
	case errors.Is(err, broker.Busy):
		return broker.Errorf(broker.Conflict, "%w", err)
	case err != nil:
		return err
	}
	writeJSON(c, http.StatusOK, a.viewJob(status))
	return nil
}

// writeItems writes a list that is whole.
func writeItems[T any](c *gin.Context, items []T) {
	writeJSON(c, http.StatusOK, struct {
		Items []T `json:"items"`
	}{items})
}
