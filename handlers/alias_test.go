package handlers_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
)

// change sends a body to the admin listener with the admin's key.
func (w *world) change(method, address, body string, header ...string) reply {
	return w.send(w.admin, "admin", method, address, body, append([]string{as(adminKey)}, header...))
}

// put puts an alias that must be taken.
func (w *world) put(slug, body string) reply {
	w.t.Helper()
	out := w.change("PUT", "/api/v1/aliases/"+slug, body)
	if out.Code != http.StatusOK && out.Code != http.StatusCreated {
		w.t.Fatalf("%d %s", out.Code, out.text())
	}
	return out
}

type shownAlias struct {
	Slug, URL, State, App, Path, Query, Title string
	Env                                       string `json:"env_version"`
	Tags                                      []string
	Splice, Disabled                          bool
	FallbackURL                               string `json:"fallback_url"`
	VisitLimit                                uint64 `json:"visit_limit"`
	StartsAt                                  string `json:"starts_at"`
	EndsAt                                    string `json:"ends_at"`
	CreatedAt                                 string `json:"created_at"`
	ChangedAt                                 string `json:"changed_at"`
}

func aliasOf(t *testing.T, out reply) (alias shownAlias) {
	t.Helper()
	if err := json.Unmarshal(out.Body.Bytes(), &alias); err != nil || out.Code >= 300 {
		t.Fatalf("%d %s", out.Code, out.text())
	}
	return alias
}

const ofAppA = `"app":"` + appA + `",`

// TestAnAliasFromItsMakingToItsEnd follows one through what an administrator may do to it.
func TestAnAliasFromItsMakingToItsEnd(t *testing.T) {
	w := newWorldWith(t, cache.NewMemory(), broker.App{ID: appA, FallbackHosts: []string{"shop.example.com"}}, broker.App{ID: appB})
	body := `{` + ofAppA + `"path":"/pages/sale","query":"b=2&a=1","title":"春 Sale","tags":["print","a"],"ends_at":"2026-06-01T00:00:00+08:00",
		"fallback_url":"https://shop.example.com/sale","visit_limit":10,"splice":true}`
	out := w.change("PUT", "/api/v1/aliases/Spring-Sale", body)
	got := aliasOf(t, out)
	if out.Code != 201 || got.Slug != "spring-sale" || got.URL != "https://go.example.com/l/spring-sale" || got.State != "open" {
		t.Errorf("made: %d %s", out.Code, out.text())
	}
	if got.Path != "pages/sale" || got.Query != "a=1&b=2" || got.Env != "release" || strings.Join(got.Tags, " ") != "a print" || !got.Splice || got.VisitLimit != 10 {
		t.Errorf("kept as %s", out.text())
	}
	if got.EndsAt != "2026-05-31T16:00:00Z" || got.StartsAt != "" || got.CreatedAt != "2026-03-01T04:00:00Z" || got.ChangedAt != got.CreatedAt {
		t.Errorf("the moments are %s", out.text())
	}
	first := out.Header().Get("ETag")

	shown := w.administer("GET", "/api/v1/aliases/spring-sale")
	if shown.text() != out.text() || shown.Header().Get("ETag") != first || !regexp.MustCompile(`^"[0-9a-f]{16}"$`).MatchString(first) {
		t.Errorf("shown as %s %s", shown.Header().Get("ETag"), shown.text())
	}
	if known := w.administer("GET", "/api/v1/aliases/spring-sale", `If-None-Match: "other", W/`+first); known.Code != 304 || known.text() != "" {
		t.Errorf("who knows it already gets %d %s", known.Code, known.text())
	}

	w.pass(time.Hour)
	again := w.change("PUT", "/api/v1/aliases/spring-sale", strings.Replace(shown.text(), "春 Sale", "Spring", 1), "If-Match: "+first)
	if got := aliasOf(t, again); again.Code != 200 || got.Title != "Spring" || got.CreatedAt != "2026-03-01T04:00:00Z" || got.ChangedAt != "2026-03-01T05:00:00Z" {
		t.Errorf("what was shown, changed and sent back: %d %s", again.Code, again.text())
	}
	if again.Header().Get("ETag") == first {
		t.Error("a change keeps the ETag")
	}
	wantCode(t, w.change("DELETE", "/api/v1/aliases/spring-sale", "", "If-Match: "+first), "precondition_failed")
	if gone := w.change("DELETE", "/api/v1/aliases/SPRING-sale", "", "If-Match: "+again.Header().Get("ETag")); gone.Code != 204 || gone.text() != "" {
		t.Errorf("deleted: %d %s", gone.Code, gone.text())
	}
	wantCode(t, w.administer("GET", "/api/v1/aliases/spring-sale"), "not_found")
	wantCode(t, w.change("DELETE", "/api/v1/aliases/spring-sale", ""), "not_found")

	var actions []string
	for _, entry := range w.audited() {
		actions = append(actions, entry.Action+" "+entry.Object)
	}
	if got := strings.Join(actions, ", "); got != "alias.delete spring-sale, alias.put spring-sale, alias.put spring-sale" {
		t.Errorf("the audit has %s", got)
	}
}

