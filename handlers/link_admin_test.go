package handlers_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

type listing struct {
	Items []struct {
		Key, URL, App, Path, Query string
		Uses                       int
		Pinned, Alive              bool
	}
	NextCursor string `json:"next_cursor"`
}

func (w *world) list(query string) (page listing) {
	w.t.Helper()
	out := w.administer("GET", "/api/v1/links"+query)
	if err := json.Unmarshal(out.Body.Bytes(), &page); err != nil || out.Code != 200 {
		w.t.Fatalf("%d %s", out.Code, out.text())
	}
	return page
}

// shelf fills a world with links.
func shelf(t *testing.T) *world {
	w := newWorld(t)
	for i := range 7 {
		w.ask("POST", "/api/v1/links", fmt.Sprintf(`{"app":"%s","path":"page%d","query":"n=%d","expire_interval":%d}`, appA, i, i, i+1), as(generateKey))
	}
	w.ask("POST", "/api/v1/links", `{"app":"`+appB+`","path":"other","env_version":"trial","scope":"s","extra":{"x":[1]},"cloud_base":{"env":"e"},"expire_time":1773001234}`, as(generateKey))
	return w
}

func TestListLinks(t *testing.T) {
	w := shelf(t)
	for query, want := range map[string]int{
		"":                                     8,
		"?app=" + appA:                         7,
		"?app=" + appB:                         1,
		"?env=trial":                           1,
		"?kind=url_link":                       8,
		"?q=PAGE3":                             1,
		"?q=n%3D4":                             1,
		"?expiring_within=72h":                 3,
		"?expiring_within=72h&q=page1":         1,
		"?state=dead":                          0,
		"?asked_by=nobody":                     0,
		"?q=nosuch":                            0,
		"?limit=3":                             3,
		"?sort=-expires&limit=500&app=" + appA: 7,
		"?sort=uses&env=release&kind=url_link": 7,
		"?sort=-generated":                     8,
		"?sort=used":                           8,
		"?sort=key&cursor=&q=&app=":            8,
	} {
		if page := w.list(query); len(page.Items) != want || page.Items == nil {
			t.Errorf("%s gives %d links, want %d", query, len(page.Items), want)
		}
	}
}

func TestPagesGoOnWhereTheLastEnded(t *testing.T) {
	w := shelf(t)
	var paths []string
	cursor := ""
	for range 10 {
		page := w.list("?sort=expires&limit=3&app=" + appA + "&cursor=" + cursor)
		for _, item := range page.Items {
			paths = append(paths, item.Path)
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	if got := strings.Join(paths, " "); got != "page0 page1 page2 page3 page4 page5 page6" {
		t.Errorf("the pages have %s", got)
	}
}

// TestOneLink follows a link through what an administrator may do to it.
func TestOneLink(t *testing.T) {
	w := shelf(t)
	address := "/api/v1/links/" + w.list("?q=page6").Items[0].Key

	if out := w.administer("GET", address); !strings.Contains(out.text(), `"path":"page6","query":"n=6","env_version":"release","expire_interval":7,`) {
		t.Errorf("shown as %s", out.text())
	}
	if out := w.administer("POST", address+":pin"); !strings.Contains(out.text(), `"pinned":true`) {
		t.Errorf("pinned: %d %s", out.Code, out.text())
	}
	if out := w.administer("DELETE", address+":pin"); !strings.Contains(out.text(), `"pinned":false`) {
		t.Errorf("pinned no longer: %d %s", out.Code, out.text())
	}
	calls := w.weChat.calls()
	w.pass(time.Hour)
	out := w.administer("POST", address+":renew")
	if got := answerOf(t, out); got.Outcome != "miss" || w.weChat.calls() != calls+1 {
		t.Errorf("renewed: %s after %d calls", out.text(), w.weChat.calls()-calls)
	}
	w.pass(8 * 24 * time.Hour)
	if out := w.administer("GET", address); !strings.Contains(out.text(), `"alive":false`) {
		t.Errorf("dead and shown as %s", out.text())
	}
	if out := w.administer("DELETE", address); out.Code != 204 || out.text() != "" {
		t.Errorf("deleted: %d %s", out.Code, out.text())
	}
	wantCode(t, w.administer("GET", address), "not_found")
}

func TestALinkIsShownWithAllOfItsTarget(t *testing.T) {
	w := shelf(t)
	out := w.administer("GET", "/api/v1/links/"+w.list("?app=" + appB).Items[0].Key)
	for _, want := range []string{
		`"app":"` + appB + `","path":"other","query":"","env_version":"trial"`, `"cloud_base":{"env":"e","path":"/"}`,
		`"expire_time":1773000000`, `"scope":"s"`, `"extra":{"x":[1]}`, `"generated_at":"2026-03-01T04:00:00Z"`, `"uses":`,
	} {
		if !strings.Contains(out.text(), want) {
			t.Errorf("%s is missing in %s", want, out.text())
		}
	}
}
