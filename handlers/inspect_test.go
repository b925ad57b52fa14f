package handlers_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"linkbroker/broker"
	"linkbroker/cache"
)

func newStore() broker.Store { return cache.NewMemory() }

const (
	queryCall       = "/wxa/query_urllink?access_token=" + shopKey
	querySchemeCall = "/wxa/queryscheme?access_token=" + shopKey
)

func TestALinkOfOursIsDescribedWithoutACall(t *testing.T) {
	w := newWorld(t)
	w.ask("POST", facade, `{"path":"p","query":"a=1","cloud_base":{"env":"e"}}`)
	w.ask("POST", facade, `{"path":"p","expire_interval":7}`)
	w.ask("POST", schemeCall, `{"jump_wxa":{"path":"s","env_version":"trial"}}`)
	for name, test := range map[string]struct{ address, body, want string }{
		"a URL Link": {
			queryCall, `{"url_link":"https://wxaurl.cn/t1"}`,
			`"url_link_info":{"appid":"` + appA + `","path":"p","query":"a=1","create_time":1772337600,"expire_time":1774929600,"env_version":"release","cloud_base":{"env":"e","path":"/"}}`,
		},
		"one of seven days with a query joined": {
			queryCall, `{"url_link":"https://wxaurl.cn/t2?cq=b%3D2","query_type":"0"}`,
			`"url_link_info":{"appid":"` + appA + `","path":"p","query":"b=2","create_time":1772337600,"expire_time":1772942400,"env_version":"release"}`,
		},
		"a scheme": {
			querySchemeCall, `{"scheme":"weixin://dl/business/?t=t3","query_type":0}`,
			`"scheme_info":{"appid":"` + appA + `","path":"s","query":"","create_time":1772337600,"expire_time":1774929600,"env_version":"trial"}`,
		},
	} {
		out := w.ask("POST", test.address, test.body)
		if want := `{"errcode":0,"errmsg":"ok",` + test.want + "}\n"; out.text() != want {
			t.Errorf("%s: got %s\nwant %s", name, out.text(), want)
		}
		if got := out.Header().Get("Cache-Status"); !strings.HasPrefix(got, "linkbroker; hit; ttl=") {
			t.Errorf("%s: Cache-Status %q", name, got)
		}
	}
	if w.weChat.questions() != 0 {
		t.Errorf("WeChat was asked about %v", w.weChat.asked)
	}
}

func TestOtherLinksArePassedOnWithWeChatsErrcodes(t *testing.T) {
	w := newWorld(t)
	out := w.ask("POST", queryCall, `{"url_link":"https://wxaurl.cn/other"}`)
	if !strings.Contains(out.text(), `"newer":[1]`) || out.Header().Get("Cache-Status") != "linkbroker; fwd=miss" || w.weChat.questions() != 1 {
		t.Errorf("got %s after %v", out.text(), w.weChat.asked)
	}
	for _, test := range []struct {
		err     error
		errcode int
	}{
		{upstream(broker.NotFound, 85403, "unknown"), 85403},
		{upstream(broker.InvalidArgument, 40097, "invalid args"), 40097},
		{upstream(broker.Upstream, 99999, "new"), 99999},
		{upstream(broker.Unavailable, -1, "busy"), -1},
		{upstream(broker.Busy, 44990, "too fast"), 45011},
	} {
		w.weChat.answer = func(string) (broker.Inspected, error) { return broker.Inspected{}, test.err }
		wantErrCode(t, w.ask("POST", queryCall, `{"url_link":"https://wxaurl.cn/other"}`), test.errcode)
	}
	for name, test := range map[string]struct {
		address, body string
		errcode       int
	}{
		"no link":                             {queryCall, `{}`, 40097},
		"an unknown type":                     {queryCall, `{"url_link":"https://wxaurl.cn/t","query_type":2}`, 40097},
		"a scheme where a URL Link is wanted": {queryCall, `{"scheme":"weixin://dl/business/?t=1"}`, 40097},
		"a link of 5,000 bytes":               {queryCall, `{"url_link":"https://wxaurl.cn/` + strings.Repeat("a", 5000) + `"}`, 40097},
		"a number as link":                    {queryCall, `{"url_link":1}`, 47001},
		"a key that only reads":               {"/wxa/query_urllink?access_token=" + readKey, `{"url_link":"https://wxaurl.cn/other"}`, 48001},
		"a publishable key":                   {"/k/" + pageKey + "/wxa/query_urllink", `{"url_link":"https://wxaurl.cn/other"}`, 48001},
		"a publishable key asking for visits": {"/k/" + pageKey + "/wxa/query_urllink", `{"query_type":1}`, 48001},
	} {
		t.Run(name, func(t *testing.T) { wantErrCode(t, w.ask("POST", test.address, test.body), test.errcode) })
	}
}

// TestAnAnswerThatCannotBeRepeatedIsNone: JSON that names a field twice, or is not UTF-8, was a defect of ours.
func TestAnAnswerThatCannotBeRepeatedIsNone(t *testing.T) {
	w := newWorld(t)
	for _, answer := range []string{`{"errcode":0,"url_link_info":{"path":"a","path":"b"}}`, "{\"errcode\":0,\"x\":\"\xff\"}"} {
		w.weChat.answer = func(string) (broker.Inspected, error) { return broker.Inspected{Answer: []byte(answer)}, nil }
		for _, address := range []string{queryCall, "/openapi/urllink.query?access_token=" + shopKey} {
			wantErrCode(t, w.ask("POST", address, `{"url_link":"https://wxaurl.cn/other"}`), -1)
		}
		wantCode(t, w.ask("GET", "/api/v1/inspect?url=https://wxaurl.cn/other", "", as(shopKey)), "unavailable")
	}
	if log := w.log.String(); strings.Contains(log, "level=ERROR") {
		t.Errorf("it is logged as a defect: %s", log)
	}
}

