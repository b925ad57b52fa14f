package handlers_test

import (
	"cmp"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"linkbroker/broker"
)

// post sends a form.
func (b *browser) post(path string, form url.Values, header ...string) reply {
	b.w.t.Helper()
	return b.do("POST", path, formType, form.Encode(), header...)
}

// fieldsOf reads what a browser would send of the form with an action, as it stands on a page.
func fieldsOf(t *testing.T, page, action string) url.Values {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for form := range root.Descendants() {
		if form.Data != "form" || attribute(form, "action") != action {
			continue
		}
		fields := url.Values{}
		for n := range form.Descendants() {
			name, kind := attribute(n, "name"), attribute(n, "type")
			switch {
			case name == "":
			case n.Data == "textarea" && n.FirstChild != nil:
				fields.Add(name, n.FirstChild.Data)
			case n.Data == "input" && kind != "radio" && kind != "checkbox":
				fields.Add(name, attribute(n, "value"))
			case n.Data == "input" && has(n, "checked"):
				fields.Add(name, cmp.Or(attribute(n, "value"), "on"))
			}
		}
		return fields
	}
	t.Fatalf("no form goes to %s: %s", action, page)
	return nil
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, key string) bool {
	for _, a := range n.Attr {
		if a.Key == key {
			return true
		}
	}
	return false
}

var anyKey = regexp.MustCompile(`[sp]k_[A-Z2-7]{26}[0-9a-f]{8}`)

// keyOn gives the one key that stands on a page, and sees that it stands there once.
func keyOn(t *testing.T, out reply) string {
	t.Helper()
	keys := anyKey.FindAllString(out.text(), -1)
	if out.Code != http.StatusOK || len(keys) != 1 {
		t.Fatalf("%d with the keys %v: %s", out.Code, keys, out.text())
	}
	if out.Header().Get("Cache-Control") != "no-store" || out.Header().Get("Location") != "" || out.Header().Get("Set-Cookie") != "" {
		t.Errorf("the key is kept, or goes elsewhere: %v", out.Header())
	}
	return keys[0]
}

