package handlers_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
	"linkbroker/handlers"
)

// visit comes to an alias, as a browser does but for what it says of itself.
func (w *world) visit(slug string, header ...string) reply {
	return w.ask("GET", "/l/"+slug, "", header...)
}

func wantLocation(t *testing.T, out reply, want string) {
	t.Helper()
	if out.Code != http.StatusFound || out.Header().Get("Location") != want {
		t.Errorf("%d to %q, want %q: %s", out.Code, out.Header().Get("Location"), want, out.text())
	}
}

// newVisitedWorld makes a world with an alias of a page without a query, and one of a page with one.
func newVisitedWorld(t testing.TB, apps ...broker.App) *world {
	if len(apps) == 0 {
		apps = []broker.App{{ID: appA, FallbackHosts: []string{"shop.example.com"}}}
	}
	w := newWorldWith(t, cache.NewMemory(), apps...)
	w.put("sale", `{"path":"pages/sale"}`)
	w.put("queried", `{"path":"pages/sale","query":"from=poster"}`)
	return w
}

func TestAVisitorIsSentToALivingLink(t *testing.T) {
	w := newVisitedWorld(t)
	out := w.visit("sale")
	wantLocation(t, out, "https://wxaurl.cn/t1")
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "Set-Cookie": "", "Linkbroker-Unspliced": "",
	} {
		if got := out.Header().Get(name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	if out.text() != "" {
		t.Errorf("the body is %q", out.text())
	}
	wantLocation(t, w.visit("SALE"), "https://wxaurl.cn/t1") // as people type it from paper
	w.pass(29 * 24 * time.Hour)
	wantLocation(t, w.visit("sale"), "https://wxaurl.cn/t2") // the first is too near its end
	if w.weChat.calls() != 2 {
		t.Errorf("%d generations", w.weChat.calls())
	}
}

// TestNeitherHostNorSlugMakesAnAddress asks as those do who want visitors sent elsewhere.
func TestNeitherHostNorSlugMakesAnAddress(t *testing.T) {
	w := newVisitedWorld(t)
	for _, slug := range []string{
		"//evil.com", "/evil.com", "evil.com", "https://evil.com", "%2F%2Fevil.com", "..//evil.com", "sale%0d%0aLocation:%20https://evil.com",
		"sale@evil.com", `\\evil.com`, "sale/../../evil.com", "sale?next=https://evil.com", "sale?cq=https://evil.com", "sale#@evil.com", "sale%00.evil.com",
	} {
		for _, method := range []string{"GET", "HEAD"} {
			r := httptest.NewRequestWithContext(t.Context(), method, "/l/"+slug, nil)
			r.Host = "evil.com"
			out := w.serve(w.public, r, "X-Forwarded-Host: evil.com", "X-Forwarded-Proto: http", "Referer: https://evil.com")
			location := out.Header().Get("Location")
			if out.Code != 302 && (out.Code != 404 || location != "") && (out.Code != 200 || method != "HEAD" || location != "") {
				t.Errorf("%s %s: %d to %q", method, slug, out.Code, location)
			}
			if u, err := url.Parse(location); location != "" && (err != nil || u.Scheme != "https" || u.Host != "wxaurl.cn") {
				t.Errorf("%s %s leads to %q", method, slug, location)
			}
		}
	}
}

// TestNothingInTheStoreLeadsAway puts there what an intruder would.
func TestNothingInTheStoreLeadsAway(t *testing.T) {
	w := newVisitedWorld(t)
	w.visit("sale")
	link, err := w.broker.Links(t.Context(), broker.Query{})
	if err != nil {
		t.Fatal(err)
	}
	for _, foreign := range []string{
		"https://evil.com/t1", "http://wxaurl.cn/t1", "//evil.com", "javascript:alert(1)", "https://wxaurl.cn@evil.com/", "https://wxaurl.cn.evil.com/",
		"https://wxaurl.cn:8443/", "https://wxaurl.cn\r\nX: y", "https:\\\\evil.com",
	} {
		poisoned := link.Links[0]
		poisoned.URL = foreign
		if err := w.store.PutLink(t.Context(), poisoned); err != nil {
			t.Fatal(err)
		}
		for _, method := range []string{"GET", "HEAD"} {
			if out := w.ask(method, "/l/sale", ""); out.Code != 503 || out.Header().Get("Location") != "" {
				t.Errorf("%s with %q in the store: %d to %q", method, foreign, out.Code, out.Header().Get("Location"))
			}
		}
	}
	stored, err := w.store.Alias(t.Context(), "queried")
	if err != nil {
		t.Fatal(err)
	}
	changed := stored
	changed.Disabled, changed.FallbackURL = true, "https://evil.com/"
	if err := w.store.PutAlias(t.Context(), changed, stored.ETag()); err != nil {
		t.Fatal(err)
	}
	wantCode(t, w.visit("queried"), "not_found")
}

func TestAQueryIsSplicedOnOrTheAnswerSaysWhyNot(t *testing.T) {
	w := newVisitedWorld(t)
	w.visit("sale")
	for name, test := range map[string]struct{ address, spliced, unspliced string }{
		"none":                         {"sale", "", ""},
		"an empty one":                 {"sale?cq=", "", ""},
		"one":                          {"sale?cq=a%3D1%26id%3D7", "?cq=a%3D1%26id%3D7", ""},
		"one beside others":            {"sale?utm=1&cq=id%3D7&cqx=2", "?cq=id%3D7", ""},
		"one with a plus, which stays": {"sale?cq=a+b", "?cq=a%2Bb", ""},
		"one encoded twice":            {"sale?cq=a%253Db", "?cq=a%253Db", ""},
		"one as long as may be":        {"sale?cq=" + strings.Repeat("a", 256), "?cq=" + strings.Repeat("a", 256), ""},
		"one too long":                 {"sale?cq=" + strings.Repeat("a", 257), "", "256"},
		"one much too long":            {"sale?cq=" + strings.Repeat("%61", 100_000), "", "256"},
		"one in Chinese":               {"sale?cq=%E9%A1%B5", "", "alphabet"},
		"one with a line feed":         {"sale?cq=a%0d%0ab", "", "alphabet"},
		"one badly encoded":            {"sale?cq=%zz", "", "percent-encoded"},
		"two":                          {"sale?cq=a&cq=b", "", "twice"},
		"where the target has one":     {"queried?cq=a", "", "query of its own"},
	} {
		t.Run(name, func(t *testing.T) {
			link := "https://wxaurl.cn/t1"
			if strings.HasPrefix(test.address, "queried") {
				link = "https://wxaurl.cn/t2"
			}
			for _, method := range []string{"GET", "HEAD"} {
				out := w.ask(method, "/l/"+test.address, "")
				wantLocation(t, out, link+test.spliced)
				reason := out.Header().Get("Linkbroker-Unspliced")
				if (reason == "") != (test.unspliced == "") || !strings.Contains(reason, test.unspliced) {
					t.Errorf("%s: the reason is %q", method, reason)
				}
			}
		})
	}
	if w.weChat.calls() != 2 {
		t.Errorf("%d generations for two targets", w.weChat.calls())
	}
}

func TestALookChangesNothing(t *testing.T) {
	w := newVisitedWorld(t)
	if out := w.ask("HEAD", "/l/sale", ""); out.Code != 200 || out.text() != "" || out.Header().Get("Location") != "" || out.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("where nothing is stored: %d %v %q", out.Code, out.Header(), out.text())
	}
	if w.weChat.calls() != 0 {
		t.Error("a look has a link generated")
	}
	w.visit("sale")
	uses := func() int { return w.list("").Items[0].Uses }
	before := uses()
	for range 3 {
		wantLocation(t, w.ask("HEAD", "/l/sale", ""), "https://wxaurl.cn/t1")
	}
	w.flush()
	if got := w.visits("sale", "?per=total"); got != "1 of nobody known" || uses() != before+1 {
		t.Errorf("visits: %s; %d uses", got, uses())
	}
	if out := w.ask("HEAD", "/l/absent", ""); out.Code != 404 {
		t.Errorf("what is not there: %d", out.Code)
	}
}

