package broker_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"linkbroker/broker"
)

func TestSplice(t *testing.T) {
	yes, no := true, false
	tests := []struct {
		claim   string
		app     func(*broker.App)
		asked   *bool
		request func(*broker.Request)
		cq      string
		reason  string // a part of it
	}{
		{claim: "nobody asked: the query has a link of its own"},
		{claim: "the request asks", asked: &yes, cq: "a=1"},
		{claim: "the app asks", app: func(a *broker.App) { a.Splice = true }, cq: "a=1"},
		{claim: "the request declines what its app asks", app: func(a *broker.App) { a.Splice = true }, asked: &no},
		{claim: "the canonical query is spliced on", asked: &yes, request: func(r *broker.Request) { r.Query = "?b=2&&a=1" }, cq: "a=1&b=2"},
		{claim: "nothing is to be spliced on", asked: &yes, request: func(r *broker.Request) { r.Query = "" }},
		{claim: "256 characters are spliced on", asked: &yes, request: func(r *broker.Request) { r.Query = strings.Repeat("a", 256) }, cq: strings.Repeat("a", 256)},
		{claim: "257 characters are not", asked: &yes, request: func(r *broker.Request) { r.Query = strings.Repeat("a", 257) }, reason: "256"},
		{claim: "cloud_base has a link of its own", asked: &yes, request: func(r *broker.Request) { r.CloudBase = &broker.CloudBase{Env: "e"} }, reason: "cloud_base"},
		{claim: "links that are never shared are not spliced", app: func(a *broker.App) { a.NeverShare = true }, asked: &yes, reason: "never shared"},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			r := newRig(t, &wechat{}, test.app)
			req := query("a=1")
			req.Splice = test.asked
			if test.request != nil {
				test.request(&req)
			}
			answer := r.get(t, req, broker.Miss)
			if answer.CQ != test.cq || !strings.Contains(answer.Unspliced, test.reason) || (answer.Unspliced == "") != (test.reason == "") {
				t.Fatalf("spliced on is %q (%q), want %q", answer.CQ, answer.Unspliced, test.cq)
			}
			u, err := url.Parse(answer.URL())
			if err != nil || u.Query().Get("cq") != test.cq {
				t.Errorf("the address is %s", answer.URL())
			}
			if spliced := answer.Link.Target.Query == ""; test.cq != "" && !spliced {
				t.Errorf("the link was generated with the query %q", answer.Link.Target.Query)
			}
		})
	}
}

func TestOneGenerationServesEveryQuery(t *testing.T) {
	w := &wechat{}
	r := newRig(t, w, func(a *broker.App) { a.Splice = true })
	seen := map[string]bool{}
	for i := range 1000 {
		answer, err := r.Get(t.Context(), query(fmt.Sprint("id=", i)))
		if err != nil {
			t.Fatal(err)
		}
		seen[answer.URL()] = true
	}
	if w.called() != 1 || len(seen) != 1000 {
		t.Errorf("%d generations gave %d addresses, want 1 and 1000", w.called(), len(seen))
	}
}

// TestSplicingOpensNoPage: a client that is bound to queries is held to them, spliced or not.
func TestSplicingOpensNoPage(t *testing.T) {
	r := newRig(t, &wechat{}, func(a *broker.App) { a.Splice = true })
	client := &broker.Client{Name: "page", Role: broker.RoleGenerate, Grant: broker.Grant{
		Paths: []broker.PathRule{{Path: "pages/index", Params: []broker.ParamRule{{Name: "id", Pattern: "[0-9]+"}}}},
	}}
	good, bad := query("id=7"), query("id=x")
	good.Client, bad.Client = client, client
	r.get(t, good, broker.Miss)
	r.fails(t, bad, broker.Forbidden)
}
