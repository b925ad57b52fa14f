package handlers_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"linkbroker/broker"
)

const (
	schemeCall    = "/wxa/generatescheme?access_token=" + shopKey
	shortLinkCall = "/wxa/genwxashortlink?access_token=" + shopKey
)

func TestTheFacadeMakesEachKind(t *testing.T) {
	for address, test := range map[string]struct {
		bodies []string // that mean the same
		want   string
		target broker.Target
	}{
		schemeCall: {
			[]string{
				`{"jump_wxa":{"path":"/p","query":"b=2&a=1"}}`,
				`{"jump_wxa":{"path":"p","query":"?a=1&b=2","env_version":"","x":null},"is_expire":true,"expire_type":0,"expire_time":0,"expire_interval":0,"x":null}`,
				`{"jump_wxa":{"path":"p","query":"a=1&b=2","env_version":"release"},"expire_type":1,"expire_interval":"30"}`,
			},
			`{"errcode":0,"errmsg":"ok","openlink":"weixin://dl/business/?t=t1"}`,
			broker.Target{Kind: broker.Scheme, Path: "p", Query: "a=1&b=2"},
		},
		shortLinkCall: {
			[]string{
				`{"page_url":"/p?b=2&a=1","page_title":"茶"}`,
				`{"page_url":" p?a=1&b=2 ","page_title":" 茶","is_permanent":false,"x":null}`,
				`{"page_url":"p??a=1&b=2&","page_title":"茶","is_permanent":0}`,
				`{"page_url":"p?a=1&b=2","page_title":"茶","is_permanent":null}`,
			},
			`{"errcode":0,"errmsg":"ok","link":"#小程序://x/t1"}`,
			broker.Target{Kind: broker.ShortLink, Path: "p", Query: "a=1&b=2", Title: "茶"},
		},
	} {
		w := newWorld(t)
		for _, body := range test.bodies {
			if out := w.ask("POST", address, body); out.text() != test.want {
				t.Errorf("%s got %s", body, out.text())
			}
		}
		if w.weChat.calls() != 1 {
			t.Fatalf("%s: %d calls", address, w.weChat.calls())
		}
		test.target.App, test.target.Env = appA, broker.Release
		if got := w.weChat.targets[0]; fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", test.target) {
			t.Errorf("%s: WeChat was asked for %+v", address, got)
		}
	}
}

func TestEmptyJumpsOfAllClients(t *testing.T) {
	w := newWorld(t)
	for _, body := range []string{`{}`, `{"jump_wxa":null}`, `{"jump_wxa":[]}`, `{"jump_wxa":{}}`, `{"jump_wxa":{"path":"","query":null}}`} {
		if out := w.ask("POST", schemeCall, body); !strings.Contains(out.text(), `t=t1"`) {
			t.Errorf("%s got %s", body, out.text())
		}
	}
}

func TestUnknownFieldsOfTheKindsReachWeChatInTheirPlace(t *testing.T) {
	for address, bodies := range map[string]map[string]string{
		schemeCall: {
			`{"jump_wxa":{"path":"p","newer":1.0}}`:                           `{"jump_wxa":{"newer":1}}`,
			`{"jump_wxa":{"path":"p"},"newer":1}`:                             `{"newer":1}`,
			`{"z":{"path":1},"jump_wxa":{"path":"p","b":2,"a":[]},"a":"<&>"}`: `{"a":"<&>","jump_wxa":{"a":[],"b":2},"z":{"path":1}}`,
			`{"jump_wxa":{"path":"p"}}`:                                       ``,
		},
		shortLinkCall: {`{"page_url":"p","path":"q"}`: `{"path":"q"}`, `{"page_url":"p"}`: ``},
	} {
		w := newWorld(t)
		for body, want := range bodies {
			before := w.weChat.calls()
			w.ask("POST", address, body)
			if w.weChat.calls() != before+1 {
				t.Fatalf("%s shares a link with another", body)
			}
			if got := string(w.weChat.targets[before].Extra); got != want {
				t.Errorf("%s sends %s, want %s", body, got, want)
			}
		}
	}
}

func TestBodiesOfTheKindsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	for name, test := range map[string]struct {
		address, body string
		errcode       int
	}{
		"a scheme's query in the path":        {schemeCall, `{"jump_wxa":{"path":"p?a=1"}}`, 40165},
		"a scheme's query outside ASCII":      {schemeCall, `{"jump_wxa":{"query":"茶"}}`, 40212},
		"a scheme that ends in the past":      {schemeCall, `{"expire_time":1000000000}`, 85401},
		"an unknown version":                  {schemeCall, `{"jump_wxa":{"env_version":"beta"}}`, 85402},
		"a jump that is a text":               {schemeCall, `{"jump_wxa":"p"}`, 47001},
		"a name twice in the jump":            {schemeCall, `{"jump_wxa":{"path":"p","path":"p"}}`, 47001},
		"a number as path":                    {schemeCall, `{"jump_wxa":{"path":1}}`, 47001},
		"nothing":                             {schemeCall, ``, 44002},
		"a short link without a page":         {shortLinkCall, `{}`, 40066},
		"a short link's query outside ASCII":  {shortLinkCall, `{"page_url":"p?a=茶"}`, 40066},
		"a title of 21 characters":            {shortLinkCall, `{"page_url":"p","page_title":"` + strings.Repeat("茶", 21) + `"}`, 40225},
		"a text for is_permanent":             {shortLinkCall, `{"page_url":"p","is_permanent":"yes"}`, 47001},
		"a number that is no truth":           {shortLinkCall, `{"page_url":"p","is_permanent":2}`, 47001},
		"a page and its query of 1,025 bytes": {shortLinkCall, `{"page_url":"/p?` + strings.Repeat("a", 1022) + `"}`, 40066},
	} {
		t.Run(name, func(t *testing.T) { wantErrCode(t, w.ask("POST", test.address, test.body), test.errcode) })
	}
	if w.weChat.calls() != 0 {
		t.Errorf("WeChat was asked for %+v", w.weChat.targets)
	}
}

func TestWhatIsNewInAnAnswerIsGivenBackAlsoByHits(t *testing.T) {
	w := newWorld(t)
	w.weChat.extra = `{"notice":{"text":"<new>"},"a":1.0}`
	for address, body := range map[string]string{
		facade: `{"path":"p"}`, schemeCall: `{"jump_wxa":{"path":"p"}}`, shortLinkCall: `{"page_url":"p"}`,
	} {
		for range 2 {
			if out := w.ask("POST", address, body); !strings.HasSuffix(out.text(), `","a":1,"notice":{"text":"<new>"}}`) {
				t.Errorf("%s got %s", address, out.text())
			}
		}
	}
	if out := w.ask("POST", "/openapi/urllink.generate", `{"path":"p"}`, as(shopKey)); !strings.Contains(out.text(), `"notice":{"text":"<new>"}`) {
		t.Errorf("the cloud call got %s", out.text())
	}
	if out := w.administer("GET", "/api/v1/links?kind=scheme"); !strings.Contains(out.text(), `"answer_extra":{"a":1,"notice"`) {
		t.Errorf("the administrator sees %s", out.text())
	}
}

