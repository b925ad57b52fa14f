package handlers_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"linkbroker/handlers"
)

const adminPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// pagesShown are the addresses of all pages, as {name} and {slug} of a route are filled in.
func (w *world) pagesShown() (paths []string) {
	w.put("stored", `{"app":"`+appA+`","path":"p"}`)
	for _, r := range handlers.RoutesOf("admin") {
		if r.Page && r.Method == http.MethodGet && r.Role == "admin" {
			paths = append(paths, strings.NewReplacer("{name}", "shop", "{slug}", "stored").Replace(r.Path))
		}
	}
	return append(paths, "/login", "/nowhere")
}

// speak are the headers of a browser that speaks a language.
func speak(language string) []string {
	return []string{"Accept: text/html", "Accept-Language: " + language}
}

func TestEveryPageKeepsItsPolicy(t *testing.T) {
	w := newWorld(t)
	b := w.loggedIn()
	inline := regexp.MustCompile(`(?i)\son[a-z]+\s*=|\sstyle\s*=|<style|javascript:|<script[^>]*>[^<]|<base|<iframe|<object`)
	for _, path := range w.pagesShown() {
		for _, language := range []string{"en", "zh"} {
			out := b.do("GET", path, "", "", speak(language)...)
			if got := out.Header().Get("Content-Security-Policy"); got != adminPolicy {
				t.Errorf("%s has the policy %q", path, got)
			}
			if out.Header().Get("Cache-Control") != "no-store" || out.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s may be kept, or taken for something else", path)
			}
			if found := inline.FindString(out.text()); found != "" {
				t.Errorf("%s has %q in it", path, found)
			}
			for _, no := range []string{"ZgotmplZ", "{{", "<no value>", "%!", adminKey} {
				if strings.Contains(out.text(), no) {
					t.Errorf("%s has %s", path, no)
				}
			}
			if n := strings.Count(out.text(), "<h1"); n != 1 {
				t.Errorf("%s has %d first headings", path, n)
			}
			if !strings.Contains(out.text(), `<html lang="`+language+`"`) || out.Header().Get("Content-Language") != language {
				t.Errorf("%s is not in %s", path, language)
			}
		}
	}
}

func TestAPageWithoutASession(t *testing.T) {
	w := newWorld(t)
	for name, test := range map[string]struct{ method, path, next string }{
		"the first page leads to the login alone": {"GET", "/", "/login"},
		"a live part leads there as well":         {"GET", "/?fragment=jobs", "/login"},
		"who prefers a language needs none":       {"POST", "/preferences", "/"},
	} {
		t.Run(name, func(t *testing.T) {
			if out := w.browser().do(test.method, test.path, "", ""); out.Code != 303 || out.Header().Get("Location") != test.next {
				t.Errorf("%d %s", out.Code, out.Header().Get("Location"))
			}
		})
	}
}

// TestALoginLeadsBack leads to own paths alone.
func TestALoginLeadsBack(t *testing.T) {
	for next, want := range map[string]string{
		"":                         "/",
		"/links?q=a%26b&sort=uses": "/links?q=a%26b&sort=uses",
		"https://evil.example":     "/",
		"//evil.example":           "/",
		"/\\evil.example":          "/",
		"\\/evil.example":          "/",
		"/%09/evil.example":        "/%09/evil.example",
		"/\t/evil.example":         "/",
		"javascript:alert(1)":      "/",
		"evil":                     "/",
		"///evil.example":          "/",
		"/\r\nSet-Cookie: a=b":     "/",
	} {
		t.Run(next, func(t *testing.T) {
			form := url.Values{"key": {adminKey}, "next": {next}}.Encode()
			out := newWorld(t).browser().do("POST", "/login", formType, form)
			if out.Code != 303 || out.Header().Get("Location") != want {
				t.Errorf("%d %q", out.Code, out.Header().Get("Location"))
			}
		})
	}
}

func TestTheLoginKeepsWhereToGo(t *testing.T) {
	b := newWorld(t).browser()
	page := b.do("GET", "/login?next="+url.QueryEscape(`/links?q="><script>`), "", "").text()
	if !strings.Contains(page, `name="next" value="/links?q=&#34;&gt;&lt;script&gt;"`) {
		t.Error(page)
	}
	page = b.do("POST", "/login", formType, url.Values{"key": {wrongKey}, "next": {"/links"}}.Encode()).text()
	if !strings.Contains(page, `name="next" value="/links"`) || !strings.Contains(page, `role="alert"`) || strings.Contains(page, wrongKey) {
		t.Error(page)
	}
}

