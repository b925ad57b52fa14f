package handlers

import (
	"context"
	"time"

	"linkbroker/broker"
)

// planLine is how a line would be answered.
type planLine struct {
	Line int     `json:"line"`
	ID   *string `json:"id,omitzero"`
	lintView
	App   string   `json:"app,omitempty"`   // with the key what is generated once; absent where it is refused
	Error *problem `json:"error,omitempty"` // why it is refused
}

// planSummary is the last line of a dry run.
type planSummary struct {
	DryRun      bool        `json:"dry_run"`
	Lines       int         `json:"lines"`
	Hits        int         `json:"hits"`
	Generations int         `json:"generations"`
	Refused     int         `json:"refused"`
	Quota       []quotaLeft `json:"quota"` // of the mini programs of the links
}

// costs are how many generations a batch costs each mini program.
type costs map[string]int64

// quotaLeft sets what a batch costs a mini program against what is left of its day's quota.
type quotaLeft struct {
	App         string    `json:"app"`
	Generations int64     `json:"generations"`
	Left        int64     `json:"left"`
	Reserve     int64     `json:"reserve"` // of it, what batches leave to others
	Enough      bool      `json:"enough"`  // whether the rest would do for as many
	ResetsAt    time.Time `json:"resets_at"`
	ClosedUntil time.Time `json:"closed_until,omitzero"` // WeChat said that the quota is used up
}

// plan says how the lines would be answered, and what that would cost.
func (b *batch) plan(language broker.Language) {
	sum := planSummary{DryRun: true}
	cost := make(costs)
	for plan, err := range b.api.Broker.PlanBatch(b.ctx, b.requests()) {
		if err != nil && b.ctx.Err() != nil {
			break
		}
		line := b.planLine(plan, err, language)
		sum.Lines++
		switch line.Outcome {
		case broker.Hit, broker.Composed:
			sum.Hits++
			cost[line.App] += 0
		case broker.Miss:
			sum.Generations++
			cost[line.App]++
		default:
			sum.Refused++
		}
		b.reply(encode(line))
	}
	sum.Quota = b.api.against(b.ctx, cost)
	b.say(b.api.lastLine(b.stream, b.ending, sum))
}

func (b *batch) planLine(plan broker.Plan, err error, language broker.Language) planLine {
	l := b.next()
	line := planLine{Line: l.line, ID: l.id, lintView: viewLint(plan, language), App: plan.Target.App}
	line.Target = nil // what is asked is known to who asks so many
	if finding, ok := asFinding(err); ok && len(line.Findings) == 0 {
		line.Findings = append(line.Findings, finding)
	}
	if err == nil && plan.Outcome == broker.Miss && !b.who.Role.Includes(broker.RoleGenerate) {
		err = broker.Errorf(broker.NotCached, "no living link is stored for this target, and this key may not generate one")
	}
	if err != nil {
		p := b.api.lineProblem(err)
		line.Outcome, line.Error = lintRefused, &p
	}
	return line
}

// against sets costs against the quotas. Where these cannot be read it has none: the answers stand.
func (a *api) against(ctx context.Context, cost costs) []quotaLeft {
	list := []quotaLeft{}
	quotas, err := a.Broker.Quotas(ctx)
	if err != nil {
		return list
	}
	for _, q := range quotas {
		generations, ok := cost[q.App]
		if !ok {
			continue
		}
		left := max(q.Limit-q.Used, 0)
		list = append(list, quotaLeft{
			App: q.App, Generations: generations, Left: left, Reserve: left - q.BatchLeft, Enough: generations <= q.BatchLeft,
			ResetsAt: utc(q.ResetsAt), ClosedUntil: utc(q.ClosedUntil),
		})
	}
	return list
}
