package broker_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"linkbroker/broker"
)

func TestWhatAGrantPermits(t *testing.T) {
	product := broker.PathRule{Path: "pages/product/*", Params: []broker.ParamRule{
		{Name: "id", Pattern: "[0-9]+", Longest: 5}, {Name: "from"},
	}}
	tests := []struct {
		claim string
		grant broker.Grant
		ask   func(*broker.Request)
		no    bool
	}{
		{claim: "an empty grant permits all"},
		{claim: "an app of the list", grant: broker.Grant{Apps: []string{appid}}},
		{claim: "an app that is not on the list", grant: broker.Grant{Apps: []string{"wxffffffffffffffff"}}, no: true},
		{claim: "an environment of the list", grant: broker.Grant{Envs: []broker.Env{broker.Release}}},
		{claim: "an environment that is not on the list", grant: broker.Grant{Envs: []broker.Env{broker.Trial}}, no: true},
		{
			claim: "cloud_base where it is refused", grant: broker.Grant{NoCloudBase: true},
			ask: func(r *broker.Request) { r.CloudBase = &broker.CloudBase{Env: "e"} }, no: true,
		},
		{
			claim: "a page and its parameters, in any order", grant: broker.Grant{Paths: []broker.PathRule{product}},
			ask: func(r *broker.Request) { r.Path, r.Query = "/pages/product/view", "id=12345&from=sms" },
		},
		{
			claim: "a page without a query", grant: broker.Grant{Paths: []broker.PathRule{product}},
			ask: func(r *broker.Request) { r.Path, r.Query = "/pages/product/view", "" },
		},
		{
			claim: "a parameter whose value does not fit", grant: broker.Grant{Paths: []broker.PathRule{product}},
			ask: func(r *broker.Request) { r.Path, r.Query = "pages/product/view", "id=12a" }, no: true,
		},
		{
			claim: "a value that only begins as it should", grant: broker.Grant{Paths: []broker.PathRule{product}},
			ask: func(r *broker.Request) { r.Path, r.Query = "pages/product/view", "id=1%0A" }, no: true,
		},
		{
			claim: "a value that is too long", grant: broker.Grant{Paths: []broker.PathRule{product}},
			ask: func(r *broker.Request) { r.Path, r.Query = "pages/product/view", "id=123456" }, no: true,
		},
		{
			claim: "a value of 65 characters where no length is given", grant: broker.Grant{Paths: []broker.PathRule{product}},
			ask: func(r *broker.Request) {
				r.Path, r.Query = "pages/product/view", "from="+strings.Repeat("x", 65)
			}, no: true,
		},
		{
			claim: "a parameter given twice, which would multiply what its pattern allows", grant: broker.Grant{Paths: []broker.PathRule{product}},
			ask: func(r *broker.Request) { r.Path, r.Query = "pages/product/view", "id=1&from=a&id=2" }, no: true,
		},
		{
			claim: "unknown fields of cloud_base, of a key bound to pages", grant: broker.Grant{Paths: []broker.PathRule{{Path: "**", AnyQuery: true}}},
			ask: func(r *broker.Request) { r.CloudBase = &broker.CloudBase{Env: "e", Extra: []byte(`{"x":1}`)} }, no: true,
		},
		{
			claim: "a second value of a parameter is checked as well", grant: broker.Grant{Paths: []broker.PathRule{product}},
			ask: func(r *broker.Request) { r.Path, r.Query = "pages/product/view", "id=1&id=x" }, no: true,
		},
		{
			claim: "an unknown parameter", grant: broker.Grant{Paths: []broker.PathRule{product}},
			ask: func(r *broker.Request) { r.Path, r.Query = "pages/product/view", "id=1&x=1" }, no: true,
		},
		{
			claim: "an unknown parameter that the client's server has signed", grant: broker.Grant{Paths: []broker.PathRule{product}},
			ask: func(r *broker.Request) {
				r.Path, r.Query, r.Signed = "pages/product/view", "id=1&x=1", true
			},
		},
		{
			claim: "a page beyond the pattern", grant: broker.Grant{Paths: []broker.PathRule{product}},
			ask: func(r *broker.Request) { r.Path, r.Query = "pages/product/view/more", "" }, no: true,
		},
		{
			claim: "a page that is not signed away by signing", grant: broker.Grant{Paths: []broker.PathRule{product}},
			ask: func(r *broker.Request) { r.Path, r.Query, r.Signed = "pages/admin", "", true }, no: true,
		},
		{
			claim: "all below a page", grant: broker.Grant{Paths: []broker.PathRule{{Path: "/pages/**", AnyQuery: true}}},
			ask: func(r *broker.Request) { r.Path, r.Query = "pages/a/b/c", "anything=1" },
		},
		{
			claim: "not what is beside a page", grant: broker.Grant{Paths: []broker.PathRule{{Path: "pages/**", AnyQuery: true}}},
			ask: func(r *broker.Request) { r.Path = "other/a" }, no: true,
		},
		{
			claim: "every page", grant: broker.Grant{Paths: []broker.PathRule{{Path: "**", AnyQuery: true}}},
		},
		{
			claim: "fields unknown here, of a key bound to pages", grant: broker.Grant{Paths: []broker.PathRule{{Path: "**", AnyQuery: true}}},
			ask: func(r *broker.Request) { r.Extra = []byte(`{"x":1}`) }, no: true,
		},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, &wechat{}, nil)
				req := query("a=1")
				if test.ask != nil {
					test.ask(&req)
				}
				req.Client = &broker.Client{Name: "shop", Grant: test.grant}
				if test.no {
					r.fails(t, req, broker.Forbidden)
				} else {
					r.get(t, req, broker.Miss)
				}
			})
		})
	}
}

