package handlers_test

import (
	"encoding/json"
	"testing"
	"time"

	"linkbroker/broker"
)

// stats gives the items of an answer as they stand there.
func stats(t *testing.T, out reply) string {
	t.Helper()
	var list struct{ Items json.RawMessage }
	if err := json.Unmarshal(out.Body.Bytes(), &list); err != nil || out.Code != 200 {
		t.Fatalf("%d %s", out.Code, out.text())
	}
	return string(list.Items)
}

func TestStats(t *testing.T) {
	w := newWorld(t)
	ask := func(path string) { w.ask("POST", "/api/v1/links", `{"path":"`+path+`"}`, as(shopKey)) }
	ask("p")
	ask("p")
	w.weChat.fail(upstream(broker.Upstream, 40066, "no"))
	ask("q")
	w.flush()
	w.weChat.fail(nil)
	w.pass(time.Hour + time.Minute)
	ask("r")
	w.flush()
	for query, want := range map[string]string{
		"of=answers&per=hour&name=" + appA:                        `[{"time":"2026-03-01T04:00:00Z","counts":{"failed":1,"hit":1,"miss":1}},{"time":"2026-03-01T05:00:00Z","counts":{"miss":1}}]`,
		"of=answers&name=" + appA:                                 `[{"time":"2026-02-28T16:00:00Z","counts":{"failed":1,"hit":1,"miss":2}}]`,
		"of=calls&name=" + appA:                                   `[{"time":"2026-02-28T16:00:00Z","counts":{"40066":1,"ok":2}}]`,
		"of=clients&per=hour&name=shop&from=2026-03-01T05:00:00Z": `[{"time":"2026-03-01T05:00:00Z","counts":{"miss":1}}]`,
		"of=clients&per=hour&name=shop&to=2026-03-01T05:00:00Z":   `[{"time":"2026-03-01T04:00:00Z","counts":{"failed":1,"hit":1,"miss":1}}]`,
		"of=clients&name=nobody":                                  `[]`,
		"of=answers&name=" + appB:                                 `[]`,
	} {
		if got := stats(t, w.administer("GET", "/api/v1/stats?"+query)); got != want {
			t.Errorf("%s: got %s, want %s", query, got, want)
		}
	}
	for query, code := range map[string]string{
		"":                              "malformed",
		"of=visits&name=x":              "malformed",
		"of=answers":                    "malformed",
		"of=answers&name=a&per=total":   "invalid_argument",
		"of=answers&name=a&per=minute":  "invalid_argument",
		"of=answers&name=a&x=1":         "malformed",
		"of=answers&name=a&from=monday": "malformed",
		"of=answers&of=calls&name=a":    "malformed",
		"of=answers&name=a&from=2026-03-02T00:00:00Z": "malformed",
	} {
		wantCode(t, w.administer("GET", "/api/v1/stats?"+query), code)
	}
}

func (w *world) takeCensus() {
	w.t.Helper()
	if _, err := w.broker.TakeCensus(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func TestCensus(t *testing.T) {
	w := newWorld(t)
	wantCode(t, w.administer("GET", "/api/v1/census"), "not_found")
	w.ask("POST", "/api/v1/links", `{"path":"p"}`, as(shopKey))
	w.ask("POST", "/api/v1/links", `{"path":"q","expire_type":1,"expire_interval":2}`, as(shopKey))
	w.ask("POST", "/api/v1/links", `{"path":"p"}`, as(shopKey))
	w.flush()
	w.takeCensus()
	want := `{"at":"2026-03-01T04:00:00Z","seconds":0,"links":2,"by_time_left":{"dead":0,"1d":0,"3d":1,"10d":0,"later":1},"renewed_soon":0,` +
		`"pages":[{"app":"` + appA + `","path":"p","links":1,"uses":2},{"app":"` + appA + `","path":"q","links":1,"uses":1}]}` + "\n"
	if got := w.administer("GET", "/api/v1/census").text(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
