package broker

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Plan says how a request would be answered now. It costs nothing: nothing is generated, and nothing is counted.
type Plan struct {
	Target    Target // as WeChat would be sent it: normalised, and without the query where CQ is set
	Key       Key
	CQ        string        // the query that would be spliced on
	Unspliced string        // why it would not, although that was asked
	LeastLife time.Duration // what a stored link must have left
	Outcome   Outcome       // Hit, or Miss: a generation
	Link      Link          // the stored one, if there is any
	Findings  []Finding     // what the rule book says
}

// Plan gives the plan of a request. It comes with Findings and with the error that Get would give for the request itself;
// what WeChat says of it only a call can tell.
func (b *Broker) Plan(ctx context.Context, req Request) (Plan, error) {
	now := b.clock()
	plan := Plan{Findings: req.lint(now)}
	var r reading
	err := b.read(&r, &req, now)
	if err == nil && req.Client != nil {
		err = r.permittedTo(req.Client, req.Signed)
	}
	if err != nil {
		return plan.refused(err), err
	}
	plan.Target, plan.Key, plan.CQ, plan.Unspliced, plan.LeastLife = r.target, r.key, r.cq, r.unspliced, r.leastLife
	if r.unspliced != "" {
		plan.Findings = append(plan.Findings, Finding{Rule: CQUnused, Field: "query", What: r.unspliced})
	}
	if r.rules.compose != nil {
		var answer Answer
		if err := r.compose(&answer, now); err != nil {
			return plan.refused(err), err
		}
		plan.Outcome, plan.Link = answer.Outcome, answer.Link
		return plan, nil
	}
	plan.Outcome = Miss
	if r.app.NeverShare {
		return plan, nil
	}
	switch plan.Link, _, err = b.find(ctx, r.key); {
	case errors.Is(err, NotFound):
		return plan, nil
	case err != nil:
		return plan, err
	case r.satisfiedBy(&plan.Link, now):
		plan.Outcome = Hit
	}
	return plan, nil
}

// refused adds the error that refuses a request, unless a rule has said so already.
func (p Plan) refused(err error) Plan {
	if !slices.ContainsFunc(p.Findings, func(f Finding) bool { return says(f.Err(), err) }) {
		p.Findings = append(p.Findings, Finding{Rule: Failed, err: err})
	}
	return p
}

// says reports whether a finding's error is the one that refuses the request, which may have another errcode.
func says(found, refused error) bool {
	a, ok := errors.AsType[*Error](found)
	b, also := errors.AsType[*Error](refused)
	return ok && also && a.Message == b.Message
}
