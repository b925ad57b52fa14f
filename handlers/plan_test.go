package handlers_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"linkbroker/broker"
	"linkbroker/cache"
)

type plan struct {
	Outcome, Key, CQ, Unspliced string
	Target                      struct {
		App, Path, Query string
		Env              string `json:"env_version"`
		ExpireInterval   int    `json:"expire_interval"`
		ExpireTime       int64  `json:"expire_time"`
	}
	Findings []struct {
		Rule, Severity, Field, Message string
		At                             int
	}
}

// lint lints a request that is one.
func (w *world) lint(body string, header ...string) (p plan) {
	w.t.Helper()
	out := w.ask("POST", "/api/v1/links:lint", body, header...)
	if err := json.Unmarshal(out.Body.Bytes(), &p); err != nil || out.Code != 200 || out.Header().Get("Cache-Control") != "no-store" {
		w.t.Fatalf("%d %s", out.Code, out.text())
	}
	return p
}

func (p plan) found() string {
	var found []string
	for _, f := range p.Findings {
		where := ""
		if f.Field != "" {
			where = " " + f.Field
		}
		if f.At > 0 {
			where += fmt.Sprint(":", f.At)
		}
		found = append(found, f.Severity+" "+f.Rule+where)
	}
	return strings.Join(found, ", ")
}

func TestLintingSaysWhatIsWrong(t *testing.T) {
	w := newWorldWith(t, cache.NewMemory(), broker.App{ID: appA})
	for name, test := range map[string]struct{ body, outcome, found string }{
		"nothing":                    {`{"path":"pages/a","query":"b=2&a=1"}`, "miss", ""},
		"a query in the path":        {`{"path":"pages/a?b=1"}`, "refused", "error path_question_mark path:8"},
		"a Chinese character":        {`{"path":"页"}`, "refused", "error path_character path:1"},
		"a space and a bracket":      {`{"path":"p","query":"a=b c[1]"}`, "refused", "error query_character query:4, error query_character query:6, error query_character query:8"},
		"a query too long":           {`{"path":"p","query":"` + strings.Repeat("a", 1025) + `"}`, "refused", "error query_too_long query"},
		"a question mark before it":  {`{"path":"p","query":"?a=1"}`, "miss", "warning query_question_mark query:1"},
		"a percent":                  {`{"path":"p","query":"a=100%"}`, "miss", "warning query_percent query:6"},
		"a trial version":            {`{"path":"p","env_version":"trial"}`, "miss", "warning env_not_released env_version"},
		"milliseconds":               {`{"path":"p","expire_time":1773000000000}`, "miss", "warning expire_milliseconds expire_time"},
		"a life too long":            {`{"path":"p","expire_interval":60}`, "miss", "warning expire_too_far expire_interval"},
		"an interval of nothing":     {`{"path":"p","expire_type":1}`, "refused", "error refused"},
		"an end in the past":         {`{"path":"p","expire_time":1700000000}`, "refused", "error refused"},
		"another env_version":        {`{"path":"p","env_version":"beta"}`, "refused", "error refused"},
		"too long a least life":      {`{"path":"p","least_life":"700h"}`, "refused", "error refused"},
		"a query that cannot splice": {`{"path":"p","query":"` + strings.Repeat("a", 257) + `","splice":true}`, "miss", "warning cq_unused query"},
	} {
		t.Run(name, func(t *testing.T) {
			got := w.lint(test.body, as(shopKey))
			if got.Outcome != test.outcome || got.found() != test.found {
				t.Errorf("%s: %s, want %s: %s", got.Outcome, got.found(), test.outcome, test.found)
			}
			for _, f := range got.Findings {
				if f.Message == "" {
					t.Errorf("%s says nothing", f.Rule)
				}
			}
		})
	}
	if w.weChat.calls() != 0 || len(w.list("").Items) != 0 {
		t.Error("linting costs something")
	}
}

