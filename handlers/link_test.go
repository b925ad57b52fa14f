package handlers_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
)

// answerOf reads an answer of the native interface.
func answerOf(t *testing.T, out reply) (answer struct {
	Key, URL, Kind, App, Outcome string
	Spliced                      bool
	Unspliced                    string
	GeneratedAt                  string `json:"generated_at"`
	ExpiresAt                    string `json:"expires_at"`
},
) {
	t.Helper()
	if err := json.Unmarshal(out.Body.Bytes(), &answer); err != nil || out.Code != 200 {
		t.Fatalf("%d %s", out.Code, out.text())
	}
	return answer
}

func TestPostLink(t *testing.T) {
	w := newWorld(t)
	out := w.ask("POST", "/api/v1/links", `{"path":"/pages/index","query":"b=2&a=1"}`, as(shopKey))
	got := answerOf(t, out)
	if got.URL != "https://wxaurl.cn/t1" || got.Kind != "url_link" || got.App != appA || got.Outcome != "miss" {
		t.Errorf("a miss is answered %+v", got)
	}
	if got.GeneratedAt != "2026-03-01T04:00:00Z" || got.ExpiresAt != "2026-03-31T03:59:00Z" {
		t.Errorf("from %s to %s", got.GeneratedAt, got.ExpiresAt)
	}
	if out.Header().Get("Cache-Control") != "no-store" {
		t.Error("the answer to a POST may be kept")
	}
	again := answerOf(t, w.ask("POST", "/api/v1/links", `{"path":"pages/index","query":"a=1&b=2","env_version":"release"}`, as(shopKey)))
	if again.Outcome != "hit" || again.Key != got.Key || again.URL != got.URL {
		t.Errorf("the same target in other words is answered %+v", again)
	}
}

func TestASplicedLinkServesEveryQuery(t *testing.T) {
	w := newWorldWith(t, cache.NewMemory(), broker.App{ID: appA, Splice: true})
	ask := func(body string) reply { return w.ask("POST", "/api/v1/links", body, as(shopKey)) }

	first := answerOf(t, ask(`{"path":"p","query":"b=%20+&a=1"}`))
	if first.URL != "https://wxaurl.cn/t1?cq=a%3D1%26b%3D%2520%2B" || !first.Spliced || first.Outcome != "miss" {
		t.Errorf("spliced onto a new link: %+v", first)
	}
	second := answerOf(t, ask(`{"path":"p","query":"id=7"}`))
	if second.URL != "https://wxaurl.cn/t1?cq=id%3D7" || second.Key != first.Key || second.Outcome != "hit" {
		t.Errorf("another query is answered %+v", second)
	}
	out := w.ask("POST", facade, `{"path":"p","query":"id=8"}`)
	if want := `{"errcode":0,"errmsg":"ok","url_link":"https://wxaurl.cn/t1?cq=id%3D8"}`; out.text() != want {
		t.Errorf("the facade answers %s", out.text())
	}
	if got := answerOf(t, ask(`{"path":"p"}`)); got.URL != "https://wxaurl.cn/t1" || got.Spliced || got.Unspliced != "" {
		t.Errorf("without a query: %+v", got)
	}
	if w.weChat.calls() != 1 {
		t.Errorf("%d generations", w.weChat.calls())
	}
	if got := answerOf(t, ask(`{"path":"p","query":"id=7","splice":false}`)); got.URL != "https://wxaurl.cn/t2" || got.Spliced || got.Unspliced != "" {
		t.Errorf("who wants a link of his own is answered %+v", got)
	}
	long := answerOf(t, ask(`{"path":"p","query":"id=`+strings.Repeat("7", 254)+`"}`))
	if long.URL != "https://wxaurl.cn/t3" || long.Spliced || !strings.Contains(long.Unspliced, "256") {
		t.Errorf("what cannot be spliced is answered %+v", long)
	}
}

