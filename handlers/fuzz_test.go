package handlers_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
	"linkbroker/handlers"
)

// FuzzFacadeBody sends anything to the facade: HTTP 200, an errcode, and the same again for the same body.
func FuzzFacadeBody(f *testing.F) {
	for _, body := range clientBodies {
		f.Add([]byte(body))
	}
	for _, body := range []string{
		``, `{}`, `{"expire_time":"1e18"}`, `{"expire_interval":-0.0}`, `{"cloud_base":{"env":"e","x":null}}`, `{"x":null,"y":{"z":[1e999]}}`,
		`{"path":"\ud800"}`, `{"path":"p","path":"q"}`, `{"cloud_base":[ ]}`, `{"is_expire":{}}`, `{"expire_type":1,"expire_interval":"7"}`,
	} {
		f.Add([]byte(body))
	}
	w := newFastWorld(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		w.t = t
		ask := func() reply { return w.ask("POST", facade, string(body), "Content-Type: text/plain") }
		first, again := ask(), ask()
		if first.Code != http.StatusOK || !strings.HasPrefix(first.text(), `{"errcode":`) {
			t.Fatalf("%d %s", first.Code, first.text())
		}
		if strings.HasPrefix(first.text(), `{"errcode":-1,`) {
			t.Fatalf("our fault: %s\n%s", first.text(), w.log)
		}
		if first.text() != again.text() {
			t.Fatalf("%s, and then %s", first.text(), again.text())
		}
		sameBothWays(t, body, func(body []byte) reply { return w.ask("POST", facade, string(body)) })
	})
}

// slowly is in front of a body that has to be read by decode: it means nothing, and is not plain.
const slowly = "\v"

// sameBothWays asks until the words are remembered, and then so that they have to be decoded: the answers are the same to
// the byte, with their headers.
func sameBothWays(t *testing.T, body []byte, ask func(body []byte) reply) {
	t.Helper()
	var remembered reply
	for range 4 {
		remembered = ask(body)
	}
	decoded := ask(append([]byte(slowly), body...))
	if remembered.Code != decoded.Code || withoutPlace(remembered) != withoutPlace(decoded) || !maps.EqualFunc(remembered.Header(), decoded.Header(), slices.Equal) {
		t.Fatalf("remembered\n%d %v %s\ndecoded\n%d %v %s",
			remembered.Code, remembered.Header(), remembered.text(), decoded.Code, decoded.Header(), decoded.text())
	}
}

// byteAt is where in a body a complaint points.
var byteAt = regexp.MustCompile(`at byte \d+`)

func withoutPlace(r reply) string { return byteAt.ReplaceAllString(r.text(), "") }