// audited gives the audit, newest first.
func (w *world) audited() (entries []broker.AuditEntry) {
	w.t.Helper()
	entries, err := w.broker.AuditLog(w.t.Context(), 0, 100)
	if err != nil {
		w.t.Fatal(err)
	}
	return entries
}

func TestAChangeOfAnAliasHeedsItsPrecondition(t *testing.T) {
	w := newWorld(t)
	etag := w.put("there", `{`+ofAppA+`"path":"p"}`).Header().Get("ETag")
	for _, test := range []struct{ name, slug, header, code string }{
		{"if there is none, and there is none", "fresh", "If-None-Match: *", ""},
		{"if there is none, and there is one", "there", "If-None-Match: *", "precondition_failed"},
		{"if there is one, and there is one", "there", "If-Match: *", ""},
		{"if there is one, and there is none", "absent", "If-Match: *", "precondition_failed"},
		{"if it has another tag", "there", `If-Match: "0123456789abcdef"`, "precondition_failed"},
		{"if it has an empty tag", "there", `If-Match: ""`, "precondition_failed"},
		{"if it has a weak tag, which none has", "there", "If-Match: W/" + etag, "precondition_failed"},
		{"one of several tags", "there", `If-Match: "a", ` + etag, "malformed"},
		{"if it has not a tag", "there", "If-None-Match: " + etag, "malformed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			out := w.change("PUT", "/api/v1/aliases/"+test.slug, `{`+ofAppA+`"path":"p"}`, test.header)
			wantCode(t, out, test.code)
			if test.code == "precondition_failed" && out.Code != 412 {
				t.Errorf("status %d", out.Code)
			}
		})
	}
}

func TestAliasesThatAreRefused(t *testing.T) {
	w := newWorld(t)
	for name, test := range map[string]struct{ slug, body, code, detail string }{
		"no body":                       {"s", ``, "empty_body", ""},
		"a list":                        {"s", `[]`, "malformed", "object"},
		"an unknown field":              {"s", `{"path":"p","link":"x"}`, "malformed", `"link"`},
		"a field in capitals":           {"s", `{"path":"p","Title":"x"}`, "malformed", `"Title"`},
		"a field twice":                 {"s", `{"path":"p","path":"q"}`, "malformed", `"path"`},
		"an unknown field of cloudbase": {"s", `{"path":"p","cloud_base":{"env":"e","newer":1}}`, "malformed", `"cloud_base.newer"`},
		"an end of its link":            {"s", `{"path":"p","expire_interval":7}`, "malformed", `"expire_interval"`},
		"no path":                       {"s", `{"title":"x"}`, "malformed", "path"},
		"another slug":                  {"s", `{` + ofAppA + `"path":"p","slug":"t"}`, "malformed", "slug"},
		"a negative limit":              {"s", `{"path":"p","visit_limit":-1}`, "malformed", "visit_limit"},
		"a word for a moment":           {"s", `{"path":"p","ends_at":"tomorrow"}`, "malformed", "ends_at"},
		"a date for a moment":           {"s", `{` + ofAppA + `"path":"p","ends_at":"2026-06-01"}`, "malformed", `"/ends_at" must be a moment such as`},
		"a moment before the first":     {"s", `{` + ofAppA + `"path":"p","starts_at":"0001-01-01T00:00:00+08:00"}`, "invalid_argument", "years"},
		"a moment after the last":       {"s", `{` + ofAppA + `"path":"p","ends_at":"9999-12-31T23:59:59-08:00"}`, "invalid_argument", "years"},
		"an end before its beginning":   {"s", `{` + ofAppA + `"path":"p","starts_at":"2026-02-01T00:00:00Z","ends_at":"2026-02-01T00:00:00Z"}`, "invalid_argument", "starts_at"},
		"a reserved slug":               {"api", `{` + ofAppA + `"path":"p"}`, "invalid_argument", "reserved"},
		"a slug of odd characters":      {"a.b", `{` + ofAppA + `"path":"p"}`, "invalid_argument", "slug"},
		"a slug of a percent":           {"%25", `{` + ofAppA + `"path":"p"}`, "invalid_argument", "slug"},
		"a slug too long":               {strings.Repeat("s", 65), `{` + ofAppA + `"path":"p"}`, "invalid_argument", "slug"},
		"a query in the path":           {"s", `{` + ofAppA + `"path":"p?a=1"}`, "invalid_path", "?"},
		"an unknown mini program":       {"s", `{"app":"wxnone","path":"p"}`, "unknown_app", ""},
		"none of two mini programs":     {"s", `{"path":"p"}`, "unknown_app", "which"},
		"a fallback on a foreign host":  {"s", `{` + ofAppA + `"path":"p","fallback_url":"https://evil.com/"}`, "invalid_argument", "fallback_hosts"},
		"a body that is too large":      {"s", `{"path":"p","title":"` + strings.Repeat("x", 17<<10) + `"}`, "too_large", ""},
	} {
		t.Run(name, func(t *testing.T) {
			out := w.change("PUT", "/api/v1/aliases/"+test.slug, test.body)
			wantCode(t, out, test.code)
			if !strings.Contains(out.text(), strings.ReplaceAll(test.detail, `"`, `\"`)) {
				t.Errorf("%s does not name %s", out.text(), test.detail)
			}
		})
	}
	if page := w.listAliases(""); len(page.Items) != 0 {
		t.Errorf("there are %v", page.Items)
	}
	if entries := w.audited(); len(entries) != 0 {
		t.Errorf("the audit has %v of what was not done", entries)
	}
}