// TestLintingForetellsTheAnswer asks for real what was linted.
func TestLintingForetellsTheAnswer(t *testing.T) {
	w := newWorldWith(t, cache.NewMemory(), broker.App{ID: appA, Splice: true})
	for _, body := range []string{
		`{"path":"/a","query":"b=2&&a=1"}`, `{"path":"a","query":"c"}`, `{"path":"a","expire_interval":7,"splice":false}`, `{"path":"a","query":"` + strings.Repeat("q", 300) + `"}`,
		`{"path":"a?"}`, `{"path":"a","cloud_base":{"env":"e"},"query":"x"}`,
	} {
		for range 2 {
			foretold := w.lint(body, as(shopKey))
			out := w.ask("POST", "/api/v1/links", body, as(shopKey))
			if foretold.Outcome == "refused" {
				if out.Code != 422 {
					t.Errorf("%.60s: refused, and then %d", body, out.Code)
				}
				continue
			}
			got := answerOf(t, out)
			if got.Outcome != foretold.Outcome || got.Key != foretold.Key || got.Spliced != (foretold.CQ != "") || got.Unspliced != foretold.Unspliced {
				t.Errorf("%.60s: %+v, and then %+v", body, foretold, got)
			}
		}
	}
	sent := w.weChat.targets[0]
	foretold := w.lint(`{"path":"/a","query":"b=2&&a=1"}`, as(shopKey))
	if foretold.Target.Path != sent.Path || foretold.Target.Query != sent.Query || foretold.CQ != "a=1&b=2" || foretold.Target.Env != "release" || foretold.Target.App != appA {
		t.Errorf("WeChat was sent %+v, not %+v", sent, foretold)
	}
}

func TestFindingsSpeakTheLanguageAskedFor(t *testing.T) {
	w := newWorldWith(t, cache.NewMemory(), broker.App{ID: appA})
	for header, want := range map[string]string{"": "put what follows", "zh-CN,zh": "请把它后面的部分放进 query"} {
		got := w.lint(`{"path":"a?b"}`, as(shopKey), "Accept-Language: "+header)
		if !strings.Contains(got.Findings[0].Message, want) {
			t.Errorf("%s: %s", header, got.Findings[0].Message)
		}
	}
	out := w.ask("POST", "/api/v1/links:lint", `{"path":"a"}`, as(shopKey), "Accept-Language: zh")
	if out.Header().Get("Content-Language") != "zh" {
		t.Errorf("%v", out.Header())
	}
}

// TestLintingIsForThoseWhoMayAsk: it says what a key may not do, and no more to nobody than anything else.
func TestLintingIsForThoseWhoMayAsk(t *testing.T) {
	w := newWorld(t)
	wantCode(t, w.ask("POST", "/api/v1/links:lint", `{"path":"p"}`), "unauthenticated")
	wantCode(t, w.ask("POST", "/api/v1/links:lint", `{"path":"p"}`, as(wrongKey)), "bad_credential")
	wantCode(t, w.ask("POST", "/api/v1/links:lint", `{"path":"p","app":"`+appB+`"}`, as(shopKey)), "forbidden")
	wantCode(t, w.ask("POST", "/api/v1/links:lint", `{"path":"p"}`, as(generateKey)), "unknown_app")
	for _, body := range []string{``, `[]`, `{"path":"p","x":1}`, `{"query":"a"}`, `{"path":"p","path":"p"}`} {
		out := w.ask("POST", "/api/v1/links:lint", body, as(shopKey))
		if out.Code != 400 {
			t.Errorf("%s: %d %s", body, out.Code, out.text())
		}
	}
	if got := w.lint(`{"path":"p"}`, as(readKey)); got.Outcome != "miss" {
		t.Errorf("who may only read: %+v", got)
	}
	if got := w.lint(`{"path":"q"}`, as(pageKey)); got.Outcome != "refused" || got.found() != "error refused" {
		t.Errorf("a page that is not the key's: %+v", got)
	}
	w = newWorldWith(t, failing{cache.NewMemory()}, broker.App{ID: appA})
	wantCode(t, w.ask("POST", "/api/v1/links:lint", `{"path":"p"}`, as(shopKey)), "store_failed")
}