func TestPreferencesAreKept(t *testing.T) {
	b := newWorld(t).browser()
	for _, test := range []struct{ form, cookie string }{
		{"lang=zh&next=/login", "lang=zh; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax"},
		{"scheme=dark&next=/login", "scheme=dark; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax"},
		{"scheme=pink&lang=tlh&next=/login", ""},
	} {
		out := b.do("POST", "/preferences", formType, test.form)
		if got := out.Header().Get("Set-Cookie"); out.Code != 303 || got != test.cookie || out.Header().Get("Location") != "/login" {
			t.Errorf("%s: %d %q %q", test.form, out.Code, got, out.Header().Get("Location"))
		}
	}
	page := b.do("GET", "/login", "", "", "Cookie: lang=zh; scheme=dark", "Accept-Language: en").text()
	if !strings.Contains(page, `<html lang="zh" data-scheme="dark">`) || !strings.Contains(page, "登录") {
		t.Error(page)
	}
	page = b.do("GET", "/login", "", "", `Cookie: lang="><b>; scheme=x`, "Accept-Language: zh-TW").text()
	if !strings.Contains(page, `<html lang="zh" data-scheme="auto">`) {
		t.Error(page)
	}
	if out := b.do("POST", "/preferences", formType, "lang=en", "Sec-Fetch-Site: cross-site"); out.Code != 403 {
		t.Errorf("another site sets preferences: %d", out.Code)
	}
}

func TestStaticFilesMayBeKept(t *testing.T) {
	b := newWorld(t).browser()
	page := b.do("GET", "/login", "", "").text()
	for _, name := range []string{"app.css", "app.js", "icon.svg"} {
		address := regexp.MustCompile(`/static/` + regexp.QuoteMeta(name) + `\?v=[0-9a-f]{12}`).FindString(page)
		out := b.do("GET", address, "", "")
		if out.Code != 200 || out.Header().Get("Cache-Control") != "public, max-age=31536000, immutable" {
			t.Errorf("%q: %d %q", address, out.Code, out.Header().Get("Cache-Control"))
		}
		if again := b.do("GET", address, "", "", "If-None-Match: "+out.Header().Get("ETag")); again.Code != 304 || again.text() != "" {
			t.Errorf("%s: %d", name, again.Code)
		}
		if old := b.do("GET", "/static/"+name+"?v=0", "", ""); old.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("what another version refers to is kept")
		}
	}
	if out := b.do("GET", "/static/web.go", "", ""); out.Code != 404 {
		t.Errorf("%d", out.Code)
	}
}

func TestAnErrorIsAPageForABrowser(t *testing.T) {
	w := newWorld(t)
	b := w.loggedIn()
	out := b.do("GET", `/<script>alert(1)</script>`, "", "", speak("zh")...)
	if out.Code != 404 || !strings.Contains(out.text(), "没有这个地址") || strings.Contains(out.text(), "alert(1)") {
		t.Errorf("%d %s", out.Code, out.text())
	}
	wantCode(t, b.do("GET", "/nowhere", "", "", "Accept: application/json"), "no_route")
	if out := b.do("GET", "/?fragment=nothing", "", ""); out.Code != 404 || !strings.Contains(out.text(), "<h1>") {
		t.Errorf("%d %s", out.Code, out.text())
	}
}

// TestEveryCodeHasAMessage renders the error page of each code in both languages, which fails where a message is missing.
func TestEveryCodeHasAMessage(t *testing.T) {
	for _, code := range handlers.Codes() {
		if code == "unauthenticated" {
			continue // leads to the login
		}
		for _, language := range []string{"en", "zh"} {
			out := handlers.ErrorPage(newWorld(t).config, code, language)
			if status, _, _ := handlers.StatusOf(code); out.Code != status || !strings.Contains(out.Body.String(), "<h1>") {
				t.Errorf("%s in %s: %d %s", code, language, out.Code, out.Body)
			}
		}
	}
}

func TestPagesThatCannotBeReadEndTheStart(t *testing.T) {
	en := &fstest.MapFile{Data: []byte(`{"a": "a"}`)}
	for name, files := range map[string]fstest.MapFS{
		"nothing there":      {},
		"a broken template":  {"messages/en.json": en, "messages/zh.json": en, "templates/layout.html": {Data: []byte("{{")}},
		"a broken message":   {"messages/en.json": {Data: []byte(`{"a": 1}`)}, "messages/zh.json": en},
		"an unknown kind":    {"static/a.exe": {}, "messages/en.json": en, "messages/zh.json": en},
		"an unknown command": {"messages/en.json": en, "messages/zh.json": en, "templates/layout.html": {Data: []byte("{{no}}")}},
	} {
		if _, err := handlers.NewPages(files, time.UTC, time.Now); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