func TestAPrefetchIsNoVisit(t *testing.T) {
	w := newVisitedWorld(t)
	for _, header := range []string{"Sec-Purpose: prefetch", "Sec-Purpose: prefetch;prerender", "Purpose: prefetch"} {
		wantLocation(t, w.visit("sale", header), "https://wxaurl.cn/t1")
	}
	w.flush()
	if got := w.visits("sale", "?per=total"); got != "" {
		t.Errorf("visits: %s", got)
	}
	w.visit("sale", "Sec-Purpose: something-new")
	w.flush()
	if got := w.visits("sale", "?per=total"); got != "1 of nobody known" {
		t.Errorf("visits: %s", got)
	}
}

// get asks for a path as it comes out of the wire, which httptest would not let through.
func (w *world) get(path, query string, header ...string) reply {
	r := httptest.NewRequestWithContext(context.Background(), "GET", "/", nil)
	r.URL = &url.URL{Path: path, RawQuery: query}
	return reply{w.serve(w.public, r, header...)}
}

// TestWhatLeadsNowhereIsToldAlike: who guesses learns nothing of what there was or will be.
func TestWhatLeadsNowhereIsToldAlike(t *testing.T) {
	w := newVisitedWorld(t)
	w.put("disabled", `{"path":"p","disabled":true}`)
	w.put("not-yet", `{"path":"p","starts_at":"2026-04-01T00:00:00Z"}`)
	w.put("ended", `{"path":"p","ends_at":"2026-02-01T00:00:00Z"}`)
	w.put("used-up", `{"path":"p","visit_limit":1}`)
	w.visit("used-up")
	slugs := []string{
		"disabled", "not-yet", "ended", "used-up", "unknown", "UNKNOWN", "qr", "api", "", ".", "a b", "a%2fb", "a/b", "a/qr.gif", "/", "//evil.com", "a\x00b", "a\r\nSet-Cookie: x",
		"页", "\xff\xfe", strings.Repeat("s", 64), strings.Repeat("s", 300_000), "-a", "_", "a:b", `a\b`, "a.svg", "absent/qr.svg", "not-yet/qr.png", "disabled/qr.svg", "../l/x/y",
	}
	for _, accept := range []string{"*/*", "text/html,application/xhtml+xml;q=0.9"} {
		told := map[string][]string{}
		for _, slug := range slugs {
			out := w.get("/l/"+slug, "", "Accept: "+accept)
			answer := fmt.Sprint(out.Code, out.Header(), out.text())
			told[answer] = append(told[answer], slug)
			if out.Code != 404 {
				t.Errorf("%.40q: %d", slug, out.Code)
			}
		}
		if len(told) != 1 {
			t.Errorf("%s: told in %d ways", accept, len(told))
			for answer, slugs := range told {
				t.Logf("%.40q: %.400s", slugs, answer)
			}
		}
	}
}