// TestAClientOnThePageFromItsBeginningToItsEnd follows a client through its forms. Its keys stand in the answers to the
// forms that made them, and nowhere else.
func TestAClientOnThePageFromItsBeginningToItsEnd(t *testing.T) {
	w := newWorld(t)
	b := w.loggedIn()
	form := url.Values{
		"name": {"shop-web"}, "role": {"generate"}, "app": {appA}, "generations_per_day": {"5"}, "expires_at": {"2026-04-01T08:00"},
		"paths": {"p?id=[0-9]+\r\n\r\n pages/**?*\r\n"}, "origins": {"https://a.example\r\nhttps://b.example"}, "env": {"release", "trial"},
	}
	created := b.post("/clients", form)
	first := keyOn(t, created)
	if !strings.Contains(created.text(), "It is shown this once") || !strings.Contains(created.text(), `data-copy-from="key"`) {
		t.Error("the page does not say what to do with the key")
	}
	w.askWith(t, first, "")
	client, _ := w.clients.ByName("shop-web")
	want := broker.Grant{
		Apps: []string{appA}, Origins: []string{"https://a.example", "https://b.example"}, Envs: []broker.Env{"release", "trial"}, GenerationsPerDay: 5,
		Paths: []broker.PathRule{{Path: "p", Params: []broker.ParamRule{{Name: "id", Pattern: "[0-9]+"}}}, {Path: "pages/**", AnyQuery: true}},
	}
	if got := plainGrant(client.Grant); !reflect.DeepEqual(got, want) || !client.ExpiresAt.Equal(time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("it may %+v until %s", got, client.ExpiresAt)
	}
	again := b.post("/clients", form)
	if again.Code != 409 || anyKey.MatchString(again.text()) || !strings.Contains(again.text(), `<a href="/clients/shop-web">`) {
		t.Errorf("a reload: %d %s", again.Code, again.text())
	}

	page := b.do("GET", "/clients/shop-web", "", "").text()
	fields := fieldsOf(t, page, "/clients/shop-web")
	fields.Set("generations_per_day", "")
	fields.Del("env")
	if out := b.post("/clients/shop-web", fields); out.Code != 303 || out.Header().Get("Location") != "/clients/shop-web" {
		t.Errorf("%d %s", out.Code, out.text())
	}
	b.shows("/clients/shop-web", "shop-web is changed.")
	client, _ = w.clients.ByName("shop-web")
	want.GenerationsPerDay, want.Envs = 0, nil
	if got := plainGrant(client.Grant); !reflect.DeepEqual(got, want) {
		t.Errorf("it may %+v", got)
	}

	rotation := fieldsOf(t, page, "/clients/shop-web:rotate")
	rotation.Set("overlap", "1h")
	second := keyOn(t, b.post("/clients/shop-web:rotate", rotation))
	again = b.post("/clients/shop-web:rotate", rotation)
	if again.Code != 409 || anyKey.MatchString(again.text()) || !strings.Contains(again.text(), "has a newer key already") {
		t.Errorf("a reload: %d %s", again.Code, again.text())
	}
	w.askWith(t, first, "") // which the reload has not ended
	w.askWith(t, second, "")
	w.pass(time.Hour)
	w.askWith(t, first, "bad_credential")
	b = w.loggedIn()

	b.post("/clients/shop-web:disable", nil)
	b.shows("/clients/shop-web", "shop-web may ask for nothing", "disabled")
	w.askWith(t, second, "bad_credential")
	b.post("/clients/shop-web:enable", nil)
	b.shows("/clients/shop-web", "shop-web may ask again", "enabled")
	w.askWith(t, second, "")
	b.shows("/clients?fragment=list", "shop-web in the store generate enabled until 2026-04-01 08:00 "+first[:8]+"… "+second[:8]+"…")

	if out := b.post("/clients/shop-web:delete", url.Values{"name": {"shop"}}); out.Code != 422 || !strings.Contains(out.text(), "type its name: shop-web") {
		t.Errorf("%d %s", out.Code, out.text())
	}
	seen := w.log.String()
	for _, path := range append(w.pagesShown(), "/clients/shop-web", "/api/v1/clients", "/api/v1/audit") {
		seen += b.do("GET", path, "", "").text()
	}
	if out := b.post("/clients/shop-web:delete", url.Values{"name": {"shop-web"}}); out.Code != 303 || out.Header().Get("Location") != "/clients" {
		t.Errorf("%d %s", out.Code, out.text())
	}
	b.shows("/clients", "shop-web is deleted.")
	w.askWith(t, second, "bad_credential")
	if out := b.do("GET", "/clients/shop-web", "", ""); out.Code != 404 {
		t.Errorf("%d", out.Code)
	}
	var did []string
	for _, e := range w.audit() {
		seen += e.Object + e.Detail
		if strings.HasPrefix(e.Action, "client.") {
			did = append(did, e.Actor+" "+e.Action+" "+e.Object)
		}
	}
	wantDid := "admin client.create shop-web, admin client.update shop-web, admin client.rotate shop-web, " +
		"admin client.disable shop-web, admin client.enable shop-web, admin client.delete shop-web"
	if got := strings.Join(did, ", "); got != wantDid {
		t.Errorf("the audit has %s", got)
	}
	for _, key := range []string{first, second} {
		if strings.Contains(seen, key) {
			t.Errorf("the key %s is shown again", key)
		}
	}
}

func (w *world) askWith(t *testing.T, key, code string) {
	t.Helper()
	wantCode(t, w.ask("POST", "/api/v1/links", `{"app":"`+appA+`","path":"pages/x"}`, as(key)), code)
}

// plainGrant is a grant without what is compiled of it.
func plainGrant(g broker.Grant) broker.Grant {
	for i, rule := range g.Paths {
		plain, err := broker.ParsePathRule(rule.String())
		if err != nil {
			panic(err)
		}
		g.Paths[i] = plain
	}
	return g
}

// TestAFormThatIsSentAsItStandsChangesNothing keeps what the form shows in part alone.
func TestAFormThatIsSentAsItStandsChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.create(`{"name":"x","publishable":true,"role":"read","apps":["wxforgotten000000"],"origins":["https://a.example:8443"],
		"paths":[{"path":"p","params":[{"name":"a&b","pattern":"x\n<y>","max_length":200}]},{"path":"z"}],
		"requests_per_second":0.25,"generations_per_minute":7,"generations_per_day":9007199254740000,"no_cloud_base":true,
		"env_versions":["develop"],"expires_at":"2030-01-31T08:15:42.125Z"}`)
	before, _ := w.clients.ByName("x")
	b := w.loggedIn()
	fields := fieldsOf(t, b.do("GET", "/clients/x", "", "").text(), "/clients/x")
	if out := b.post("/clients/x", fields); out.Code != 303 {
		t.Fatalf("%d %s", out.Code, out.text())
	}
	after, _ := w.clients.ByName("x")
	before.Grant, after.Grant = plainGrant(before.Grant), plainGrant(after.Grant)
	if !reflect.DeepEqual(before, after) {
		t.Errorf("before\n%+v\nafter\n%+v", before, after)
	}
}

