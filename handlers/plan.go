package handlers

import (
	"errors"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// lintView says how a request would be answered, and what is wrong with it.
type lintView struct {
	Outcome   broker.Outcome `json:"outcome"`             // hit, miss or refused
	Key       *broker.Key    `json:"key,omitempty"`       // absent where it is refused, as all of these
	Target    *targetView    `json:"target,omitempty"`    // as WeChat would be sent it
	CQ        string         `json:"cq,omitempty"`        // the query that would be spliced on
	Unspliced string         `json:"unspliced,omitempty"` // why it would not, although that was asked
	Findings  []findingView  `json:"findings"`
}

// findingView is what one rule says.
type findingView struct {
	Rule     broker.Rule     `json:"rule"`
	Severity broker.Severity `json:"severity"`
	Field    string          `json:"field,omitempty"`
	At       int             `json:"at,omitzero"` // in characters from 1
	Message  string          `json:"message"`
}

// lintRefused is the outcome of a request that would not be answered with a link.
const lintRefused broker.Outcome = "refused"

// lintLink answers POST /api/v1/links:lint. It takes what postLink takes, and spends nothing.
func (a *api) lintLink(c *gin.Context, who caller) error {
	var in linkRequest
	if err := a.readLink(c, &in); err != nil {
		return err
	}
	language := languageOf(c.Request)
	plan, err := a.planLink(c, who, &in, language)
	if err != nil {
		return err
	}
	h := c.Writer.Header()
	h["Cache-Control"] = noStore
	h.Set("Content-Language", string(language))
	writeJSON(c, http.StatusOK, plan)
	return nil
}

// planLink gives the plan of a request. An error is of what is no request for a link, or of the store.
func (a *api) planLink(c *gin.Context, who caller, in *linkRequest, language broker.Language) (lintView, error) {
	req, err := in.request()
	if refused, ok := asFinding(err); ok {
		return lintView{Outcome: lintRefused, Findings: []findingView{refused}}, nil
	}
	if err == nil {
		req.App, err = a.chooseApp(who, req.App)
	}
	if err != nil {
		return lintView{}, err
	}
	plan, err := a.Broker.Plan(c.Request.Context(), who.request(req))
	if err != nil && !slices.ContainsFunc(plan.Findings, func(f broker.Finding) bool { return f.Err() != nil }) {
		return lintView{}, err
	}
	return viewLint(plan, language), nil
}

// asFinding tells an error of the expiry like a finding: it refuses a request as the rule book does.
func asFinding(err error) (findingView, bool) {
	if !errors.Is(err, broker.InvalidExpiry) {
		return findingView{}, false
	}
	return findingView{Rule: broker.Failed, Severity: broker.Refused, Message: err.Error()}, true
}

func viewLint(plan broker.Plan, language broker.Language) lintView {
	v := lintView{Outcome: plan.Outcome, CQ: plan.CQ, Unspliced: plan.Unspliced, Findings: viewFindings(plan.Findings, language)}
	if v.Outcome == "" {
		v.Outcome = lintRefused
		return v
	}
	v.Key, v.Target = &plan.Key, new(viewTarget(plan.Target))
	return v
}

func viewFindings(findings []broker.Finding, language broker.Language) []findingView {
	views := make([]findingView, 0, len(findings))
	for _, f := range findings {
		views = append(views, findingView{f.Rule, f.Severity(), f.Field, f.At, f.Message(language)})
	}
	return views
}
