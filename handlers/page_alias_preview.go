package handlers

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// previewAlias answers POST /aliases:preview: what would become of a form that somebody is filling in.
func (a *api) previewAlias(c *gin.Context, who caller) error {
	form, err := a.form(c)
	if err != nil {
		return err
	}
	v := a.aliasPage(c, who)
	v.Form = readAliasForm(form)
	if v.Form.ETag != "" {
		old, err := a.Broker.Alias(v.ctx, v.Form.Slug)
		switch {
		case err == nil:
			v.Stored = &old
		case !errors.Is(err, broker.NotFound):
			return err
		}
	}
	c.Request.URL.RawQuery = "fragment=lint"
	return a.page(c, who, "alias", v)
}

// aliasPreview is what would become of a form.
type aliasPreview struct {
	Address  string // the permanent one; empty where public_url is not known
	Drawn    bool   // its slug is drawn when it is stored
	Findings []findingView
	Outcome  broker.Outcome // of a first visit; empty if it is refused
	Query    int            // characters of it
	Most     int            // of them, where the query is spliced on
	CQ       string         // what is spliced on
}

// mostCQ and mostQuery are the characters that WeChat takes.
const (
	mostCQ    = 256
	mostQuery = 1024
)

// Preview lints the form by the rules that the API has.
func (v aliasPageView) Preview() (aliasPreview, error) {
	var old broker.Alias
	if v.Stored != nil {
		old = *v.Stored
	}
	p := aliasPreview{Query: utf8.RuneCountInString(v.Form.Query), Most: mostQuery, Drawn: v.Form.Slug == ""}
	if v.Form.Splice {
		p.Most = mostCQ
	}
	alias, err := v.Form.alias(old, v.a.Pages.zone)
	if err == nil {
		alias.Target.App, err = v.a.chooseApp(v.who, alias.Target.App)
	}
	if err != nil {
		p.Findings = []findingView{refusedBy(err)}
		return p, nil
	}
	if p.Drawn {
		alias.Slug = broker.NewSlug()
	}
	plan, err := v.a.Broker.Plan(v.ctx, alias.Request())
	if r, _ := judge(err); err != nil && r.status >= 500 {
		return p, err
	}
	p.Findings, p.Outcome, p.CQ = viewFindings(plan.Findings, v.texts.language), plan.Outcome, plan.CQ
	checked, err := v.check(alias)
	if err != nil {
		p.refuse(err, plan.Findings)
	} else if !p.Drawn {
		p.Address = v.a.permanentAddress(checked.Slug)
	}
	return p, nil
}

// check gives the alias as it would be stored, or what refuses it.
func (v aliasPageView) check(alias broker.Alias) (broker.Alias, error) {
	alias, err := v.a.Broker.CheckAlias(alias)
	if err != nil || v.Stored != nil {
		return alias, err
	}
	switch _, err := v.a.Broker.Alias(v.ctx, alias.Slug); {
	case err == nil:
		return alias, broker.Errorf(broker.PreconditionFailed, "there is an alias of this slug already")
	case !errors.Is(err, broker.NotFound):
		return alias, err
	}
	return alias, nil
}

// refuse adds an error, unless a rule has said so already.
func (p *aliasPreview) refuse(err error, said []broker.Finding) {
	p.Outcome = ""
	refused := refusedBy(err)
	if !slices.ContainsFunc(said, func(f broker.Finding) bool { return f.Message(broker.English) == refused.Message }) {
		p.Findings = append(p.Findings, refused)
	}
}

func refusedBy(err error) findingView {
	_, e := judge(err)
	return findingView{Rule: broker.Failed, Severity: broker.Refused, Message: e.Message}
}

// Class is that of the pill of a finding.
func (f findingView) Class() string {
	if f.Severity == broker.Refused {
		return "bad"
	}
	return "warn"
}

// English reports whether the message is in English whatever language is asked for.
func (f findingView) English() bool { return f.Rule == broker.Failed }

// codeForm is the form of a QR code.
type codeForm struct{ CQ, Size, Margin, Level string }

// codePreview is the permanent address of an alias with what somebody adds to it, and its QR code.
type codePreview struct {
	Address string // empty where public_url is not known
	Length  int    // characters of cq
	Most    int
	SVG     string // addresses of the code; empty if there is none
	PNG     string
	Wrong   *wrongView // why there is none
}

// Code is the form of the QR code, as its address has it.
func (v aliasPageView) Code() codeForm {
	f := codeForm{param(v.rawQuery, "cq"), param(v.rawQuery, "size"), param(v.rawQuery, "margin"), param(v.rawQuery, "level")}
	if f.Size == "" {
		f.Size = "512"
	}
	if f.Margin == "" {
		f.Margin = strconv.Itoa(quietZone)
	}
	if f.Level == "" {
		f.Level = "M"
	}
	return f
}

// Levels are those of a QR code, the least robust first.
func (aliasPageView) Levels() []string { return []string{"L", "M", "Q", "H"} }

// CodePreview says what the code would carry. What the API would refuse to draw is told here.
func (v aliasPageView) CodePreview() codePreview {
	f, slug := v.Code(), v.Stored.Slug
	p := codePreview{Address: v.a.permanentAddress(slug), Length: utf8.RuneCountInString(f.CQ), Most: mostCQ}
	query := url.Values{"size": {f.Size}, "margin": {f.Margin}, "level": {f.Level}}
	if f.CQ != "" {
		query["cq"] = []string{f.CQ}
	}
	cq, err := v.a.spliceable(v.ctx, query.Encode(), *v.Stored)
	if err == nil {
		_, err = readStyle(query.Encode(), true)
	}
	switch {
	case err != nil:
		told := wrong(err, v.texts.language)
		p.Wrong = &told
		return p
	case p.Address == "":
		return p
	case cq != "":
		p.Address += "?cq=" + url.QueryEscape(cq)
	}
	at := "/api/v1/aliases/" + slug + "/qr."
	p.SVG, p.PNG = at+"svg?"+query.Encode(), at+"png?"+query.Encode()
	return p
}

// Whole and Parts are for a bar of the characters used.
func (p aliasPreview) Whole() float64 { return float64(p.Most) }

// Parts are for the same.
func (p aliasPreview) Parts() []part { return []part{{fullness(p.Query, p.Most), float64(p.Query)}} }

// Whole and Parts are for a bar of the characters used.
func (p codePreview) Whole() float64 { return float64(p.Most) }

// Parts are for the same.
func (p codePreview) Parts() []part { return []part{{fullness(p.Length, p.Most), float64(p.Length)}} }

func fullness(n, most int) string {
	if n > most {
		return "full"
	}
	return "used"
}
