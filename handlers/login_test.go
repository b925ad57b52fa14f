package handlers_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"linkbroker/handlers"
)

// browser is a browser on the admin listener, with its cookie.
type browser struct {
	w      *world
	host   string // with a scheme
	remote string
	cookie *http.Cookie
}

func (w *world) browser() *browser {
	return &browser{w: w, host: "http://localhost:8081", remote: "127.0.0.1:40000"}
}

// do asks as a page of the admin listener does; header lines may say otherwise.
func (b *browser) do(method, path, contentType, body string, header ...string) reply {
	b.w.t.Helper()
	r := httptest.NewRequestWithContext(b.w.t.Context(), method, b.host+path, strings.NewReader(body))
	r.RemoteAddr = b.remote
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if b.cookie != nil {
		r.AddCookie(b.cookie)
	}
	out := b.w.serve(b.w.admin, r, header...)
	b.w.spec.check(b.w.t, "admin", r, body, out)
	for _, cookie := range out.Result().Cookies() {
		if strings.HasSuffix(cookie.Name, "linkbroker") {
			b.cookie = cookie
		}
	}
	return reply{out}
}

const formType = "application/x-www-form-urlencoded"

func (b *browser) login(key string, header ...string) reply {
	return b.do("POST", "/login", formType, url.Values{"key": {key}}.Encode(), header...)
}

func (w *world) loggedIn() *browser {
	w.t.Helper()
	b := w.browser()
	if out := b.login(adminKey); out.Code != http.StatusSeeOther {
		w.t.Fatalf("%d %s", out.Code, out.text())
	}
	return b
}

func TestALoginGivesASession(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	if out := b.do("GET", "/", "", ""); out.Code != 303 || out.Header().Get("Location") != "/login" {
		t.Errorf("without a session: %d %s", out.Code, out.Header().Get("Location"))
	}
	if out := b.login(adminKey); out.Code != 303 || out.Header().Get("Location") != "/" {
		t.Fatalf("%d %s", out.Code, out.text())
	}
	if out := b.do("GET", "/", "", ""); out.Code != 200 || !strings.Contains(out.text(), `action="/logout"`) {
		t.Errorf("the first page: %d %s", out.Code, out.text())
	}
	wantCode(t, b.do("GET", "/api/v1/links", "", ""), "")
	wantCode(t, b.do("POST", "/api/v1/jobs/purge:run", "", ""), "")
	b.do("POST", "/logout", "", "")
	if b.cookie.MaxAge >= 0 {
		t.Error("a logout leaves the cookie")
	}
}

func TestALogoutEndsTheSession(t *testing.T) {
	w := newWorld(t)
	b := w.loggedIn()
	before := b.cookie
	if out := b.do("POST", "/logout", "", ""); out.Code != 303 || out.Header().Get("Location") != "/login" {
		t.Errorf("%d", out.Code)
	}
	b.cookie = before
	wantCode(t, b.do("GET", "/api/v1/links", "", ""), "unauthenticated")
}

func TestALoginWithJSON(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	wantCode(t, b.do("POST", "/login", "application/json", `{"key":"`+wrongKey+`"}`), "bad_credential")
	if out := b.do("POST", "/login", "application/json", `{"key":"`+adminKey+`"}`); out.Code != 204 {
		t.Errorf("%d %s", out.Code, out.text())
	}
	wantCode(t, b.do("GET", "/api/v1/links", "", ""), "")
}

