package handlers_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"linkbroker/broker"
	"linkbroker/handlers"
)

// roles are those that a route can have.
var roles = []string{"anybody", "read", "generate", "admin"}

func TestEveryRouteDeclaresItsRole(t *testing.T) {
	for _, listener := range []string{"public", "admin"} {
		for _, r := range handlers.RoutesOf(listener) {
			if !slices.Contains(roles, string(r.Role)) {
				t.Errorf("%s %s has the role %q", r.Method, r.Path, r.Role)
			}
			explains := strings.HasPrefix(r.Path, "/api/v1/errors")
			if listener == "admin" && strings.HasPrefix(r.Path, "/api/") && !explains && r.Role != "admin" {
				t.Errorf("%s %s is for role %s", r.Method, r.Path, r.Role)
			}
		}
	}
}

func TestARouteWithoutARoleLetsNobodyIn(t *testing.T) {
	w := newWorld(t)
	h := handlers.WithRoutes(w.config, "GET", "", "/undeclared")
	for _, key := range []string{"", readKey, generateKey, pageKey, adminKey} {
		r := w.send(h, "", "GET", "/undeclared", "", []string{as(key)})
		if r.Code != 401 && r.Code != 403 {
			t.Errorf("%q: %d", key, r.Code)
		}
	}
}

func TestAVerbMayStandBehindAnythingButASlash(t *testing.T) {
	w := newWorld(t)
	routes := []string{"/things", "/things:count", "/things:clear", "/things/{name}", "/things/{name}:run"}
	h := handlers.WithRoutes(w.config, "GET", "anybody", routes...)
	for path, want := range map[string]string{
		"/things": "/things", "/things:count": "/things:count", "/things%3Aclear": "/things:clear", "//things:clear": "/things:clear",
		"/things/a": "/things/{name}", "/things/a:run": "/things/{name}:run",
		"/things:": "", "/things:no": "", "/things:count/a": "", "/things/a:no": "", `/things\:count`: "", "/things:counts": "",
	} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.URL = &url.URL{Path: path}
		if decoded, err := url.PathUnescape(path); err == nil {
			r.URL.Path = decoded
		}
		out := w.serve(h, r)
		if got := out.Header().Get("X-Route"); got != want || want == "" && out.Code != 404 {
			t.Errorf("%s: %d, route %q, want %q", path, out.Code, got, want)
		}
	}
}

// who asks in the matrix.
var who = map[string]string{
	"nobody": "", "read": readKey, "generate": shopKey, "publishable": pageKey, "admin": adminKey, "foreign client": foreignKey,
}

// matrix says what each of these gets of a route of each role, for a mini program of theirs (A; B for the foreign
// client) and for the other one: "" = it is let in.
var matrix = map[string]map[string]struct{ own, foreign string }{
	"public anybody": {
		"nobody": {"", ""}, "read": {"", ""}, "generate": {"", ""}, "publishable": {"", ""}, "admin": {"", ""}, "foreign client": {"", ""},
	},
	"public read": { // which are the routes for a link, stored beforehand
		"nobody": {"unauthenticated", "unauthenticated"}, "read": {"", "forbidden"}, "generate": {"", "forbidden"},
		"publishable": {"", "forbidden"}, "admin": {"", ""}, "foreign client": {"", "forbidden"},
	},
	"admin anybody": {
		"nobody": {"", ""}, "read": {"", ""}, "generate": {"", ""}, "publishable": {"", ""}, "admin": {"", ""}, "foreign client": {"", ""},
	},
	"admin admin": {
		"nobody": {"unauthenticated", "unauthenticated"}, "read": {"forbidden", "forbidden"}, "generate": {"forbidden", "forbidden"},
		"publishable": {"bad_credential", "bad_credential"}, "admin": {"", ""}, "foreign client": {"forbidden", "forbidden"},
	},
}

// errcodes are what the facade says for the codes.
var errcodes = map[string]int{"": 0, "unauthenticated": 41001, "bad_credential": 40001, "forbidden": 48001}

