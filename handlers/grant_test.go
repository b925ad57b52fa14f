package handlers_test

import (
	"net/url"
	"testing"
)

// TestAClientGetsWhatItsGrantAllows asks with a publishable key, on the native interface and the facade.
func TestAClientGetsWhatItsGrantAllows(t *testing.T) {
	w := newWorld(t)
	for name, test := range map[string]struct {
		query, body string // the same as parameters and as a body
		code        string
		errcode     int
	}{
		"a page of its":                   {"path=p", `{"path":"p"}`, "", 0},
		"a query of its":                  {"path=p&query=" + url.QueryEscape("id=7"), `{"path":"p","query":"id=7"}`, "", 0},
		"any query where that is allowed": {"path=free/a&query=" + url.QueryEscape("x=y"), `{"path":"free/a","query":"x=y"}`, "", 0},
		"another page":                    {"path=q", `{"path":"q"}`, "forbidden", 48001},
		"another parameter":               {"path=p&query=" + url.QueryEscape("x=7"), `{"path":"p","query":"x=7"}`, "forbidden", 48001},
		"another value":                   {"path=p&query=" + url.QueryEscape("id=x"), `{"path":"p","query":"id=x"}`, "forbidden", 48001},
		"another mini program":            {"path=p&appid=" + appB, `{"path":"p"}`, "forbidden", 48001},
	} {
		t.Run(name, func(t *testing.T) {
			wantCode(t, w.ask("GET", "/api/v1/link?key="+pageKey+"&"+test.query, ""), test.code)
			appid := ""
			if test.query == "path=p&appid="+appB {
				appid = "&appid=" + appB
			}
			wantCode(t, w.ask("POST", "/api/v1/links?key="+pageKey+appid, test.body), test.code)
			wantErrCode(t, w.ask("POST", "/wxa/generate_urllink?key="+pageKey+appid, test.body), test.errcode)
		})
	}
}

func TestAClientWhoseBudgetIsSpentStillHits(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"1", "2", "3", "4", "5"} {
		wantCode(t, w.ask("GET", "/api/v1/link?key="+pageKey+"&path=p&query=id%3D"+id, ""), "")
	}
	out := w.ask("GET", "/api/v1/link?key="+pageKey+"&path=p&query=id%3D6", "")
	wantCode(t, out, "budget_exhausted")
	if out.Code != 429 || out.Header().Get("Retry-After") != "43200" { // at 12:00 in Shanghai
		t.Errorf("%d, Retry-After %q", out.Code, out.Header().Get("Retry-After"))
	}
	wantErrCode(t, w.ask("POST", "/wxa/generate_urllink?key="+pageKey, `{"path":"p","query":"id=6"}`), 45009)
	wantCode(t, w.ask("GET", "/api/v1/link?key="+pageKey+"&path=p&query=id%3D5", ""), "")
	wantCode(t, w.ask("POST", "/api/v1/links", `{"path":"p","query":"id=6"}`, as(shopKey)), "")
	if w.weChat.calls() != 6 {
		t.Errorf("%d calls", w.weChat.calls())
	}
}

func TestSharedCachesMayKeepWhatAPublishableKeyInTheAddressGot(t *testing.T) {
	w := newWorld(t)
	const address = "/api/v1/link?path=p"
	for name, test := range map[string]struct{ address, header, want string }{
		"a publishable key in the address": {address + "&key=" + pageKey, "", "public, max-age=3600"},
		"a publishable key in the header":  {address, as(pageKey), "private, max-age=3600"},
		"a secret key":                     {address, as(shopKey), "private, max-age=3600"},
	} {
		if got := w.ask("GET", test.address, "", test.header).Header().Get("Cache-Control"); got != test.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