// TestTheCookie goes through where a login is let in, and with which cookie.
func TestTheCookie(t *testing.T) {
	const secure = "__Host-linkbroker="
	for name, test := range map[string]struct {
		host, remote, adminURL string
		cookie                 string // how it begins; empty = no login here
	}{
		"over TLS":                          {"https://admin.example.com", "192.0.2.1:1", "", secure},
		"behind a proxy that speaks TLS":    {"http://admin.example.com", "10.0.0.1:1", "https://admin.example.com", secure},
		"on loopback":                       {"http://localhost:8081", "127.0.0.1:1", "", "linkbroker="},
		"on loopback by its address":        {"http://127.0.0.1:8081", "127.0.0.1:1", "", "linkbroker="},
		"on loopback of IPv6":               {"http://[::1]:8081", "[::1]:1", "", "linkbroker="},
		"over the net without TLS":          {"http://admin.example.com", "192.0.2.1:1", "", ""},
		"from the net, called loopback":     {"http://localhost:8081", "192.0.2.1:1", "", ""},
		"from loopback, called by its name": {"http://admin.example.com", "127.0.0.1:1", "", ""},
		"behind a proxy without TLS":        {"http://admin.example.com", "192.0.2.1:1", "http://admin.example.com", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.config.AdminURL = test.adminURL
			w.listen()
			b := w.browser()
			b.host, b.remote = test.host, test.remote
			out := b.login(adminKey)
			got := out.Header().Get("Set-Cookie")
			if test.cookie == "" {
				if out.Code != 403 || got != "" {
					t.Errorf("%d %q", out.Code, got)
				}
				return
			}
			want := regexp.MustCompile("^" + test.cookie + "[A-Z2-7]{26}; Path=/; HttpOnly; (Secure; )?SameSite=Strict$")
			if !want.MatchString(got) || strings.Contains(got, "Secure") != (test.cookie == secure) {
				t.Errorf("%q", got)
			}
			wantCode(t, b.do("GET", "/api/v1/links", "", ""), "")
		})
	}
}

func TestOtherSitesChangeNothing(t *testing.T) {
	w := newWorld(t)
	b := w.loggedIn()
	other := []string{"Sec-Fetch-Site: cross-site", "Origin: https://evil.example"}
	for _, address := range []string{"/api/v1/jobs/purge:run", "/api/v1/clients"} {
		wantCode(t, b.do("POST", address, "text/plain", `{"name":"x","role":"admin"}`, other...), "forbidden")
	}
	wantCode(t, b.do("POST", "/logout", "", "", other...), "forbidden")
	wantCode(t, b.do("POST", "/api/v1/jobs/purge:run", "", "", "Sec-Fetch-Site: same-site"), "forbidden")
	wantCode(t, b.do("POST", "/api/v1/jobs/purge:run", "", "", "Sec-Fetch-Site: ", "Origin: https://evil.example"), "forbidden")
	if out := b.login(adminKey, other...); out.Code != 403 {
		t.Errorf("another site logs a browser in: %d", out.Code)
	}
	if len(w.jobs.ran) != 0 {
		t.Error("a job was run")
	}
	wantCode(t, b.do("GET", "/api/v1/jobs", "", ""), "") // it is still logged in
	t.Run("a key in the header is no browser's", func(t *testing.T) {
		wantCode(t, w.administer("POST", "/api/v1/jobs/purge:run", other...), "")
	})
	t.Run("a proxy may change the host", func(t *testing.T) {
		w.config.AdminURL = "https://admin.example.com"
		w.listen()
		b := w.browser()
		if out := b.login(adminKey, "Sec-Fetch-Site: ", "Origin: https://admin.example.com"); out.Code != 303 {
			t.Errorf("%d %s", out.Code, out.text())
		}
	})
}

func TestWhenASessionEnds(t *testing.T) {
	for name, test := range map[string]struct {
		after func(t *testing.T, w *world, b *browser)
		code  string
	}{
		"not within the half hour": {func(_ *testing.T, w *world, _ *browser) { w.pass(30*time.Minute - time.Second) }, ""},
		"after half an hour idle":  {func(_ *testing.T, w *world, _ *browser) { w.pass(30 * time.Minute) }, "unauthenticated"},
		"not while it is used": {func(_ *testing.T, w *world, b *browser) {
			for range 23 {
				w.pass(30 * time.Minute)
				w.pass(-time.Second)
				b.do("GET", "/api/v1/jobs", "", "")
			}
		}, ""},
		"after twelve hours in any case": {func(_ *testing.T, w *world, b *browser) {
			for range 24 {
				w.pass(30*time.Minute - time.Second)
				b.do("GET", "/api/v1/jobs", "", "")
			}
			w.pass(24 * time.Second)
		}, "unauthenticated"},
		"when its client is disabled": {func(t *testing.T, w *world, _ *browser) {
			wantCode(t, w.administer("POST", "/api/v1/clients/boss:disable"), "")
		}, "unauthenticated"},
		"when its client is deleted": {func(t *testing.T, w *world, _ *browser) {
			wantCode(t, w.administer("DELETE", "/api/v1/clients/boss"), "")
		}, "unauthenticated"},
		"when its key is rotated away": {func(t *testing.T, w *world, _ *browser) {
			wantCode(t, w.post("/api/v1/clients/boss:rotate", `{"overlap":"0s"}`), "")
		}, "unauthenticated"},
		"not while its key overlaps with the next": {func(t *testing.T, w *world, _ *browser) {
			wantCode(t, w.post("/api/v1/clients/boss:rotate", ""), "")
		}, ""},
		"when its client is no administrator any more": {func(t *testing.T, w *world, _ *browser) {
			wantCode(t, w.send(w.admin, "admin", "PATCH", "/api/v1/clients/boss", `{"role":"read"}`, []string{as(adminKey)}), "")
		}, "forbidden"},
		"when linkbroker starts anew": {func(_ *testing.T, w *world, _ *browser) { w.listen() }, "unauthenticated"},
		"when the cookie is another":  {func(_ *testing.T, _ *world, b *browser) { b.cookie.Value = "AAAAAAAAAAAAAAAAAAAAAAAAAA" }, "unauthenticated"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b := w.browser()
			if out := b.login(w.create(`{"name":"boss","role":"admin"}`).Key); out.Code != 303 {
				t.Fatalf("%d %s", out.Code, out.text())
			}
			test.after(t, w, b)
			wantCode(t, b.do("GET", "/api/v1/jobs", "", ""), test.code)
		})
	}
}