func TestClientFormsThatAreRefused(t *testing.T) {
	good := url.Values{"name": {"x"}, "role": {"read"}}
	for name, test := range map[string]struct {
		field, value string
		status       int
		says         string
	}{
		"a name that is none":      {"name", `<script>alert(1)</script>`, 422, "name has 1 to 64 characters"},
		"a name that is taken":     {"name", "shop", 409, "a client named &#34;shop&#34; exists"},
		"no role":                  {"role", "", 422, "is not one of read, generate, admin"},
		"a role that is none":      {"role", `"><img src=x>`, 422, "is not one of read"},
		"a rule that is none":      {"paths", "p\n?<script>", 422, `must be a page such as`},
		"a pattern that is none":   {"paths", "p?a=(", 422, "pattern of parameter"},
		"an origin that is none":   {"origins", "a.example", 422, "is not of the form https://host"},
		"a limit that is none":     {"generations_per_day", "many", 422, "generations_per_day must be a number"},
		"a broken limit":           {"generations_per_minute", "1.5", 422, "generations_per_minute must be a whole number"},
		"a limit beyond numbers":   {"requests_per_second", "NaN", 422, "requests_per_second must be a number"},
		"a limit below nothing":    {"requests_per_second", "-1", 422, "must not be negative"},
		"an end that is none":      {"expires_at", "tomorrow", 422, "expires_at must be a moment"},
		"an end beyond the years":  {"expires_at", "9999-12-31T23:59", 0, ""},
		"a version that is none":   {"env", "beta", 422, "env_versions are release, trial and develop"},
		"a public key, unguarded":  {"publishable", "on", 422, "needs origins, paths and generations_per_day"},
		"passing on, and may read": {"pass_through", "on", 422, "pass_through is for secret keys"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b := w.loggedIn()
			form := url.Values{}
			for field, values := range good {
				form[field] = values
			}
			form.Set(test.field, test.value)
			out := b.post("/clients", form)
			if test.status == 0 {
				keyOn(t, out)
				return
			}
			if out.Code != test.status || !strings.Contains(out.text(), test.says) {
				t.Errorf("%d %s", out.Code, out.text())
			}
			kept := fieldsOf(t, out.text(), "/clients")
			if test.field != "role" && test.field != "env" && strings.TrimSpace(kept.Get(test.field)) != test.value {
				t.Errorf("what was typed is lost: %v", kept)
			}
			if anyKey.MatchString(out.text()) || strings.Contains(out.text(), "<script>alert") || strings.Contains(out.text(), "<img") {
				t.Error(out.text())
			}
			if log := w.audit(); len(log) != 1 {
				t.Errorf("the audit has %+v", log)
			}
		})
	}
}

// TestChangesToAClientThatAreRefused changes one of the store, of the configuration, and none.
func TestChangesToAClientThatAreRefused(t *testing.T) {
	w := newWorld(t)
	key := w.create(`{"name":"x","role":"read"}`).Key
	b := w.loggedIn()
	for name, test := range map[string]struct {
		path   string
		form   url.Values
		status int
	}{
		"a change that cannot be":         {"/clients/x", url.Values{"role": {"root"}}, 422},
		"a key that follows none":         {"/clients/x:rotate", url.Values{"overlap": {"1h"}}, 400},
		"a key that follows another":      {"/clients/x:rotate", url.Values{"overlap": {"1h"}, "follows": {"sk_OTHER"}}, 409},
		"an overlap that is none":         {"/clients/x:rotate", url.Values{"overlap": {"a day"}, "follows": {key[:8]}}, 400},
		"an overlap before now":           {"/clients/x:rotate", url.Values{"overlap": {"-1h"}, "follows": {key[:8]}}, 422},
		"deleting without the name":       {"/clients/x:delete", nil, 422},
		"changing the configuration":      {"/clients/shop", url.Values{"role": {"admin"}}, 409},
		"rotating in the configuration":   {"/clients/shop:rotate", url.Values{"overlap": {"0s"}, "follows": {"x"}}, 409},
		"disabling in the configuration":  {"/clients/shop:disable", nil, 409},
		"deleting from the configuration": {"/clients/shop:delete", url.Values{"name": {"shop"}}, 409},
		"changing nobody":                 {"/clients/nobody", url.Values{"role": {"read"}}, 404},
		"rotating nobody":                 {"/clients/nobody:rotate", url.Values{"overlap": {"1h"}, "follows": {"x"}}, 404},
		"enabling nobody":                 {"/clients/nobody:enable", nil, 404},
		"deleting nobody":                 {"/clients/nobody:delete", url.Values{"name": {"nobody"}}, 404},
	} {
		if out := b.post(test.path, test.form); out.Code != test.status || !strings.Contains(out.text(), "<h1") || anyKey.MatchString(out.text()) {
			t.Errorf("%s: %d %s", name, out.Code, out.text())
		}
		if out := b.post(test.path, test.form, "Sec-Fetch-Site: cross-site"); out.Code != 403 {
			t.Errorf("%s by another site: %d", name, out.Code)
		}
	}
	if out := b.do("POST", "/clients/x:disable", "", "", "Sec-Fetch-Site: cross-site"); out.Code != 403 {
		t.Errorf("another site disables a client: %d", out.Code)
	}
	if got, _ := w.clients.ByName("x"); got.Disabled || got.Role != broker.RoleRead || len(got.Keys) != 1 {
		t.Errorf("it is changed all the same: %+v", got)
	}
	if log := w.audit(); len(log) != 2 {
		t.Errorf("the audit has %+v", log)
	}
}