func TestGetLinkIsPostLink(t *testing.T) {
	w := newWorld(t)
	for name, test := range map[string]struct{ params, body string }{
		"defaults":        {"path=p&query=a%3D1%26b%3D%2531", `{"path":"p","query":"a=1&b=%31"}`},
		"the home page":   {"path=", `{"path":""}`},
		"an app":          {"path=p&app=" + appA, `{"path":"p","app":"` + appA + `"}`},
		"an appid":        {"path=p&appid=" + appA, `{"path":"p"}`},
		"a version":       {"path=p&env_version=trial&kind=url_link", `{"path":"p","env_version":"trial","kind":"url_link"}`},
		"an interval":     {"path=p&expire_type=1&expire_interval=7", `{"path":"p","expire_interval":7}`},
		"a time":          {"path=p&expire_time=1773000000", `{"path":"p","expire_time":1773000000}`},
		"a least life":    {"path=p&least_life=36h", `{"path":"p","least_life":"36h"}`},
		"a scope":         {"path=p&scope=x", `{"path":"p","scope":"x"}`},
		"a cloud_base":    {"path=p&cloud_base=" + url.QueryEscape(`{"env":"e","query":"a=1"}`), `{"path":"p","cloud_base":{"env":"e","query":"a=1"}}`},
		"extra":           {"path=p&extra=" + url.QueryEscape(`{"safety_notice":1}`), `{"path":"p","extra":{"safety_notice":1.0}}`},
		"a key in it":     {"path=p2&access_token=" + shopKey, `{"path":"p2"}`},
		"splice":          {"path=p&query=a%3D1&splice=true", `{"path":"p","query":"a=1","splice":true}`},
		"no splice":       {"path=p&query=a%3D1&splice=false", `{"path":"p","query":"a=1","splice":false}`},
		"everything null": {"path=p3", `{"path":"p3","splice":null,"app":null,"kind":null,"query":null,"env_version":null,"expire_type":null,"expire_interval":null,"expire_time":null,"cloud_base":null,"least_life":null,"scope":null,"extra":null}`},
	} {
		t.Run(name, func(t *testing.T) {
			get := answerOf(t, w.ask("GET", "/api/v1/link?"+test.params, "", as(shopKey)))
			post := answerOf(t, w.ask("POST", "/api/v1/links", test.body, as(shopKey)))
			if get.Key != post.Key {
				t.Errorf("GET asks for %s, POST for %s", get.Key, post.Key)
			}
		})
	}
}

func TestNativeRequestsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	for name, test := range map[string]struct{ params, body, code, detail string }{
		"an unknown parameter":              {"path=p&page=1", "", "malformed", `"page"`},
		"a parameter twice":                 {"path=p&path=q", "", "malformed", `"path"`},
		"a name in capitals":                {"Path=p", "", "malformed", `"Path"`},
		"no path":                           {"query=a", "", "malformed", "path is missing"},
		"bad percent-encoding":              {"path=p&query=%zz", "", "malformed", `"query"`},
		"bad percent-encoding of a name":    {"path=p&%zz=1", "", "malformed", "percent-encoded"},
		"a word for a number":               {"path=p&expire_interval=week", "", "malformed", `"expire_interval"`},
		"a word for a length of time":       {"path=p&least_life=long", "", "malformed", "least_life"},
		"a word for splice":                 {"path=p&splice=maybe", "", "malformed", "splice"},
		"a number for splice":               {"", `{"path":"p","splice":1}`, "malformed", "splice"},
		"a word for cloud_base":             {"path=p&cloud_base=e", "", "malformed", `"cloud_base"`},
		"a least life beyond two thirds":    {"path=p&least_life=481h", "", "invalid_least_life", "two thirds"},
		"an unknown kind":                   {"path=p&kind=qr", "", "invalid_argument", "kind"},
		"an interval of nothing":            {"path=p&expire_interval=0", "", "invalid_expiry", "expire_interval"},
		"an unknown field":                  {"", `{"path":"p","safety_notice":1}`, "malformed", `"safety_notice"`},
		"a field in capitals":               {"", `{"Path":"p"}`, "malformed", `"Path"`},
		"WeChat's old field":                {"", `{"path":"p","is_expire":false}`, "malformed", `"is_expire"`},
		"an unknown field of cloud_base":    {"", `{"path":"p","cloud_base":{"env":"e","newer":1}}`, "malformed", `"cloud_base.newer"`},
		"a field of ours in extra":          {"", `{"path":"p","extra":{"query":"a"}}`, "invalid_argument", `"query"`},
		"extra that is no object":           {"", `{"path":"p","extra":[1]}`, "invalid_argument", "extra"},
		"no path in the body":               {"", `{"query":"a=1"}`, "malformed", "path is missing"},
		"null for the path":                 {"", `{"path":null}`, "malformed", "path is missing"},
		"a name that appears twice":         {"", `{"path":"p","path":"q"}`, "malformed", `"path"`},
		"a number for a length of time":     {"", `{"path":"p","least_life":36}`, "malformed", "least_life"},
		"a negative length of time":         {"", `{"path":"p","least_life":"-1h"}`, "malformed", "least_life"},
		"a number for a text":               {"", `{"path":"p","query":7}`, "malformed", `"/query"`},
		"a parameter that belongs in there": {"query=a", `{"path":"p"}`, "malformed", `"query"`},
	} {
		t.Run(name, func(t *testing.T) {
			var out reply
			if test.body == "" {
				out = w.ask("GET", "/api/v1/link?"+test.params, "", as(shopKey))
			} else {
				out = w.ask("POST", "/api/v1/links?"+test.params, test.body, as(shopKey))
			}
			wantCode(t, out, test.code)
			var problem struct{ Detail string }
			if err := json.Unmarshal(out.Body.Bytes(), &problem); err != nil || !strings.Contains(problem.Detail, test.detail) {
				t.Errorf("the detail %q does not name %s", problem.Detail, test.detail)
			}
			if w.weChat.calls() != 0 {
				t.Error("WeChat was asked")
			}
		})
	}
}