func TestSessionsAreBounded(t *testing.T) {
	w := newFastWorld(t)
	w.spec = readSpec(t)
	first := w.loggedIn()
	w.pass(time.Second)
	second := w.loggedIn()
	w.pass(time.Second)
	w.spec = nil
	for range 1023 {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "http://localhost/login", strings.NewReader("key="+adminKey))
		r.RemoteAddr = "127.0.0.1:1"
		w.serve(w.admin, r, "Content-Type: "+formType)
	}
	w.spec = readSpec(t)
	wantCode(t, first.do("GET", "/api/v1/jobs", "", ""), "unauthenticated")
	wantCode(t, second.do("GET", "/api/v1/jobs", "", ""), "")
}

// TestALoginIsLockedOut for a while after wrong keys, and tells nothing of which keys there are.
func TestALoginIsLockedOut(t *testing.T) {
	w := newWorld(t)
	w.config.Limits = fixed(handlers.Limits{FailedLoginsPerMinute: 3})
	w.listen()
	wrong := []string{wrongKey, expiredKey, generateKey, "", pageKey}
	texts := map[string]bool{}
	for i, key := range wrong {
		b := w.browser()
		b.remote = fmt.Sprintf("127.0.0.%d:1", 10+i)
		out := b.login(key)
		if out.Code != 401 {
			t.Errorf("%q: %d", key, out.Code)
		}
		texts[out.text()+fmt.Sprint(out.Header())] = true
	}
	if len(texts) != 1 {
		t.Errorf("wrong keys are told apart: %v", texts)
	}
	b := w.browser()
	for i := range 3 {
		if out := b.login(fmt.Sprintf("%d-nobodys-key-012345", i)); out.Code != 401 {
			t.Errorf("%d", out.Code)
		}
	}
	out := b.login(adminKey)
	if out.Code != 429 || out.Header().Get("Retry-After") != "20" {
		t.Errorf("a good key after three wrong ones: %d, Retry-After %q", out.Code, out.Header().Get("Retry-After"))
	}
	w.pass(20 * time.Second)
	if out := b.login(adminKey); out.Code != 303 {
		t.Errorf("after a while: %d", out.Code)
	}
	if out := b.login(adminKey); out.Code != 303 {
		t.Errorf("a good login counts: %d", out.Code)
	}
	t.Run("from many addresses with one beginning", func(t *testing.T) {
		for i := range 4 {
			b := w.browser()
			b.remote = fmt.Sprintf("127.0.1.%d:1", i)
			want := 401
			if i == 3 {
				want = 429
			}
			if out := b.login(fmt.Sprintf("sk_abcde-and-what-else-%d", i)); out.Code != want {
				t.Errorf("login %d: %d", i, out.Code)
			}
		}
	})
}

// TestLoginsWithoutLimits are for a configuration that turns them off.
func TestLoginsWithoutLimits(t *testing.T) {
	w := newWorld(t)
	w.config.Limits = fixed(handlers.Limits{})
	w.listen()
	b := w.browser()
	for range 50 {
		b.login(wrongKey)
	}
	if out := b.login(adminKey); out.Code != 303 {
		t.Errorf("%d", out.Code)
	}
	if n := len(w.audit()); n != 11 { // ten that failed, and the good one
		t.Errorf("%d entries in the audit", n)
	}
}