// TestTheMatrix asks every route of both routers as everybody, for a mini program of his and for another.
func TestTheMatrix(t *testing.T) {
	asked := 0
	for _, listener := range []string{"public", "admin"} {
		for _, r := range handlers.RoutesOf(listener) {
			expected, ok := matrix[listener+" "+string(r.Role)]
			if !ok {
				t.Fatalf("the matrix has nothing of role %s on the %s listener", r.Role, listener)
			}
			w, links := newWorld(t), map[string]string{}
			for _, app := range []string{appA, appB} { // what is asked for is there
				for _, kind := range []string{"url_link", "scheme", "short_link"} {
					w.ask("POST", "/api/v1/links", `{"app":"`+app+`","path":"p","kind":"`+kind+`"}`, as(generateKey))
				}
				links[app] = w.list("?kind=url_link&app=" + app).Items[0].Key
				w.create(`{"name":"stored-` + app + `","role":"read"}`)
				w.put("stored-"+app, `{"app":"`+app+`","path":"p"}`)
			}
			w.takeCensus()
			for name, key := range who {
				own, other := appA, appB
				if name == "foreign client" {
					own, other = appB, appA
				}
				mine := expected[name].own
				if name == "publishable" && (asksAboutLinks(r.Path) || r.Path == batchPath) {
					mine = "forbidden" // who has seen the page has the key
				}
				t.Run(fmt.Sprintf("%s %s %s as %s", listener, r.Method, r.Path, name), func(t *testing.T) {
					w.matrixAsk(t, listener, r, key, own, links[own], mine)
					w.matrixAsk(t, listener, r, key, other, links[other], expected[name].foreign)
				})
				asked += 2
			}
		}
	}
	if asked < 12*35 {
		t.Errorf("only %d questions: the table is not all there", asked)
	}
}

func asksAboutLinks(path string) bool {
	return strings.Contains(path, "query") || strings.Contains(path, "inspect")
}

// bodyFor is what asks a route for the stored link of its kind. link is that of the URL Link.
func bodyFor(path, link string) string {
	switch {
	case strings.HasSuffix(path, "urllink.query"), strings.HasSuffix(path, "query_urllink"):
		return `{"url_link":"` + link + `"}`
	case strings.HasSuffix(path, "urlscheme.query"), strings.HasSuffix(path, "queryscheme"):
		return `{"scheme":"weixin://dl/business/?t=other","query_type":1}`
	case strings.HasSuffix(path, "scheme"), strings.HasSuffix(path, "urlscheme.generate"):
		return `{"jump_wxa":{"path":"p"}}`
	case strings.HasSuffix(path, "shortlink"), strings.HasSuffix(path, "shortlink.generate"):
		return `{"page_url":"p"}`
	default:
		return `{"path":"p"}`
	}
}

// matrixAsk asks a route for what belongs to a mini program, of which the link is stored.
func (w *world) matrixAsk(t *testing.T, listener string, r handlers.RouteInfo, key, app, link, code string) {
	t.Helper()
	path, header := r.Path, []string{as(key)}
	if strings.HasPrefix(path, "/k/") {
		if key == "" {
			return // there is no such address
		}
		path, header = strings.Replace(path, "{apikey}", key, 1), nil
	}
	name := "stored-" + app
	if strings.Contains(path, "/jobs/") {
		name = "purge"
	}
	path = strings.NewReplacer("{key}", link, "{name}", name, "{profile}", "heap", "{slug}", "stored-"+app).Replace(path)
	h, body := w.admin, ""
	switch {
	case strings.HasSuffix(path, ":import"):
		header, body = append(header, "Content-Type: text/csv"), "path\n"
	case listener == "public":
		url := map[string]string{appA: "https://wxaurl.cn/t1", appB: "https://wxaurl.cn/t4"}[app]
		h, body = w.public, bodyFor(r.Path, url)
		switch {
		case strings.HasSuffix(path, "/inspect"):
			path += "?url=" + url + "&app=" + app
		case !strings.HasPrefix(path, "/l/"):
			path += "?appid=" + app
		}
	case strings.HasPrefix(path, "/api/v1/aliases"):
		body = `{"app":"` + app + `","path":"p"}`
	case path == "/api/v1/clients":
		body = `{"name":"new-` + app + `","role":"read"}`
	case r.Method == http.MethodPatch:
		body = `{"role":"read"}`
	}
	if r.Method == http.MethodGet || r.Method == http.MethodDelete {
		body = ""
	}
	if path == "/api/v1/stats" {
		path += "?of=answers&name=" + app
	}
	if strings.HasPrefix(path, "/api/v1/link?") {
		path += "&path=p"
	}
	out := w.send(h, listener, r.Method, path, body, header)
	switch {
	case r.Page: // what goes wrong is a page, and to nobody the login
		want, _, _ := handlers.StatusOf(broker.Code(code))
		if code == "unauthenticated" {
			want = http.StatusSeeOther
		}
		if want != 0 && out.Code != want || want == 0 && (out.Code == 401 || out.Code == 403 && path != "/preferences") {
			t.Errorf("%d %s", out.Code, out.text())
		}
	case r.Role == "anybody" && out.Code < 300:
	case r.Role == "anybody": // it may refuse what is asked, but not for who asks; a login is asked without TLS here
		if strings.Contains(out.text(), `"code":"forbidden"`) && path != "/login" || strings.Contains(out.text(), `"code":"unauthenticated"`) {
			t.Errorf("%d %s", out.Code, out.text())
		}
	case strings.Contains(r.Path, "/wxa/"), strings.Contains(r.Path, "/openapi/"):
		wantErrCode(t, out, errcodes[code])
	default:
		wantCode(t, out, code)
	}
}
