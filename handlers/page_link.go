package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// linkDetail is what link.html shows.
type linkDetail struct {
	broker.Link

	a      *api
	ctx    context.Context //nolint:containedctx // it lives as long as the request
	texts  texts
	scheme string
	now    time.Time
}

// link answers GET /links/{key}.
func (a *api) link(c *gin.Context, who caller) error {
	return a.withKey(c, func(key broker.Key) error {
		link, err := a.Broker.Link(c.Request.Context(), key)
		if err != nil {
			return err
		}
		return a.page(c, who, "link", linkDetail{
			Link: link, a: a, ctx: c.Request.Context(), texts: a.Pages.texts[a.pageLanguage(c.Request)],
			scheme: pageScheme(c.Request), now: a.Clock(),
		})
	})
}

// Alive reports whether the link is handed out.
func (v linkDetail) Alive() bool { return v.Outlives(v.now) }

// Demanded reports whether pre-warming will renew it.
func (v linkDetail) Demanded() bool { return v.InDemand(v.now) }

// RenewedFrom is when pre-warming begins to.
func (v linkDetail) RenewedFrom() time.Time { return v.ExpiresAt.Add(-v.Life() / 3) }

// Opens reports whether a browser can open it, so that a reference to it does no harm.
func (v linkDetail) Opens() bool {
	return v.Target.Kind.Web() && strings.HasPrefix(v.URL, "https://")
}

// QuotaLeft is what is left today of the quotas that a renewal takes from.
func (v linkDetail) QuotaLeft() (string, error) { return v.a.quotaLeft(v.ctx, v.texts, v.Target) }

// Fields are those of the target that few have, by their names in the native interface.
func (v linkDetail) Fields() map[string]string { return rareFields(v.Target) }

func rareFields(t broker.Target) map[string]string {
	fields := map[string]string{}
	for name, value := range map[string]string{"scope": t.Scope, "page_title": t.Title, "extra": string(t.Extra)} {
		if value != "" {
			fields[name] = value
		}
	}
	if t.CloudBase != nil {
		fields["cloud_base"] = strings.TrimSpace(string(encode(viewCloudBase(t.CloudBase))))
	}
	return fields
}

// Ends says how the link was asked to end.
func (v linkDetail) Ends() string { return v.texts.ends(v.Target.Expiry) }

// ends names a class of expiry.
func (t texts) ends(e broker.Expiry) string {
	switch {
	case e.Never:
		return t.say("expiry.never")
	case !e.At.IsZero():
		return t.say("expiry.at", e.At.In(t.zone).Format("2006-01-02 15:04:05 -07:00"))
	case e.Days != 0:
		return t.say("expiry.days", e.Days)
	default:
		return t.say("expiry.living")
	}
}

// callView is how WeChat is asked for a target.
type callView struct{ Path, Body string }

// Call is how WeChat is asked for it; nil if it is not known.
func (v linkDetail) Call() *callView { return v.a.callFor(v.Target) }

func (a *api) callFor(t broker.Target) *callView {
	if a.CallFor == nil {
		return nil
	}
	path, body, err := a.CallFor(t)
	var indented bytes.Buffer
	if err != nil || json.Indent(&indented, body, "", "  ") != nil {
		return nil // WeChat is not asked for such a one
	}
	return &callView{path, indented.String()}
}

// Days are the uses of the last 30 days, the last first.
func (v linkDetail) Days() []slot {
	today := v.a.startOf(broker.Daily, v.now)
	var days []slot
	for i, uses := range v.Recent.UsesOf(v.now) {
		days = append(days, slot{today.Add(-time.Duration(i) * lengthOf(broker.Daily)), map[string]uint64{"hit": uses}})
	}
	return days
}

// RecentUses is their sum.
func (v linkDetail) RecentUses() (n int) {
	for _, uses := range v.Recent.UsesOf(v.now) {
		n += int(min(uses, 1<<40))
	}
	return n
}

// UsesChart draws them.
func (v linkDetail) UsesChart() chartView {
	return chartView{
		Path: "/charts/uses.svg", Query: url.Values{"key": {v.Key.String()}}, Size: "wide", Scheme: v.scheme,
		Alt: v.texts.say("link.chart.alt"), at: v.now,
	}
}

// usesChart answers GET /charts/uses.svg.
func (a *api) usesChart(c *gin.Context, _ caller) error {
	chart, err := a.chart(c)
	if err != nil {
		return err
	}
	key, err := broker.ParseKey(param(c.Request.URL.RawQuery, "key"))
	if err != nil {
		return err
	}
	link, err := a.Broker.Link(c.Request.Context(), key)
	if err != nil {
		return err
	}
	days := linkDetail{Link: link, a: a, now: a.Clock()}.Days()
	slots := make([]slot, len(days))
	for i, day := range days {
		slots[len(days)-1-i] = day
	}
	return writeChart(c, chart.bars(slots, "hit"))
}

// paste is something to paste elsewhere. Its name is the end of a message, try.NAME.
type paste struct{ Name, Text string }

// Try are lines that ask for the link. KEY stands for the API key.
func (v linkDetail) Try() []paste {
	here := v.a.example()
	body := strings.TrimSpace(string(encode(viewTarget(v.Target))))
	address := appendString(nil, here+"/api/v1/link?"+linkQuery(v.Target).Encode()+"&key=PUBLISHABLE_KEY")
	return []paste{
		{"curl", "curl -s " + here + "/api/v1/links -H 'Authorization: Bearer KEY' -d " + shellQuoted(body)},
		{"fetch", "const answer = await fetch(" + string(address) + ");\nlocation.href = (await answer.json()).url;"},
		{"base", here + "/k/KEY"},
	}
}

// Tester is where the tester is filled in with the target.
func (v linkDetail) Tester() string {
	q := linkQuery(v.Target)
	if end := v.Target.Expiry.At; !end.IsZero() {
		q.Del("expire_time")
		q.Set("ends", end.In(v.texts.zone).Format(localMoment))
	}
	return "/tester?" + q.Encode()
}

// linkQuery gives a target as getLink takes it. What is as it is without being named is left out.
func linkQuery(t broker.Target) url.Values {
	q := url.Values{"app": {t.App}, "path": {t.Path}}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	if t.Kind != broker.URLLink {
		set("kind", string(t.Kind))
	}
	set("query", t.Query)
	if t.Env != broker.Release {
		set("env_version", string(t.Env))
	}
	switch e := t.Expiry; {
	case e.Never:
		set("is_permanent", "true")
	case !e.At.IsZero():
		set("expire_time", strconv.FormatInt(e.At.Unix(), 10))
	case e.Days != 0:
		set("expire_interval", strconv.Itoa(e.Days))
	}
	for name, value := range rareFields(t) {
		set(name, value)
	}
	return q
}

// shellQuoted makes one word of a text for a shell.
func shellQuoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