// FuzzPlainBody reads bodies in the fast way and in the strict one: what the fast way takes, both understand alike.
func FuzzPlainBody(f *testing.F) {
	for _, body := range clientBodies {
		f.Add([]byte(body))
	}
	for _, body := range []string{
		`{"path":"p","query":"a=1","expire_type":1,"expire_interval":7}`, ` { "path" : "p" , "is_expire":true } `, `{"path":null,"query":null}`,
		`{"path":"p","path":"p"}`, `{"path":"p",}`, `{"path":"p"}x`, `{"expire_time":00}`, `{"expire_time":1e3,"path":""}`, `{"query":"\u0061"}`, `{}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for name, read := range handlers.Readers() {
			fast, slow := read(body)
			if fast.Plain && (!reflect.DeepEqual(fast.Request, slow.Request) || fmt.Sprint(fast.Err) != fmt.Sprint(slow.Err)) {
				t.Errorf("%s: %+v %v\nand strictly: %+v %v", name, fast.Request, fast.Err, slow.Request, slow.Err)
			}
		}
	})
}

// FuzzNativeBody sends anything to the native interface: a link or a problem of the caller's, and the same again.
func FuzzNativeBody(f *testing.F) {
	for _, body := range []string{
		`{"path":"p"}`, `{"path":"p","query":"b=2&a=1","least_life":"36h","scope":"s","extra":{"safety_notice":1}}`, `{"path":null}`, ``, `[]`,
		`{"path":"p","cloud_base":{"env":"e"},"expire_time":1773000000.0}`, `{"path":"p","least_life":"-1h"}`, `{"path":"p","extra":{"a":{"a":1,"a":2}}}`,
		`{"path":"p","expire_type":null,"expire_interval":29,"kind":"url_link"}`, `{"path":"p","extra":[]}`, `{"path":"p","x":1}`,
	} {
		f.Add([]byte(body))
	}
	w := newFastWorld(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		w.t = t
		ask := func() reply {
			return w.ask("POST", "/api/v1/links", string(body), as(shopKey), "Content-Type: text/plain")
		}
		first, again := ask(), ask()
		if first.Code >= http.StatusInternalServerError {
			t.Fatalf("our fault: %d %s\n%s", first.Code, first.text(), w.log)
		}
		if first.Code != again.Code {
			t.Fatalf("%s, and then %s", first.text(), again.text())
		}
		if first.Code == http.StatusOK && answerOf(t, first).Key != answerOf(t, again).Key {
			t.Fatalf("one body, two keys: %s and %s", first.text(), again.text())
		}
		sameBothWays(t, body, func(body []byte) reply { return w.ask("POST", "/api/v1/links", string(body), as(shopKey)) })
	})
}

// FuzzAddress sends anything as an address.
func FuzzAddress(f *testing.F) {
	for _, address := range []string{
		"/api/v1/link?path=p&query=a%3D1", "/k/" + shopKey + "/wxa/generate_urllink?access_token=x", "/cgi-bin/token?appid=&secret=&grant_type=",
		"/api/v1/link?path=p&cloud_base=%7B%22env%22%3A%22e%22%7D&expire_time=1e12", "//wxa//generate_urllink", "/api/v1/links/a:b:c", "/%2e%2e/", "/l/%00",
	} {
		f.Add(address, true)
		f.Add(address, false)
	}
	w := newFastWorld(f)
	f.Fuzz(func(t *testing.T, address string, get bool) {
		w.t = t
		method := http.MethodPost
		if get {
			method = http.MethodGet
		}
		r, err := http.NewRequestWithContext(t.Context(), method, "http://x", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		if r.URL, err = r.URL.Parse(address); err != nil {
			return
		}
		for _, h := range []http.Handler{w.public, w.admin} {
			if out := w.serve(h, r, as(adminKey)); out.Code >= http.StatusInternalServerError {
				t.Errorf("our fault: %d %s\n%s", out.Code, out.Body, w.log)
			}
		}
	})
}

// FuzzSignedRequest puts anything behind an address without a key: nobody gets another link than the one that was signed.
func FuzzSignedRequest(f *testing.F) {
	w := newFastWorld(f)
	good := strings.TrimPrefix(w.signed("shop", shopKey, appA, "p", "a=1", w.clock().Add(time.Minute), nil), "/api/v1/link?")
	for _, query := range []string{
		good + "&path=q", good + "&x=y", strings.Replace(good, "a%3D1", "a%3D2", 1), good + "&signature=", "signature=x", "signature=%zz&until=1",
		"signature=x&until=9999999999999999999&signer=", "signature=&signer=shop", "signer=shop&until=-1&signature=" + strings.Repeat("0", 64),
	} {
		f.Add(query)
	}
	want := w.ask("GET", "/api/v1/link?"+good, "")
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/api/v1/link", nil)
		r.URL.RawQuery = query
		out := w.serve(w.public, r)
		if out.Code >= http.StatusInternalServerError || out.Code == http.StatusOK && answerOf(t, reply{out}).Key != answerOf(t, want).Key {
			t.Fatalf("%q: %d %s", query, out.Code, out.Body)
		}
	})
}

// FuzzClientBody creates and changes clients with anything: what is taken can be guarded.
func FuzzClientBody(f *testing.F) {
	for _, body := range []string{
		shopWeb, `{"name":"x","role":"read"}`, `{"role":null,"apps":[null]}`, `{"paths":[{"path":"**"}],"expires_at":"2027-01-01T00:00:00+08:00"}`,
		`{"requests_per_second":1e308}`, `{"generations_per_day":-1}`, `{"origins":["https://a"],"env_versions":["x"]}`, `{"expires_at":"0000-01-01T00:00:00Z"}`,
	} {
		f.Add([]byte(body))
	}
	w := newFastWorld(f)
	w.create(strings.Replace(shopWeb, "shop-web", "fuzzed", 1))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, out := range []reply{
			w.send(w.admin, "admin", "POST", "/api/v1/clients", string(body), []string{as(adminKey)}),
			w.send(w.admin, "admin", "PATCH", "/api/v1/clients/fuzzed", string(body), []string{as(adminKey)}),
			w.administer("GET", "/api/v1/clients"),
		} {
			if out.Code >= http.StatusInternalServerError {
				t.Fatalf("%q: %d %s\n%s", body, out.Code, out.text(), w.log)
			}
		}
		for _, client := range w.clients.List() {
			if err := client.Check(); err != nil {
				t.Fatalf("%q makes %s: %v", body, client.Name, err)
			}
		}
		for _, client := range w.clients.List() {
			if !client.Configured() && client.Name != "fuzzed" {
				w.administer("DELETE", "/api/v1/clients/"+client.Name)
			}
		}
	})
}

// FuzzAliasBody puts anything: what is taken can be sent back as it is shown, and is the same then.
func FuzzAliasBody(f *testing.F) {
	for _, body := range []string{
		`{"path":"p"}`, `{"path":"/p","query":"b&a","title":"页","tags":["b","a","a",""],"starts_at":"2026-01-01T00:00:00.123456789+08:00","visit_limit":"1e3"}`,
		`{"path":null}`, `{"path":"p","ends_at":"0000-01-01T00:00:00+08:00"}`, `{"path":"p","ends_at":"9999-12-31T23:59:59-08:00"}`, `{"path":"p","slug":"FUZZED","url":{},"state":[1]}`,
		`{"path":"p","visit_limit":18446744073709551616,"fallback_url":"https://shop.example.com"}`, `{"path":"p","cloud_base":{"env":"e","query":"a"},"extra":{"a":1.0},"env_version":"trial"}`,
		`{"path":"p","tags":null,"title":"\ud800"}`, `{"path":"p","starts_at":null,"splice":true,"disabled":true}`, `{"path":"p","title":"\u0000</script>"}`,
	} {
		f.Add([]byte(body))
	}
	w := newWorldWith(f, cache.NewMemory(), broker.App{ID: appA, FallbackHosts: []string{"shop.example.com"}})
	w.spec = nil // which would take most of the time
	f.Fuzz(func(t *testing.T, body []byte) {
		w.t = t
		taken := w.change("PUT", "/api/v1/aliases/fuzzed", string(body))
		if taken.Code >= http.StatusInternalServerError {
			t.Fatalf("our fault: %d %s\n%s", taken.Code, taken.text(), w.log)
		}
		if taken.Code >= http.StatusBadRequest {
			return
		}
		again := w.change("PUT", "/api/v1/aliases/fuzzed", taken.text(), "If-Match: "+taken.Header().Get("ETag"))
		if again.Code != http.StatusOK || again.text() != taken.text() {
			t.Fatalf("%s, and sent back %d %s", taken.text(), again.Code, again.text())
		}
		if out := w.visit("fuzzed"); out.Code >= http.StatusInternalServerError {
			t.Fatalf("a visit: %d %s", out.Code, out.text())
		}
	})
}

// FuzzVisit comes with any slug and any query: it leads to the link, with nothing behind it but cq, or nowhere.
func FuzzVisit(f *testing.F) {
	for _, seed := range [][2]string{
		{"sale", ""},
		{"sale", "cq=a%3D1"},
		{"SALE", "cq=a+b&x"},
		{"queried", "cq=%zz"},
		{"//evil.com", "cq=https://evil.com"},
		{"sale/../x", "cq=%0d%0aLocation:x"},
		{"sale\x00", "&&cq=&cq=#"},
		{"sale", "cq=%23%3F%26"},
		{"..", "?cq=1"},
		{"sale/qr.svg", "cq=a&size=64"},
	} {
		f.Add(seed[0], seed[1])
	}
	w := newVisitedWorld(f)
	w.spec = nil
	w.visit("sale")
	w.visit("queried")
	f.Fuzz(func(t *testing.T, slug, query string) {
		out := w.get("/l/"+slug, query)
		if out.Code >= http.StatusInternalServerError {
			t.Fatalf("our fault: %d %s\n%s", out.Code, out.text(), w.log)
		}
		location := out.Header().Get("Location")
		if (out.Code == http.StatusFound) != (location != "") {
			t.Fatalf("%d to %q", out.Code, location)
		}
		if location == "" {
			return
		}
		u, err := url.Parse(location)
		if err != nil || u.Scheme != "https" || u.Host != "wxaurl.cn" || u.Path != "/t1" && u.Path != "/t2" || u.Fragment != "" || strings.ContainsAny(location, "\r\n") {
			t.Fatalf("it leads to %q: %v", location, err)
		}
		if values := u.Query(); len(values) > 1 || len(values) == 1 && (len(values["cq"]) != 1 || len(values.Get("cq")) > 256) {
			t.Fatalf("it leads to %q", location)
		}
	})
}