func TestADrawnSlugIsNotGuessed(t *testing.T) {
	w := newWorldWith(t, cache.NewMemory(), broker.App{ID: appA})
	seen := map[string]bool{}
	for range 100 {
		out := w.change("POST", "/api/v1/aliases", `{"path":"p"}`) // of the only mini program
		alias := aliasOf(t, out)
		if out.Code != 201 || out.Header().Get("Location") != "/api/v1/aliases/"+alias.Slug || seen[alias.Slug] || alias.App != appA {
			t.Fatalf("%d %v %s", out.Code, out.Header(), out.text())
		}
		if !regexp.MustCompile("^[a-z2-7]{16}$").MatchString(alias.Slug) {
			t.Fatalf("the slug is %q", alias.Slug)
		}
		seen[alias.Slug] = true
		if entry := w.audited()[0]; entry.Action != "alias.create" || entry.Object != alias.Slug {
			t.Fatalf("the audit has %v", entry)
		}
	}
	wantCode(t, w.change("POST", "/api/v1/aliases", `{"path":"p","slug":"mine"}`), "malformed")
}

type aliasPage struct {
	Items      []shownAlias
	NextCursor string `json:"next_cursor"`
}

func (w *world) listAliases(query string) (page aliasPage) {
	w.t.Helper()
	out := w.administer("GET", "/api/v1/aliases"+query)
	if err := json.Unmarshal(out.Body.Bytes(), &page); err != nil || out.Code != 200 {
		w.t.Fatalf("%d %s", out.Code, out.text())
	}
	return page
}

func TestAliasesAreFound(t *testing.T) {
	w := newWorld(t)
	for i := range 7 {
		w.put(fmt.Sprintf("slug%d", i), fmt.Sprintf(`{"app":%q,"path":"page%d","query":"n=%d","title":"Poster %d","tags":["t%d"]}`, appA, i, i, i, i%2))
	}
	w.put("other", `{"app":"`+appB+`","path":"p"}`)
	for query, want := range map[string]string{
		"":                "other slug0 slug1 slug2 slug3 slug4 slug5 slug6",
		"?app=" + appB:    "other",
		"?q=POSTER+3":     "slug3",
		"?q=n%3D4":        "slug4",
		"?q=SLUG6":        "slug6",
		"?tag=t1":         "slug1 slug3 slug5",
		"?tag=t1&q=page5": "slug5",
		"?tag=t":          "",
		"?limit=2":        "other slug0",
	} {
		if got := w.listAliases(query); got.slugs() != want {
			t.Errorf("%s finds %s, want %s", query, got.slugs(), want)
		}
	}
	var all []string
	for cursor := ""; ; {
		page := w.listAliases("?limit=3&app=" + appA + "&cursor=" + cursor)
		all = append(all, page.slugs())
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	if got := strings.Join(all, " | "); got != "slug0 slug1 slug2 | slug3 slug4 slug5 | slug6" {
		t.Errorf("the pages have %s", got)
	}
	for _, query := range []string{"?limit=0", "?limit=501", "?limit=x", "?sort=slug", "?q=a&q=b"} {
		wantCode(t, w.administer("GET", "/api/v1/aliases"+query), "malformed")
	}
}

func (p aliasPage) slugs() string {
	var slugs []string
	for _, item := range p.Items {
		slugs = append(slugs, item.Slug)
	}
	return strings.Join(slugs, " ")
}

func TestTheStateOfAnAlias(t *testing.T) {
	w := newWorld(t)
	w.put("s", `{`+ofAppA+`"path":"p","starts_at":"2026-03-01T05:00:00Z","ends_at":"2026-03-01T06:00:00Z"}`)
	state := func() string { return aliasOf(t, w.administer("GET", "/api/v1/aliases/s")).State }
	for _, want := range []string{"not_yet", "open", "ended"} { // at 4, 5 and 6 o'clock
		if got := state(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		w.pass(time.Hour)
	}
	w.put("s", `{`+ofAppA+`"path":"p","disabled":true}`)
	if got := state(); got != "disabled" {
		t.Errorf("%s, want disabled", got)
	}
}

func TestWithoutAPublicAddressAnAliasShowsNone(t *testing.T) {
	w := newWorld(t)
	w.config.PublicURL = ""
	w.listen()
	if out := w.put("s", `{`+ofAppA+`"path":"p"}`); strings.Contains(out.text(), `"url"`) {
		t.Errorf("shown as %s", out.text())
	}
}
