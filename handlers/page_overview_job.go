package handlers

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// jobRow is a job as overview.html shows it.
type jobRow struct {
	broker.JobStatus

	Title, What string
	Counts      string // what the last run did, in words
}

// State is the end of a message, job.state.STATE.
func (j jobRow) State() string {
	switch {
	case j.Running:
		return "running"
	case j.Elsewhere:
		return "elsewhere"
	case j.LastError != "":
		return "failed"
	case j.LastSuccess.IsZero():
		return "waiting"
	default:
		return "good"
	}
}

// Class is that of its pill.
func (j jobRow) Class() string {
	return map[string]string{"running": "info busy", "failed": "bad", "good": "good"}[j.State()]
}

// Jobs are the upkeep and how it goes.
func (v overviewView) Jobs() []jobRow {
	var rows []jobRow
	for _, status := range v.a.Jobs.Statuses() {
		rows = append(rows, jobRow{
			status, v.texts.or(status.Name, "job."+status.Name), v.texts.or("", "job."+status.Name+".what"), v.counts(status.LastCounts),
		})
	}
	return rows
}

// counts writes what a run did, without what it did not do.
func (v overviewView) counts(counts broker.Counts) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if n := counts[name]; n != 0 {
			parts = append(parts, v.texts.or(name, "count."+name)+" "+v.texts.number(n))
		}
	}
	return strings.Join(parts, " · ")
}

// runGrace is how long a form waits for a run before it says that the run goes on. Most are over by then.
const runGrace = time.Second

// runJobForm answers POST /jobs/{name}:run. The run goes on whoever hangs up; the page shows how.
func (a *api) runJobForm(c *gin.Context, who caller) error {
	type result struct {
		status broker.JobStatus
		err    error
	}
	name, done := c.Param("name"), make(chan result, 1)
	ctx := context.WithoutCancel(c.Request.Context()) // here: gin uses its context again when this returns
	go func() {
		status, err := a.Jobs.Run(ctx, name)
		done <- result{status, err}
	}()
	grace := time.NewTimer(runGrace)
	defer grace.Stop()
	title := a.Pages.texts[a.pageLanguage(c.Request)].or(name, "job."+name)
	select {
	case <-grace.C:
		return a.goTo(c, who, "/#jobs", flash{"info", "job.begun", []any{title}})
	case r := <-done:
		switch {
		case errors.Is(r.err, broker.Busy):
			entryOf(c).Action = "" // was not done
			return a.goTo(c, who, "/#jobs", flash{"warn", "job.busy", []any{title}})
		case r.err != nil:
			return r.err
		case r.status.LastError != "":
			return a.goTo(c, who, "/#jobs", flash{"bad", "job.failed", []any{title, r.status.LastError}})
		default:
			return a.goTo(c, who, "/#jobs", flash{"good", "job.done", []any{title}})
		}
	}
}