func TestHugeQueriesAreNoTrouble(t *testing.T) {
	w := newVisitedWorld(t)
	for name, query := range map[string]string{
		"one parameter": "x=" + strings.Repeat("y", 300_000), "many": strings.Repeat("&x", 150_000), "many cq": strings.Repeat("&cq=a", 60_000),
		"many signs": strings.Repeat("=", 300_000), "a long name": strings.Repeat("cq", 150_000) + "=1", "a cq outside the alphabet": "cq=" + strings.Repeat("%FF", 100_000),
	} {
		t.Run(name, func(t *testing.T) {
			if out := w.get("/l/sale", query); out.Code != 302 || !strings.HasPrefix(out.Header().Get("Location"), "https://wxaurl.cn/t1") {
				t.Errorf("%d %s", out.Code, out.text())
			}
			if out := w.get("/l/sale/qr.svg", query); out.Code != 400 && out.Code != 422 {
				t.Errorf("the code: %d %.200s", out.Code, out.text())
			}
		})
	}
}

// TestWhenWeChatIsAway goes from what is stored over the fallback to the apology.
func TestWhenWeChatIsAway(t *testing.T) {
	w := newVisitedWorld(t)
	w.put("kind", `{"path":"pages/kind","fallback_url":"https://shop.example.com/sale?x=1"}`)
	w.visit("sale")
	away := upstream(broker.QuotaExhausted, 45009, "reach max api day quota limit")
	away.RetryAfter = 90 * time.Second
	w.weChat.fail(away)
	w.pass(29 * 24 * time.Hour)
	wantLocation(t, w.visit("sale"), "https://wxaurl.cn/t1") // near its end, and alive
	w.pass(2 * 24 * time.Hour)
	out := w.visit("sale")
	wantCode(t, out, "unavailable")
	if out.Code != 503 || out.Header().Get("Retry-After") == "" || out.Header().Get("Location") != "" || out.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v", out.Code, out.Header())
	}
	for _, no := range []string{"45009", "quota", "rid", "pages/"} {
		if strings.Contains(out.text(), no) {
			t.Errorf("a visitor is told of %s: %s", no, out.text())
		}
	}
	wantLocation(t, w.visit("kind"), "https://shop.example.com/sale?x=1")
	w.flush()
	if got := w.visits("kind", "?per=total"); got != "1 to the fallback" {
		t.Errorf("visits: %s", got)
	}
}