// TestHTTPFreshness holds what HTTP caches are told against when linkbroker itself would generate anew.
func TestHTTPFreshness(t *testing.T) {
	const life, least = 30*24*time.Hour - time.Minute, 72 * time.Hour
	w := newWorld(t)
	w.ask("GET", "/api/v1/link?path=p", "", as(shopKey))
	for _, age := range []time.Duration{0, 59 * time.Minute, 240 * time.Hour, life - least - time.Hour, life - least - 40*time.Minute, life - least - time.Second} {
		w.pass(age - w.clock().Sub(time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC)))
		out := w.ask("GET", "/api/v1/link?path=p", "", as(shopKey))
		// What is left to a cache is max-age less Age, of which the design allows an hour, and never more than
		// until the link would be generated anew.
		left := min(life-least-age, time.Hour)
		want := "private, max-age=" + secondsOf(age+left)
		if got := out.Header().Get("Cache-Control"); got != want || out.Header().Get("Age") != secondsOf(age) {
			t.Errorf("at %s: %q with Age %s, want %q", age, got, out.Header().Get("Age"), want)
		}
	}
}

func secondsOf(d time.Duration) string {
	text, _ := json.Marshal(int(d.Seconds()))
	return string(text)
}

func TestOutcomesInCacheStatus(t *testing.T) {
	synctest.Test(t, testOutcomesInCacheStatus)
}

func testOutcomesInCacheStatus(t *testing.T) {
	w := newLiveWorld(t)
	const body = `{"path":"p"}`
	ask := func() reply { return w.ask("POST", "/api/v1/links", body, as(shopKey)) }
	status := func(out reply) string { return out.Header().Get("Cache-Status") }

	if got := status(ask()); got != "linkbroker; fwd=miss; stored" {
		t.Errorf("a miss: %q", got)
	}
	if got := status(ask()); got != "linkbroker; hit; ttl=2591940" {
		t.Errorf("a hit: %q", got)
	}
	w.pass(29 * 24 * time.Hour)
	w.weChat.fail(broker.Errorf(broker.Unavailable, "WeChat is away"))
	out := ask()
	if got := status(out); got != "linkbroker; fwd=stale; ttl=86339; detail=unavailable" || answerOf(t, out).Outcome != "stale" {
		t.Errorf("a stale one: %q %s", got, out.text())
	}
	out = w.ask("GET", "/api/v1/link?path=p", "", as(shopKey))
	if got := out.Header().Get("Cache-Control"); got != "private, max-age="+out.Header().Get("Age") {
		t.Errorf("a stale one may be kept: %q", got)
	}
}

func TestALinkThatCouldNotBeStoredIsMarked(t *testing.T) {
	w := newWorldWith(t, full{cache.NewMemory()})
	for _, address := range []string{"/api/v1/links", "/wxa/generate_urllink"} {
		out := w.ask("POST", address, `{"path":"`+strings.ReplaceAll(address[1:], "/", "-")+`"}`, as(shopKey))
		if out.Header().Get("Linkbroker-Stored") != "false" || out.Header().Get("Cache-Status") != "linkbroker; fwd=miss" {
			t.Errorf("%s: %v %s", address, out.Header(), out.text())
		}
	}
}

func TestWhoJoinsAnothersGenerationIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newLiveWorld(t)
		release := make(chan struct{})
		w.weChat.before = func() { <-release }
		status := make(chan string, 2)
		for range 2 {
			go func() {
				out := w.ask("POST", "/api/v1/links", `{"path":"p"}`, as(shopKey))
				status <- out.Header().Get("Cache-Status")
			}()
			synctest.Wait()
		}
		close(release)
		got := []string{<-status, <-status}
		slices.Sort(got)
		if want := []string{"linkbroker; fwd=miss; stored", "linkbroker; fwd=miss; stored; collapsed"}; !slices.Equal(got, want) {
			t.Errorf("got %q", got)
		}
	})
}
