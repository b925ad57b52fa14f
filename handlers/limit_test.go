package handlers_test

import (
	"fmt"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/handlers"
)

// from asks as askWith does, from an address.
func (w *world) from(remote, method, address, body string, header ...string) reply {
	r := httptest.NewRequestWithContext(w.t.Context(), method, address, strings.NewReader(body))
	r.RemoteAddr = remote
	out := w.serve(w.public, r, header...)
	w.spec.check(w.t, "public", r, body, out)
	return reply{out}
}

func limitedTo(t *testing.T, grant broker.Grant) *world {
	w := newWorld(t)
	err := w.clients.Configure(t.Context(), []broker.Client{
		{Name: "shop", Role: broker.RoleGenerate, Keys: []broker.ClientKey{{Digest: broker.DigestKey(shopKey)}}, Grant: grant},
		{Name: "admin", Role: broker.RoleAdmin, Keys: []broker.ClientKey{{Digest: broker.DigestKey(adminKey)}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestAClientIsHeldToItsRate(t *testing.T) {
	w := limitedTo(t, broker.Grant{Apps: []string{appA}, RequestsPerSecond: 2.5})
	ask := func() reply { return w.ask("POST", "/api/v1/links", `{"path":"p"}`, as(shopKey)) }
	for i, want := range []string{`"client";r=2;t=1`, `"client";r=1;t=1`, `"client";r=0;t=2`} {
		out := ask()
		wantCode(t, out, "")
		if got := out.Header().Get("RateLimit"); got != want || out.Header().Get("RateLimit-Policy") != `"client";q=3;w=2` {
			t.Errorf("request %d: %q of %q", i, got, out.Header().Get("RateLimit-Policy"))
		}
	}
	out := ask()
	wantCode(t, out, "rate_limited")
	if out.Code != 429 || out.Header().Get("Retry-After") != "1" || out.Header().Get("RateLimit") != `"client";r=0;t=2` {
		t.Errorf("%d %v", out.Code, out.Header())
	}
	facade := w.ask("POST", "/wxa/generate_urllink", `{"path":"p"}`, as(shopKey))
	wantErrCode(t, facade, 45011)
	if facade.Header().Get("Retry-After") != "1" {
		t.Error("the facade has no Retry-After")
	}
	wantErrCode(t, w.ask("GET", "/cgi-bin/token?grant_type=client_credential&secret="+shopKey, ""), 45011)
	w.pass(400 * time.Millisecond)
	wantCode(t, ask(), "")
	wantCode(t, ask(), "rate_limited")
}

// fixed are limits that nobody changes.
func fixed(limits handlers.Limits) func() handlers.Limits {
	return func() handlers.Limits { return limits }
}

func TestOddRates(t *testing.T) {
	for rate, want := range map[float64]string{
		1e308: `"client";q=1000000;w=1`, 1e-300: `"client";q=1;w=86400`, 0.5: `"client";q=1;w=2`, 1: `"client";q=1;w=1`,
	} {
		w := limitedTo(t, broker.Grant{Apps: []string{appA}, RequestsPerSecond: rate})
		out := w.ask("POST", "/api/v1/links", `{"path":"p"}`, as(shopKey))
		if got := out.Header().Get("RateLimit-Policy"); got != want || out.Code != 200 {
			t.Errorf("%g: %d %q", rate, out.Code, got)
		}
		if again := w.ask("POST", "/api/v1/links", `{"path":"p"}`, as(shopKey)); (again.Code == 429) != (rate <= 1) {
			t.Errorf("%g: %d", rate, again.Code)
		}
	}
}

func TestASecretKeyHasOnlyTheLimitsOfItsClient(t *testing.T) {
	w := newWorld(t)
	w.config.Limits = fixed(handlers.Limits{AddressRequestsPerSecond: 1, FailedAuthPerMinute: 1})
	w.listen()
	for range 3 {
		out := w.ask("POST", "/api/v1/links", `{"path":"p"}`, as(shopKey))
		wantCode(t, out, "")
		if out.Header().Get("RateLimit") != "" {
			t.Errorf("%v", out.Header())
		}
	}
}

func TestAddressesAreHeldToTheirRate(t *testing.T) {
	w := newWorld(t)
	w.config.Limits = fixed(handlers.Limits{AddressRequestsPerSecond: 2})
	w.listen()
	const page = "/api/v1/link?path=p&key=" + pageKey
	until := w.clock().Add(time.Minute)
	for range 2 {
		wantCode(t, w.from("192.0.2.1:1000", "GET", page, ""), "")
	}
	for name, test := range map[string]struct{ remote, address, code string }{
		"the address, at another port":   {"192.0.2.1:2000", page, "rate_limited"},
		"the address, written as IPv6":   {"[::ffff:192.0.2.1]:1000", page, "rate_limited"},
		"the address, with a signature":  {"192.0.2.1:1000", w.signed("shop", shopKey, appA, "p", "", until, nil), "rate_limited"},
		"the address, with a secret key": {"192.0.2.1:1000", "/api/v1/link?path=p&access_token=" + shopKey, ""},
		"another address":                {"192.0.2.2:1000", page, ""},
	} {
		t.Run(name, func(t *testing.T) { wantCode(t, w.from(test.remote, "GET", test.address, ""), test.code) })
	}
	t.Run("an IPv6 customer is one address", func(t *testing.T) {
		wantCode(t, w.from("[2001:db8:0:1::1]:1000", "GET", page, ""), "")
		out := w.from("[2001:db8:0:1:ffff:ffff:ffff:2]:1000", "GET", page, "")
		wantCode(t, out, "")
		if out.Header().Get("RateLimit") != `"address";r=0;t=1` || out.Header().Get("RateLimit-Policy") != `"address";q=2;w=1` {
			t.Errorf("%v", out.Header())
		}
		wantCode(t, w.from("[2001:db8:0:1::3]:1000", "GET", page, ""), "rate_limited")
		wantCode(t, w.from("[2001:db8:0:2::1]:1000", "GET", page, ""), "")
	})
	t.Run("those without an address share one", func(t *testing.T) {
		for _, code := range []string{"", "", "rate_limited"} {
			wantCode(t, w.from("@", "GET", page, ""), code)
		}
	})
}

func TestBothLimitsAreTold(t *testing.T) {
	w := newWorld(t)
	w.config.Limits = fixed(handlers.Limits{AddressRequestsPerSecond: 10})
	w.listen()
	grant := pageGrant()
	grant.RequestsPerSecond = 5
	err := w.clients.Configure(t.Context(), []broker.Client{{
		Name: "page", Role: broker.RoleGenerate, Publishable: true, Keys: []broker.ClientKey{{Digest: broker.DigestKey(pageKey)}}, Grant: grant,
	}})
	if err != nil {
		t.Fatal(err)
	}
	h := w.ask("GET", "/api/v1/link?path=p&key="+pageKey, "").Header()
	if h.Get("RateLimit") != `"address";r=9;t=1, "client";r=4;t=1` || h.Get("RateLimit-Policy") != `"address";q=10;w=1, "client";q=5;w=1` {
		t.Errorf("%v", h)
	}
}

// TestAddressesHaveTheirGenerations holds the domain's limit, which the handlers tell the address.
func TestAddressesHaveTheirGenerations(t *testing.T) {
	w := newWorld(t)
	w.broker = broker.New(w.store, w.weChat, broker.Policy{Apps: []broker.App{{ID: appA}}, AddressGenerations: 1}, w.clock)
	w.config.Broker = w.broker
	w.listen()
	ask := func(remote, query, key string) reply {
		return w.from(remote, "GET", "/api/v1/link?path=free/a&query="+query+key, "")
	}
	wantCode(t, ask("192.0.2.1:1", "a", "&key="+pageKey), "")
	wantCode(t, ask("192.0.2.1:1", "b", "&key="+pageKey), "rate_limited")
	wantCode(t, ask("192.0.2.1:1", "a", "&key="+pageKey), "") // a hit
	wantCode(t, ask("192.0.2.2:1", "b", "&key="+pageKey), "")
	for _, query := range []string{"c", "d"} {
		wantCode(t, ask("192.0.2.1:1", query, "&access_token="+shopKey), "")
	}
}

// TestFailedAuthentication is throttled by address, and nothing tells an unknown key from a wrong one.
func TestFailedAuthentication(t *testing.T) {
	w := newWorld(t)
	w.config.Limits = fixed(handlers.Limits{FailedAuthPerMinute: 3})
	w.listen()
	until := w.clock().Add(time.Minute)
	bad := []func(remote string) reply{
		func(remote string) reply {
			return w.from(remote, "POST", "/api/v1/links", `{"path":"p"}`, as(wrongKey))
		},
		func(remote string) reply {
			return w.from(remote, "POST", "/api/v1/links", `{"path":"p"}`, as(expiredKey))
		},
		func(remote string) reply { return w.from(remote, "GET", "/api/v1/link?path=p&key="+shopKey, "") },
		func(remote string) reply {
			return w.from(remote, "GET", "/api/v1/link?path=p&key=x", "", "Origin: "+pageOrigin)
		},
		func(remote string) reply {
			return w.from(remote, "GET", w.signed("nobody", wrongKey, appA, "p", "", until, nil), "")
		},
		func(remote string) reply {
			return w.from(remote, "POST", "/api/v1/links", `{"path":"p"}`, as("lb1.AAAA"))
		},
	}
	for i, ask := range bad {
		remote := fmt.Sprintf("192.0.2.%d:1", i)
		for range 3 {
			wantCode(t, ask(remote), "bad_credential")
		}
		out := ask(remote)
		wantCode(t, out, "rate_limited")
		if out.Header().Get("Retry-After") != "20" {
			t.Errorf("Retry-After %q", out.Header().Get("Retry-After"))
		}
	}
	wantErrCode(t, w.from("192.0.2.0:1", "GET", "/cgi-bin/token?grant_type=client_credential&secret="+wrongKey, ""), 45011)
	wantErrCode(t, w.from("192.0.2.99:1", "GET", "/cgi-bin/token?grant_type=client_credential&secret="+wrongKey, ""), 40001)
	wantCode(t, w.from("192.0.2.0:1", "POST", "/api/v1/links", `{"path":"p"}`, as(shopKey)), "") // a good key is not held up
	wantCode(t, w.from("192.0.2.0:1", "POST", "/api/v1/links", `{"path":"p"}`), "unauthenticated")
	w.pass(20 * time.Second)
	wantCode(t, bad[0]("192.0.2.0:1"), "bad_credential")

	unknown, ended := w.from("192.0.2.50:1", "POST", "/api/v1/links", "{}", as(wrongKey)), w.from("192.0.2.50:1", "POST", "/api/v1/links", "{}", as(expiredKey))
	if unknown.text() != ended.text() || fmt.Sprint(unknown.Header()) != fmt.Sprint(ended.Header()) {
		t.Errorf("%s\n%s", unknown.text(), ended.text())
	}
}

// TestWhoIsBelievedAboutAddresses holds X-Forwarded-For against the list of trusted proxies.
func TestWhoIsBelievedAboutAddresses(t *testing.T) {
	for name, test := range map[string]struct {
		trusted   string
		remote    string
		forwarded []string
		same      string // as that of a request straight from here
	}{
		"nobody is trusted":                        {"", "192.0.2.1:1", []string{"203.0.113.9"}, "192.0.2.1:1"},
		"nobody but the proxy is trusted":          {"10.0.0.0/8", "192.0.2.1:1", []string{"203.0.113.9"}, "192.0.2.1:1"},
		"the proxy is believed":                    {"10.0.0.0/8", "10.1.2.3:1", []string{"203.0.113.9"}, "203.0.113.9:1"},
		"by its last word":                         {"10.0.0.0/8", "10.1.2.3:1", []string{"6.6.6.6, 203.0.113.9"}, "203.0.113.9:1"},
		"in whichever line it stands":              {"10.0.0.0/8", "10.1.2.3:1", []string{"6.6.6.6", "203.0.113.9"}, "203.0.113.9:1"},
		"beyond a second proxy":                    {"10.0.0.0/8", "10.1.2.3:1", []string{"6.6.6.6, 203.0.113.9, 10.9.9.9"}, "203.0.113.9:1"},
		"one that says nothing speaks for itself":  {"10.0.0.0/8", "10.1.2.3:1", nil, "10.1.2.3:1"},
		"one that says nonsense speaks for itself": {"10.0.0.0/8", "10.1.2.3:1", []string{"203.0.113.9, nonsense"}, "10.1.2.3:1"},
		"a list of IPv6":                           {"2001:db8::/32", "[2001:db8::1]:1", []string{"203.0.113.9"}, "203.0.113.9:1"},
		"a client of IPv6":                         {"10.0.0.0/8", "10.1.2.3:1", []string{"2001:db9:1:2::1"}, "[2001:db9:1:2::99]:1"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.config.Limits = fixed(handlers.Limits{AddressRequestsPerSecond: 1})
			if test.trusted != "" {
				w.config.TrustedProxies = []netip.Prefix{netip.MustParsePrefix(test.trusted)}
			}
			w.listen()
			const page = "/api/v1/link?path=p&key=" + pageKey
			r := httptest.NewRequestWithContext(t.Context(), "GET", page, nil)
			r.RemoteAddr = test.remote
			r.Header["X-Forwarded-For"] = test.forwarded
			r.Header["X-Real-Ip"] = []string{"6.6.6.6"} // which nobody asked for
			r.Header["Forwarded"] = []string{"for=6.6.6.6"}
			wantCode(t, reply{w.serve(w.public, r)}, "")
			wantCode(t, w.from(test.same, "GET", page, ""), "rate_limited")
			wantCode(t, w.from("6.6.6.6:1", "GET", page, ""), "")
		})
	}
}

func TestEveryAnswerHasSecurityHeaders(t *testing.T) {
	w := newWorld(t)
	if got := w.administer("GET", "/api/v1/clients").Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("the admin listener's answers are %q", got)
	}
	for name, out := range map[string]reply{
		"a link":             w.ask("POST", "/api/v1/links", `{"path":"p"}`, as(shopKey)),
		"a facade's error":   w.ask("POST", "/wxa/generate_urllink", `{"path":"p"}`),
		"a problem":          w.ask("POST", "/api/v1/links", `{"path":"p"}`),
		"a page":             w.ask("GET", "/docs", ""),
		"no such address":    w.ask("GET", "/nosuch", ""),
		"a wrong method":     w.ask("PUT", "/healthz", ""),
		"a preflight":        w.ask("OPTIONS", "/api/v1/links?key="+pageKey, "", "Origin: "+pageOrigin),
		"the admin listener": w.administer("GET", "/api/v1/links"),
		"the figures":        w.administer("GET", "/metrics"),
		"a panic":            w.administer("POST", "/api/v1/jobs/panics:run"),
	} {
		h := out.Header()
		policy := h.Get("Content-Security-Policy")
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" ||
			!strings.HasPrefix(policy, "default-src 'none'; ") || !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("%s: %v", name, h)
		}
	}
}
