package handlers

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// batchView is what batch.html shows.
type batchView struct {
	a     *api
	ctx   context.Context //nolint:containedctx // it lives as long as the request
	texts texts

	Wrong *wrongView // why a file was not taken
}

func (a *api) batchPage(c *gin.Context) batchView {
	return batchView{a: a, ctx: c.Request.Context(), texts: a.Pages.texts[a.pageLanguage(c.Request)]}
}

// showBatch answers GET /batch.
func (a *api) showBatch(c *gin.Context, who caller) error {
	return a.page(c, who, "batch", a.batchPage(c))
}

// loadBatch answers POST /batch: it takes a file in and looks at it. Nothing is spent.
func (a *api) loadBatch(c *gin.Context, who caller) error {
	job, err := a.receiveBatch(c, who)
	if err == nil {
		if err = a.BatchDesk.take(job); err != nil {
			job.forget()
		}
	}
	if err == nil {
		await(c.Request.Context(), job)
		return a.goTo(c, who, "/batch", flash{})
	}
	if errors.Is(err, broker.Busy) {
		return a.goTo(c, who, "/batch", flash{"warn", "batch.busy", nil})
	}
	r, e := judge(err)
	if r.status >= http.StatusInternalServerError {
		return err
	}
	v := a.batchPage(c)
	told := wrong(e, v.texts.language)
	v.Wrong = &told
	return a.pageWithStatus(c, who, r.status, "batch", v)
}

// await waits a moment for the end of what has begun: then the next page tells it.
func await(ctx context.Context, job *batchJob) {
	grace := time.NewTimer(runGrace)
	defer grace.Stop()
	select {
	case <-grace.C:
	case <-job.over():
	case <-ctx.Done():
	}
}

// runBatch answers POST /batch:run. The run goes on when the browser is closed; the page shows how.
func (a *api) runBatch(c *gin.Context, who caller) error {
	form, err := a.form(c)
	if err != nil {
		return err
	}
	entryOf(c).Action = "" // the run notes its beginning and its end itself
	job, err := a.BatchDesk.run(form.Get("job"), who, c.ClientIP())
	switch {
	case errors.Is(err, broker.Conflict):
		return a.goTo(c, who, "/batch", flash{"warn", "batch.other", nil})
	case err != nil:
		return err
	}
	await(c.Request.Context(), job)
	return a.goTo(c, who, "/batch", flash{})
}

// dropBatch answers POST /batch:drop: it cancels what goes on, or forgets what does not.
func (a *api) dropBatch(c *gin.Context, who caller) error {
	form, err := a.form(c)
	if err != nil {
		return err
	}
	job, ok := a.BatchDesk.drop(form.Get("job"))
	if !ok {
		return a.goTo(c, who, "/batch", flash{"warn", "batch.other", nil})
	}
	await(c.Request.Context(), job)
	return a.goTo(c, who, "/batch", flash{})
}

// batchResults answers GET /batch/results.csv.
func (a *api) batchResults(c *gin.Context, _ caller) error {
	content, done, ok := a.BatchDesk.results()
	if !ok {
		return broker.Errorf(broker.NotFound, "there are no results of a batch here any more")
	}
	defer done()
	s := a.stream(c)
	defer s.close()
	h := c.Writer.Header()
	h.Set("Content-Disposition", `attachment; filename="results.csv"`)
	h.Set("Content-Length", strconv.FormatInt(content.Size(), 10))
	s.open(contentCSV)
	_, err := io.Copy(s, content)
	return err
}

// Apps are those to choose from.
func (v batchView) Apps() []broker.App { return v.a.Broker.Apps() }

// Most and MostBytes bound a file.
func (batchView) Most() int { return mostLines }

// MostBytes bounds a file.
func (batchView) MostBytes() int64 { return mostSheet }

// deskView is how a file stands.
type deskView struct {
	ID, Name, Who string
	Phase         batchPhase
	Report        batchReport
	Tally         batchTally
	Rules         []ruleView
	Quota         []quotaLeft // against what it would cost, or what is left of that
	End           *endView    // why it is not at its end
	Results       bool        // there are some
	Left          time.Duration
}

// Job is the present file; nil if there is none.
func (v batchView) Job() *deskView {
	job := v.a.BatchDesk.present()
	if job == nil {
		return nil
	}
	j, cost := job.view(v.texts.language)
	j.Quota = v.a.against(v.ctx, cost)
	return &j
}

// view gives how the file stands, and what it costs each mini program.
func (j *batchJob) view(language broker.Language) (v deskView, cost costs) {
	j.mu.Lock()
	defer j.mu.Unlock()
	v = deskView{ID: j.id, Name: j.name, Who: j.who.Name, Phase: j.at, Report: j.report, Tally: j.tally, End: viewEnd(j.why, language)}
	if j.at == planned {
		v.Rules = j.report.view(language)
	}
	v.Results = j.at == ended && j.output != nil
	if rest := j.report.Rows - j.tally.Lines; j.tally.Rate > 0 && rest > 0 {
		v.Left = time.Duration(float64(rest) / j.tally.Rate * float64(time.Second))
	}
	return v, maps.Clone(j.report.cost)
}

// Enough reports whether the quotas of the day will do.
func (v *deskView) Enough() bool {
	for _, q := range v.Quota {
		if !q.Enough || !q.ClosedUntil.IsZero() {
			return false
		}
	}
	return true
}

// Good is how many rows are not refused.
func (v *deskView) Good() int { return v.Report.Rows - v.Report.Refused }

// Whole and Parts are for a bar of what is done.
func (v *deskView) Whole() float64 { return float64(max(v.Report.Rows, 1)) }

// Parts are for the same.
func (v *deskView) Parts() []part {
	t := v.Tally
	return []part{{"hit", float64(t.Hits)}, {"miss", float64(t.Generated)}, {"stale", float64(t.Stale)}, {"failed", float64(t.Failed)}}
}

// PlanParts are for a bar of what would be done.
func (v *deskView) PlanParts() []part {
	r := v.Report
	return []part{{"hit", float64(r.Hits)}, {"miss", float64(r.Generations)}, {"failed", float64(r.Refused)}}
}

// Took is how long the run took.
func (v *deskView) Took() time.Duration { return v.Tally.Until.Sub(v.Tally.Began) }