func TestTheNativeInterfaceKnowsTheKinds(t *testing.T) {
	w := newWorldWith(t, newStore(), broker.App{ID: appA, PlainScheme: true}, broker.App{ID: appB})
	for name, test := range map[string]struct{ body, url, outcome string }{
		"a scheme":               {`{"path":"p","kind":"scheme"}`, "weixin://dl/business/?t=t", ""},
		"a scheme, once more":    {`{"path":"/p","kind":"scheme","expire_interval":30}`, "weixin://dl/business/?t=t", ""},
		"a short link":           {`{"path":"p","kind":"short_link","page_title":"茶"}`, "#小程序://x/t", "miss"},
		"a permanent one":        {`{"path":"p","kind":"short_link","is_permanent":true}`, "#小程序://x/t", "miss"},
		"a plain scheme":         {`{"path":"p","query":"b=1&a=%20","kind":"plain_scheme"}`, "weixin://dl/business/?appid=" + appA + "&path=p&query=a%3D%2520%26b%3D1", "composed"},
		"a URL Link by its name": {`{"path":"p","kind":"url_link"}`, "https://wxaurl.cn/t", "miss"},
	} {
		t.Run(name, func(t *testing.T) {
			out := w.ask("POST", "/api/v1/links", test.body, as(shopKey))
			var got struct{ URL, Kind, Outcome string }
			if err := json.Unmarshal(out.Body.Bytes(), &got); err != nil || !strings.HasPrefix(got.URL, test.url) || test.outcome != "" && got.Outcome != test.outcome {
				t.Errorf("got %s", out.text())
			}
		})
	}
	if w.weChat.calls() != 4 {
		t.Errorf("%d calls", w.weChat.calls())
	}
	out := w.ask("GET", "/api/v1/link?kind=short_link&path=p&is_permanent=true", "", as(shopKey))
	if !strings.Contains(out.text(), `"expires_at":"2200-01-01T00:00:00Z"`) {
		t.Errorf("a permanent link ends: %s", out.text())
	}
	if got := out.Header().Get("Cache-Control"); got != "private, max-age=3600" {
		t.Errorf("Cache-Control %q", got)
	}
	for body, code := range map[string]string{
		`{"path":"p","kind":"qr"}`:                                                 "invalid_argument",
		`{"path":"p","kind":"scheme","cloud_base":{"env":"e"}}`:                    "invalid_argument",
		`{"path":"p","kind":"scheme","is_permanent":true}`:                         "invalid_expiry",
		`{"path":"p","kind":"short_link","is_permanent":true,"expire_interval":7}`: "invalid_expiry",
		`{"path":"p","kind":"short_link","env_version":"trial"}`:                   "invalid_env",
		`{"path":"p","page_title":"x"}`:                                            "invalid_argument",
		`{"path":"p","kind":"short_link","is_permanent":"yes"}`:                    "malformed",
		`{"path":"p","kind":"plain_scheme","app":"` + appB + `"}`:                  "invalid_argument",
	} {
		if strings.Contains(body, appB) {
			wantCode(t, w.ask("POST", "/api/v1/links", body, as(generateKey)), code)
			continue
		}
		wantCode(t, w.ask("POST", "/api/v1/links", body, as(shopKey)), code)
	}
	wantCode(t, w.ask("GET", "/api/v1/link?kind=short_link&path=p&is_permanent=maybe", "", as(shopKey)), "malformed")
}

func TestAPublishableKeyCannotVaryATitle(t *testing.T) {
	w := newWorld(t)
	for _, body := range []string{`{"path":"p","kind":"short_link","page_title":"x"}`, `{"path":"p","kind":"short_link","is_permanent":true}`} {
		wantCode(t, w.ask("POST", "/api/v1/links", body, as(pageKey)), "forbidden")
	}
	wantCode(t, w.ask("POST", "/api/v1/links", `{"path":"p","kind":"scheme"}`, as(pageKey)), "")
}

func TestLinksAreListedByKind(t *testing.T) {
	w := newWorld(t)
	for i, kind := range []string{"url_link", "scheme", "scheme", "short_link", "short_link"} {
		body := fmt.Sprintf(`{"path":"p%d","kind":"%s","is_permanent":%v}`, i, kind, i == 4)
		if out := w.ask("POST", "/api/v1/links", body, as(shopKey)); out.Code != 200 {
			t.Fatal(out.text())
		}
	}
	for query, want := range map[string]int{
		"?kind=url_link": 1, "?kind=scheme": 2, "?kind=short_link": 2, "?kind=plain_scheme": 0, "": 5, "?sort=expires": 5, "?sort=-expires&kind=short_link": 2,
	} {
		if page := w.list(query); len(page.Items) != want {
			t.Errorf("%q lists %d, want %d", query, len(page.Items), want)
		}
	}
}