func TestAnothersLinkIsNotDescribed(t *testing.T) {
	w := newWorld(t)
	w.ask("POST", "/api/v1/links", `{"app":"`+appB+`","path":"secret"}`, as(generateKey))
	w.weChat.answer = func(string) (broker.Inspected, error) {
		return broker.Inspected{}, upstream(broker.NotFound, 85403, "no such link")
	}
	wantErrCode(t, w.ask("POST", queryCall, `{"url_link":"https://wxaurl.cn/t1"}`), 85403)
}

func TestVisitsAreAskedForOnceAMinuteOverHTTP(t *testing.T) {
	w := newWorld(t)
	want := `{"errcode":0,"errmsg":"ok","quota_info":{"remain_visit_quota":5999999}}` + "\n"
	for _, address := range []string{queryCall, querySchemeCall, queryCall} {
		if out := w.ask("POST", address, `{"query_type":1}`); out.text() != want {
			t.Errorf("got %s", out.text())
		}
	}
	w.administer("GET", "/api/v1/quota")
	if w.weChat.visited != 2 { // one of each mini program
		t.Errorf("asked %d times", w.weChat.visited)
	}
	wantFigures(t, w.figures(), `linkbroker_openings_left{app="`+appA+`"} 5.999999e+06`)
}

func TestInspectTellsWhatALinkIs(t *testing.T) {
	w := newWorld(t)
	key := answerOf(t, w.ask("POST", "/api/v1/links", `{"path":"p","query":"a=1"}`, as(shopKey))).Key
	ask := func(link, credential string) reply {
		return w.ask("GET", "/api/v1/inspect?url="+url.QueryEscape(link), "", as(credential))
	}
	want := `{"url":"https://wxaurl.cn/t1","kind":"url_link","app":"` + appA + `","stored":true,"key":"` + key +
		`","path":"p","query":"a=1","env_version":"release","generated_at":"2026-03-01T04:00:00Z","expires_at":"2026-03-31T03:59:00Z"}` + "\n"
	for _, credential := range []string{shopKey, readKey} {
		if out := ask("https://wxaurl.cn/t1", credential); out.text() != want {
			t.Errorf("got %s", out.text())
		}
	}
	out := ask("weixin://dl/business/?t=other", shopKey)
	var told struct {
		Kind   string
		Stored bool
		WeChat map[string]any
	}
	if err := json.Unmarshal(out.Body.Bytes(), &told); err != nil || told.Kind != "scheme" || told.Stored || told.WeChat["newer"] == nil {
		t.Errorf("got %s", out.text())
	}
	w.ask("POST", shortLinkCall, `{"page_url":"p?a=1"}`)
	if out := ask("#小程序://x/t2", shopKey); !strings.Contains(out.text(), `"kind":"short_link","app":"`+appA+`","stored":true`) {
		t.Errorf("a short link: got %s", out.text())
	}
	wantCode(t, ask("#小程序://x/other", shopKey), "invalid_argument") // WeChat is not asked about those
	wantCode(t, ask("https://wxaurl.cn/other", readKey), "not_cached")
	wantCode(t, ask("https://wxaurl.cn/t1", pageKey), "forbidden")
	wantCode(t, ask("", shopKey), "invalid_argument")
	wantCode(t, w.ask("GET", "/api/v1/inspect?link=x", "", as(shopKey)), "malformed")
	w.weChat.answer = func(string) (broker.Inspected, error) {
		return broker.Inspected{}, upstream(broker.NotFound, 85403, "no such link")
	}
	wantCode(t, ask("https://wxaurl.cn/other", shopKey), "not_found")
}

func TestVerify(t *testing.T) {
	w := newWorld(t)
	key := answerOf(t, w.ask("POST", "/api/v1/links", `{"path":"p"}`, as(shopKey))).Key
	verify := func(key string) reply {
		return w.administer("POST", "/api/v1/links/"+key+":verify")
	}
	if out := verify(key); !strings.HasPrefix(out.text(), `{"verdict":"corrected","link":{"key":"`+key+`"`) || !strings.Contains(out.text(), `"expires_at":"2026-03-01T04:59:00Z"`) {
		t.Errorf("got %d %s", out.Code, out.text())
	}
	w.weChat.answer = func(string) (broker.Inspected, error) {
		return broker.Inspected{}, upstream(broker.NotFound, 85403, "no such link")
	}
	if out := verify(key); !strings.HasPrefix(out.text(), `{"verdict":"dropped"`) || !strings.Contains(out.text(), `"alive":false`) {
		t.Errorf("got %d %s", out.Code, out.text())
	}
	if got := answerOf(t, w.ask("POST", "/api/v1/links", `{"path":"p"}`, as(shopKey))); got.Outcome != "miss" {
		t.Errorf("after that a %s", got.Outcome)
	}
	short := answerOf(t, w.ask("POST", "/api/v1/links", `{"path":"p","kind":"short_link"}`, as(shopKey))).Key
	wantCode(t, verify(short), "invalid_argument")
	wantCode(t, verify(strings.Repeat("0", 32)), "not_found")
	if out := w.administer("GET", "/api/v1/audit"); strings.Count(out.text(), `"action":"link.verify","object":"`+key) != 2 {
		t.Errorf("the audit says %s", out.text())
	}
}