// TestWhateverFailsIsNoVisitorsFault: the page may be wrong, the secret may be, but not he who opened the address.
func TestWhateverFailsIsNoVisitorsFault(t *testing.T) {
	for _, code := range []broker.Code{broker.InvalidPath, broker.InvalidQuery, broker.AppNotReleased, broker.AppForbidden, broker.TokenRefused, broker.Upstream} {
		w := newVisitedWorld(t)
		w.weChat.fail(upstream(code, 40165, "invalid weapp pagepath"))
		out := w.visit("sale")
		wantCode(t, out, "unavailable")
		if out.Code != 503 || out.Header().Get("Retry-After") == "" {
			t.Errorf("%s: %d after %s s", code, out.Code, out.Header().Get("Retry-After"))
		}
	}
}

func TestGuessesCountAgainstTheirAddress(t *testing.T) {
	w := newVisitedWorld(t)
	w.config.Limits = fixed(handlers.Limits{FailedAuthPerMinute: 3})
	w.listen()
	from := func(remote, slug string, header ...string) reply {
		return w.from(remote, "GET", "/l/"+slug, "", header...)
	}
	for i, slug := range []string{"a", "b/c", "d/qr.png"} {
		if out := from("192.0.2.1:1", slug); out.Code != 404 {
			t.Errorf("guess %d: %d", i, out.Code)
		}
	}
	out := from("192.0.2.1:2", "e")
	wantCode(t, out, "rate_limited")
	if out.Code != 429 || out.Header().Get("Retry-After") != "20" {
		t.Errorf("%d %v", out.Code, out.Header())
	}
	wantCode(t, w.from("192.0.2.1:3", "POST", "/api/v1/links", `{"path":"p"}`, as(wrongKey)), "rate_limited")
	wantLocation(t, from("192.0.2.1:4", "sale"), "https://wxaurl.cn/t1")
	if out := from("192.0.2.1:5", "sale/qr.svg"); out.Code != 200 {
		t.Errorf("the code of a good slug: %d", out.Code)
	}
	if out := from("192.0.2.2:1", "e"); out.Code != 404 {
		t.Errorf("another address: %d", out.Code)
	}
	w.pass(20 * time.Second)
	if out := from("192.0.2.1:6", "e"); out.Code != 404 {
		t.Errorf("later: %d", out.Code)
	}
}

func TestOnlyLookingIsAllowed(t *testing.T) {
	w := newVisitedWorld(t)
	for _, method := range []string{"POST", "PUT", "DELETE"} {
		if out := w.ask(method, "/l/sale", ""); out.Code != 405 || out.Header().Get("Allow") == "" {
			t.Errorf("%s: %d %v", method, out.Code, out.Header())
		}
	}
}

// TestNothingOfAVisitorIsKept looks for what a request tells of him in the log, the store and the figures.
func TestNothingOfAVisitorIsKept(t *testing.T) {
	w := newVisitedWorld(t)
	w.from("198.51.100.77:4711", "GET", "/l/sale?cq=u%3Dsecret-7", "", "User-Agent: Agent-7 (iPhone)", "Referer: https://from.example.com/", "Cookie: id=cookie-7", "Accept-Language: gsw-CH")
	w.flush()
	stats, err := w.broker.Visits(t.Context(), "sale", broker.Hourly, time.Time{}, w.clock().Add(time.Hour))
	if err != nil || len(stats) != 1 {
		t.Fatal(stats, err)
	}
	kept := w.log.String() + w.figures() + fmt.Sprint(stats) + fmt.Sprint(w.audited()) + fmt.Sprint(w.list(""))
	for _, no := range []string{"198.51.100.77", "secret-7", "Agent-7", "from.example.com", "cookie-7", "gsw"} {
		if strings.Contains(kept, no) {
			t.Errorf("%s is kept", no)
		}
	}
	if !strings.Contains(kept, "route=/l/:slug") {
		t.Error("the log was not looked at")
	}
}