func TestAClientOfTheConfigurationIsOnlyShown(t *testing.T) {
	w := newWorld(t)
	b := w.loggedIn()
	b.shows("/clients/page", "stands in the configuration", "free/*?*", "p?id=[0-9]", pageOrigin, "0 of 5", "publishable")
	page := b.do("GET", "/clients/page", "", "").text()
	if strings.Contains(page, `action="/clients`) {
		t.Error("it has forms that change it")
	}
	b.shows("/clients/admin", "You are logged in with a key of this client")
	b.shows("/clients?fragment=list", "page in the configuration generate publishable enabled", "expired in the configuration admin expired")
}

// TestTheUseOfAClient has a client ask, and its budget end.
func TestTheUseOfAClient(t *testing.T) {
	w := newWorld(t)
	key := w.create(`{"name":"x","role":"generate","apps":["` + appA + `"],"generations_per_day":4}`).Key
	for _, path := range []string{"a", "a", "b", "c", "d", "e"} {
		w.ask("POST", "/api/v1/links", `{"path":"`+path+`"}`, as(key))
	}
	w.flush()
	if err := w.clients.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := w.loggedIn()
	b.shows("/clients?fragment=list", key[:8]+"… just now 6 4 of 4")
	b.shows("/clients/x?fragment=use", "Requests today 6", "Requests in 30 days 6", "4 of 4", key[:8]+"… just now just now as long as the client")
	if page := b.do("GET", "/clients?fragment=list", "", "").text(); !strings.Contains(page, `<rect class="full" x="0.000" width="100.000"`) {
		t.Error("the bar is not full")
	}
}

func TestHostileRulesAreText(t *testing.T) {
	w := newWorld(t)
	hostile := `p"><script>alert(1)</script></textarea><img/src=x/onerror=alert(1)>`
	if _, err := w.clients.Create(t.Context(), broker.Client{Name: "x", Role: broker.RoleRead, Grant: broker.Grant{
		Apps: []string{hostile}, Paths: []broker.PathRule{{Path: strings.ReplaceAll(hostile, " ", ""), Params: []broker.ParamRule{{Name: hostile}}}},
	}}, w.now); err != nil {
		t.Fatal(err)
	}
	page := w.loggedIn().do("GET", "/clients/x", "", "").text()
	if strings.Contains(page, "<script>alert") || strings.Contains(page, "<img/src") || !strings.Contains(page, "&lt;script&gt;alert(1)") {
		t.Error(page)
	}
}

func TestTwoAdministratorsWhoChangeOneClient(t *testing.T) {
	w := newWorld(t)
	const address, form = "/api/v1/clients/web", "/clients/web"
	w.create(`{"name":"web","role":"read"}`)
	shown := w.administer("GET", address)
	tag := "If-Match: " + shown.Header().Get("ETag")
	b := w.loggedIn()
	fields := fieldsOf(t, b.do("GET", form, "", "").text(), form)

	if out := w.change("PATCH", address, `{"role":"generate"}`, tag); out.Code != 200 || out.Header().Get("ETag") == shown.Header().Get("ETag") {
		t.Errorf("%d %s", out.Code, out.text())
	}
	wantCode(t, w.change("PATCH", address, `{"generations_per_day":1}`, tag), "precondition_failed")
	wantCode(t, w.change("PATCH", address, `{"generations_per_day":1}`, `If-Match: *`), "")

	fields.Set("generations_per_day", "5")
	out := b.post(form, fields)
	if out.Code != 412 || !strings.Contains(out.text(), "Somebody else has changed web meanwhile") {
		t.Errorf("%d %s", out.Code, out.text())
	}
	if got, _ := w.clients.ByName("web"); got.Role != broker.RoleGenerate || got.Grant.GenerationsPerDay != 1 {
		t.Errorf("the change of another is lost: %+v", got)
	}
	again := fieldsOf(t, out.text(), form)
	if again.Get("generations_per_day") != "5" {
		t.Errorf("what was typed is lost: %v", again)
	}
	if out := b.post(form, again); out.Code != 303 {
		t.Errorf("who has seen it cannot save: %d %s", out.Code, out.text())
	}
}