func TestWhatAStrangerCannotVary(t *testing.T) {
	tests := map[string]func(*broker.Request){
		"scope":          func(r *broker.Request) { r.Scope = "s" },
		"days":           func(r *broker.Request) { r.Expiry.Days = 3 },
		"a moment":       func(r *broker.Request) { r.Expiry.At = time.Now().Add(5 * time.Hour) },
		"cloud_base":     func(r *broker.Request) { r.CloudBase = &broker.CloudBase{Env: "e"} },
		"another env":    func(r *broker.Request) { r.Env = broker.Develop },
		"unknown fields": func(r *broker.Request) { r.Extra = []byte(`{"x":1}`) },
	}
	for claim, ask := range tests {
		t.Run(claim, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, &wechat{}, nil)
				page := &broker.Client{Name: "page", Publishable: true, Grant: broker.Grant{Paths: []broker.PathRule{{Path: "**", AnyQuery: true}}}}
				req := query("a=1")
				req.Client = page
				r.get(t, req, broker.Miss)
				ask(&req)
				r.fails(t, req, broker.Forbidden)
			})
		})
	}
}

func TestClientsThatCannotBeGuardedAreRefused(t *testing.T) {
	guarded := broker.Grant{
		Origins: []string{"https://shop.example.com"}, Paths: []broker.PathRule{{Path: "pages/**"}}, GenerationsPerDay: 100,
	}
	tests := []struct {
		claim  string
		client broker.Client
		ok     bool
	}{
		{claim: "a secret key without limits", client: broker.Client{Name: "a", Role: broker.RoleAdmin}, ok: true},
		{claim: "a publishable key with all three", client: broker.Client{Name: "a", Role: broker.RoleGenerate, Publishable: true, Grant: guarded}, ok: true},
		{claim: "no name", client: broker.Client{Role: broker.RoleRead}},
		{claim: "a name with a line feed", client: broker.Client{Name: "a\nb", Role: broker.RoleRead}},
		{claim: "an unknown role", client: broker.Client{Name: "a", Role: "root"}},
		{claim: "a publishable administrator", client: broker.Client{Name: "a", Role: broker.RoleAdmin, Publishable: true, Grant: guarded}},
		{claim: "a publishable key without origins", client: publishable(guarded, func(g *broker.Grant) { g.Origins = nil })},
		{claim: "a publishable key without paths", client: publishable(guarded, func(g *broker.Grant) { g.Paths = nil })},
		{claim: "a publishable key without a budget", client: publishable(guarded, func(g *broker.Grant) { g.GenerationsPerDay = 0 })},
		{claim: "an origin with a path", client: publishable(guarded, func(g *broker.Grant) { g.Origins = []string{"https://a.example/x"} })},
		{claim: "the origin null", client: publishable(guarded, func(g *broker.Grant) { g.Origins = []string{"null"} })},
		{claim: "a wildcard origin", client: publishable(guarded, func(g *broker.Grant) { g.Origins = []string{"*"} })},
		{claim: "a pattern that is none", client: publishable(guarded, func(g *broker.Grant) { g.Paths = []broker.PathRule{{Path: "a[b"}} })},
		{claim: "a path with a query", client: publishable(guarded, func(g *broker.Grant) { g.Paths = []broker.PathRule{{Path: "a?b=1"}} })},
		{claim: "a regular expression that is none", client: publishable(guarded, func(g *broker.Grant) {
			g.Paths = []broker.PathRule{{Path: "a", Params: []broker.ParamRule{{Name: "x", Pattern: "("}}}}
		})},
		{claim: "a regular expression that breaks out of its anchors", client: publishable(guarded, func(g *broker.Grant) {
			g.Paths = []broker.PathRule{{Path: "a", Params: []broker.ParamRule{{Name: "x", Pattern: "a)|(b"}}}}
		})},
		{claim: "an end in the year 10000", client: broker.Client{Name: "a", Role: broker.RoleRead, ExpiresAt: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}},
		{claim: "a negative limit", client: broker.Client{Name: "a", Role: broker.RoleRead, Grant: broker.Grant{RequestsPerSecond: -1}}},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			if err := test.client.Check(); (err == nil) != test.ok || err != nil && !errors.Is(err, broker.InvalidArgument) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func publishable(grant broker.Grant, change func(*broker.Grant)) broker.Client {
	change(&grant)
	return broker.Client{Name: "a", Role: broker.RoleGenerate, Publishable: true, Grant: grant}
}

func FuzzPathRule(f *testing.F) {
	f.Add("pages/*", "pages/a")
	f.Add("**", "")
	f.Add("a/**", "a/b/c")
	f.Fuzz(func(t *testing.T, pattern, page string) {
		grant := broker.Grant{Paths: []broker.PathRule{{Path: pattern, AnyQuery: true}}}
		if grant.Check() != nil {
			t.Skip("not a pattern")
		}
		permitted := grant.Permits(&broker.Target{App: appid, Path: page}, false) == nil
		literal := !strings.Contains(pattern, "*")
		if literal && permitted != (strings.TrimLeft(pattern, "/") == page) {
			t.Errorf("pattern %q, page %q: %v", pattern, page, permitted)
		}
		if strings.TrimLeft(pattern, "/") == "**" && !permitted {
			t.Errorf("%q does not permit %q", pattern, fmt.Sprint(page))
		}
	})
}
