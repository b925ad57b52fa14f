package handlers

import (
	"cmp"
	"context"
	"encoding/base64"
	"html/template"
	"net/url"
	"slices"

	"github.com/boombuler/barcode/qr"
	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// localMoment is how a browser writes a moment that somebody picks, in the zone of the page.
const localMoment = "2006-01-02T15:04:05"

// testerView is what tester.html shows: a request for a link that nobody has made yet.
type testerView struct {
	a     *api
	ctx   context.Context //nolint:containedctx // it lives as long as the request
	texts texts
	asked url.Values
	in    linkRequest
	wrong error // what is wrong with the fields themselves
	as    caller
}

// tester answers GET /tester.
func (a *api) tester(c *gin.Context, who caller) error {
	v, err := a.readTest(c, who, c.Request.URL.RawQuery)
	if err != nil {
		return err
	}
	return a.page(c, who, "tester", v)
}

// Asked is what a field says.
func (v testerView) Asked(name string) string { return v.asked.Get(name) }

// Fields are all that say something, for the form that does it.
func (v testerView) Fields() url.Values { return v.asked }

// Rare are those for which the form has no place of its own: they come from the page of a link.
func (v testerView) Rare() map[string]string {
	rare := map[string]string{}
	for name := range v.asked {
		if !slices.Contains([]string{"app", "kind", "path", "query", "env_version", "expire_interval", "ends", "splice", "client"}, name) {
			rare[name] = v.asked.Get(name)
		}
	}
	return rare
}

// Apps are the mini programs.
func (v testerView) Apps() []string {
	var apps []string
	for _, app := range v.a.Broker.Apps() {
		apps = append(apps, app.ID)
	}
	return apps
}

// Kinds are what can be asked for.
func (v testerView) Kinds() []broker.Kind { return broker.Kinds() }

// Envs are the versions of a mini program.
func (v testerView) Envs() []broker.Env { return envs() }

// Clients are as whom it can be asked.
func (v testerView) Clients() []string { return clientNames(v.a.Clients) }

// Zone is that of the moments.
func (v testerView) Zone() string { return v.texts.zone.String() }

// Example is where to send a first request.
func (v testerView) Example() string { return v.a.example() }

// testedPlan is how the request would be answered.
type testedPlan struct {
	broker.Plan

	Findings []findingView
	Wrong    *wrongView // why it is refused, where that is no finding
	Why      string     // it would be answered so
	Costs    bool       // a generation
	Left     string     // what is left today of the quotas that it would take from
	Call     *callView  // how WeChat would be asked
	URL      string     // what would be answered, as far as it is known
	texts    texts
}

// Plan says how the request would be answered. It spends nothing.
func (v testerView) Plan() (testedPlan, error) {
	p := testedPlan{texts: v.texts}
	req, err := v.request()
	if err != nil {
		return p.refused(err), nil
	}
	plan, err := v.a.Broker.Plan(v.ctx, req)
	p.Plan = plan
	for _, f := range plan.Findings {
		if f.Rule == broker.Failed { // which speaks English alone
			p = p.refused(f.Err())
			continue
		}
		p.Findings = append(p.Findings, findingView{f.Rule, f.Severity(), f.Field, f.At, f.Message(v.texts.language)})
	}
	if err != nil {
		if slices.ContainsFunc(plan.Findings, func(f broker.Finding) bool { return f.Err() != nil }) {
			return p, nil
		}
		return p, err
	}
	if p.Outcome == broker.Miss && req.OnlyIfCached {
		p.Outcome = ""
		return p.refused(broker.Errorf(broker.NotCached, "%s", "the client may not generate")), nil
	}
	p.Why = v.why(plan)
	p.Call = v.a.callFor(plan.Target)
	if p.Outcome == broker.Miss {
		p.Costs = true
		p.Left, err = v.a.quotaLeft(v.ctx, v.texts, plan.Target)
		return p, err
	}
	p.URL = broker.Answer{Link: plan.Link, CQ: plan.CQ}.URL()
	return p, nil
}

// request gives what the domain works on.
func (v testerView) request() (broker.Request, error) {
	if v.wrong != nil {
		return broker.Request{}, v.wrong
	}
	req, err := v.in.request()
	if err == nil {
		req.App, err = v.a.chooseApp(v.as, req.App)
	}
	return v.as.request(req), err
}

func (p testedPlan) refused(err error) testedPlan {
	p.Wrong = new(wrong(err, p.texts.language))
	return p
}

// why says in a sentence why the store does or does not answer.
func (v testerView) why(plan broker.Plan) string {
	left := plan.Link.ExpiresAt.Sub(v.a.Clock())
	switch {
	case plan.Outcome == broker.Composed:
		return v.texts.say("tester.composed")
	case v.a.neverShares(plan.Target.App):
		return v.texts.say("tester.nevershared")
	case plan.Link.URL == "":
		return v.texts.say("tester.none")
	case left <= 0:
		return v.texts.say("tester.dead")
	case plan.Outcome == broker.Hit && plan.Link.Target.Expiry.Never:
		return v.texts.say("tester.forever")
	case plan.Outcome == broker.Hit:
		return v.texts.say("tester.hit", v.texts.length(left, 2), v.texts.length(plan.LeastLife, 2))
	default:
		return v.texts.say("tester.near", v.texts.length(left, 2), v.texts.length(plan.LeastLife, 2))
	}
}

func (a *api) neverShares(app string) bool {
	return slices.ContainsFunc(a.Broker.Apps(), func(one broker.App) bool { return one.ID == app && one.NeverShare })
}

// State is how it would be answered in one word: the end of a message.
func (p testedPlan) State() string { return cmp.Or(string(p.Outcome), string(lintRefused)) }

// Class is that of its pill.
func (p testedPlan) Class() string {
	return map[string]string{"hit": "good", "composed": "good", "miss": "info", "refused": "bad"}[p.State()]
}

// Fields are those of the target that few have.
func (p testedPlan) Fields() map[string]string { return rareFields(p.Target) }

// Ends says how the link was asked to end.
func (p testedPlan) Ends() string { return p.texts.ends(p.Target.Expiry) }

// Stored reports whether there is a link to look at.
func (p testedPlan) Stored() bool { return p.Link.URL != "" && p.Outcome != broker.Composed }

// Code is the link as a QR code, within the page: it may carry a cq, and a composed one is kept nowhere.
func (p testedPlan) Code() (template.URL, error) {
	code, err := encodeModules(p.URL, qr.M)
	if err != nil {
		return "", err
	}
	svg, err := drawSVG(code, codeStyle{size: 240, margin: quietZone})
	return template.URL("data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString(svg)), err //nolint:gosec // our own
}
