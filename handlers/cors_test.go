package handlers_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"linkbroker/broker"
)

// saysCORS reports whether an answer says anything of CORS.
func saysCORS(h http.Header) bool {
	for name := range h {
		if strings.HasPrefix(name, "Access-Control-") {
			return true
		}
	}
	return false
}

// TestPagesOfTheClientsOriginsReadAnswers asks as pages of many origins do.
func TestPagesOfTheClientsOriginsReadAnswers(t *testing.T) {
	w := newWorld(t)
	for name, test := range map[string]struct {
		origin string
		code   string
	}{
		"the client's":                       {pageOrigin, ""},
		"another":                            {"https://evil.example", "forbidden"},
		"one that ends like it":              {"https://evil-shop.example.com", "forbidden"},
		"one below it":                       {"https://a.shop.example.com", "forbidden"},
		"one that begins like it":            {pageOrigin + ".evil.example", "forbidden"},
		"the same without TLS":               {"http://shop.example.com", "forbidden"},
		"the same at another port":           {pageOrigin + ":8443", "forbidden"},
		"the same in capitals":               {"https://SHOP.example.com", "forbidden"},
		"the same with a slash":              {pageOrigin + "/", "forbidden"},
		"null, which a sandboxed frame says": {"null", "forbidden"},
		"a star":                             {"*", "forbidden"},
		"two":                                {pageOrigin + " " + pageOrigin, "forbidden"},
		"none at all":                        {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, out := range []reply{
				w.ask("GET", "/api/v1/link?path=p&key="+pageKey, "", "Origin: "+test.origin),
				w.ask("POST", "/api/v1/links?key="+pageKey, `{"path":"p"}`, "Origin: "+test.origin),
			} {
				wantCode(t, out, test.code)
				if test.code != "" && out.Code != http.StatusForbidden {
					t.Errorf("status %d", out.Code)
				}
				if out.Header().Get("Vary") != "Origin" {
					t.Errorf("Vary is %q: a cache would give the answer to any origin", out.Header()["Vary"])
				}
				allowed := test.origin == pageOrigin
				if saysCORS(out.Header()) != allowed || allowed && out.Header().Get("Access-Control-Allow-Origin") != pageOrigin {
					t.Errorf("%v", out.Header())
				}
				if out.Header().Get("Access-Control-Allow-Credentials") != "" {
					t.Error("cookies are nobody's here")
				}
			}
		})
	}
}

func TestWhoseOriginsCount(t *testing.T) {
	w := newWorld(t)
	until := w.clock().Add(time.Minute)
	const link = "/api/v1/link?path=p"
	for name, test := range map[string]struct{ address, header, code string }{
		"no credential": {link, "", "unauthenticated"},
		"a wrong key":   {link + "&key=pk_nobodys-key-0123456789", "", "bad_credential"},
		"a secret key whose client has no origins": {link, as(generateKey), "forbidden"},
		"a signer without origins":                 {w.signed("shop", shopKey, appA, "p", "a=1", until, nil), "", "forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			out := w.ask("GET", test.address, "", "Origin: "+pageOrigin, test.header)
			wantCode(t, out, test.code)
			if saysCORS(out.Header()) {
				t.Errorf("%v", out.Header())
			}
		})
	}
	t.Run("a signer with origins", func(t *testing.T) {
		err := w.clients.Configure(t.Context(), []broker.Client{{
			Name: "shop", Role: broker.RoleGenerate, Keys: []broker.ClientKey{{Digest: broker.DigestKey(shopKey)}}, Grant: pageGrant(),
		}})
		if err != nil {
			t.Fatal(err)
		}
		out := w.ask("GET", w.signed("shop", shopKey, appA, "p", "any=thing", until, nil), "", "Origin: "+pageOrigin)
		wantCode(t, out, "")
		if out.Header().Get("Access-Control-Allow-Origin") != pageOrigin {
			t.Errorf("%v", out.Header())
		}
	})
}

func TestAPageMayReadWhyItWasRefused(t *testing.T) {
	w := newWorld(t)
	out := w.ask("GET", "/api/v1/link?path=nosuch&key="+pageKey, "", "Origin: "+pageOrigin)
	wantCode(t, out, "forbidden")
	if out.Header().Get("Access-Control-Allow-Origin") != pageOrigin {
		t.Errorf("%v", out.Header())
	}
	if exposed := out.Header().Get("Access-Control-Expose-Headers"); !strings.Contains(exposed, "Retry-After") {
		t.Errorf("exposed: %q", exposed)
	}
}

func TestPreflights(t *testing.T) {
	w := newWorld(t)
	const asks = "Access-Control-Request-Method: POST"
	out := w.ask("OPTIONS", "/api/v1/links?key="+pageKey, "", "Origin: "+pageOrigin, asks, "Access-Control-Request-Headers: content-type")
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin": pageOrigin, "Access-Control-Allow-Methods": "POST",
		"Access-Control-Allow-Headers": "Authorization,Content-Type", "Access-Control-Max-Age": "7200",
	} {
		if got := out.Header().Get(name); got != want || out.Code != http.StatusNoContent {
			t.Errorf("%d, %s is %q, want %q", out.Code, name, got, want)
		}
	}
	if !strings.Contains(strings.Join(out.Header()["Vary"], ","), "Origin") {
		t.Errorf("Vary is %q", out.Header()["Vary"])
	}
	for name, test := range map[string]struct {
		address, origin string
		status          int
	}{
		"of another origin":              {"/api/v1/links?key=" + pageKey, "https://evil.example", 403},
		"without a key in the address":   {"/api/v1/links", pageOrigin, 401},
		"of no page":                     {"/api/v1/links?key=" + pageKey, "", 405},
		"of the facade":                  {"/wxa/generate_urllink?key=" + pageKey, pageOrigin, 200}, // with an errcode
		"of an address that is not ours": {"/nosuch", pageOrigin, 404},
	} {
		out := w.ask("OPTIONS", test.address, "", "Origin: "+test.origin, asks)
		if out.Code != test.status || saysCORS(out.Header()) {
			t.Errorf("%s: %d %v", name, out.Code, out.Header())
		}
	}
	if w.weChat.calls() != 0 {
		t.Error("a preflight had a link generated")
	}
}

func TestNothingElseSaysCORS(t *testing.T) {
	w := newWorld(t)
	for _, out := range []reply{
		w.ask("POST", "/wxa/generate_urllink?key="+pageKey, `{"path":"p"}`, "Origin: "+pageOrigin),
		w.ask("GET", "/cgi-bin/token?"+url.Values{"secret": {shopKey}}.Encode(), "", "Origin: "+pageOrigin),
		w.ask("GET", "/healthz", "", "Origin: "+pageOrigin),
		w.administer("GET", "/api/v1/links", "Origin: "+pageOrigin),
		w.administer("OPTIONS", "/api/v1/links", "Origin: "+pageOrigin),
	} {
		if saysCORS(out.Header()) {
			t.Errorf("%v", out.Header())
		}
	}
}
