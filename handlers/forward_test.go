package handlers_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"linkbroker/broker"
	"linkbroker/handlers"
)

const (
	codePath    = "/wxa/getwxacodeunlimit"
	reportPath  = "/datacube/getweanalysisappidvisitpage"
	passingKey  = "passing-key-0123456789"
	passingOnly = "only-b-key-0123456789a" // of appB alone
)

// onward is WeChat's side of what is passed on.
type onward struct {
	app    string
	got    *http.Request
	body   string
	again  string // the body as it would be sent a second time
	answer func(ctx context.Context) (*http.Response, error)
}

func (o *onward) Forward(app string, req *http.Request) (*http.Response, error) {
	o.app, o.got, o.body, o.again = app, req, "", ""
	if req.GetBody != nil {
		for _, into := range []*string{&o.body, &o.again} {
			body, err := req.GetBody()
			if err != nil {
				return nil, err
			}
			raw, _ := io.ReadAll(body)
			*into = string(raw)
		}
	} else if req.Body != nil {
		raw, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, broker.Errorf(broker.Unavailable, "the connection broke")
		}
		o.body = string(raw)
	}
	return o.answer(req.Context())
}

func answering(kind, body string, header ...string) func(context.Context) (*http.Response, error) {
	return func(context.Context) (*http.Response, error) {
		h := http.Header{"Content-Type": {kind}, "Content-Length": {fmt.Sprint(len(body))}}
		for i := 0; i+1 < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return &http.Response{StatusCode: 200, Header: h, ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

// newPassingWorld is one in which two calls are passed on for appA, and one client may have it.
func newPassingWorld(t *testing.T) (*world, *onward) {
	t.Helper()
	w, o := newWorld(t), &onward{}
	o.answer = answering("application/json; charset=utf-8", `{"errcode":0,"errmsg":"ok"}`) //nolint:bodyclose // closed by who asks
	key := func(key string) []broker.ClientKey { return []broker.ClientKey{{Digest: broker.DigestKey(key)}} }
	clients := []broker.Client{
		{Name: "passing", Role: broker.RoleGenerate, Keys: key(passingKey), Grant: broker.Grant{PassThrough: true}},
		{Name: "foreign", Role: broker.RoleGenerate, Keys: key(passingOnly), Grant: broker.Grant{PassThrough: true, Apps: []string{appB}}},
		{Name: "shop", Role: broker.RoleGenerate, Keys: key(shopKey), Grant: broker.Grant{Apps: []string{appA}}},
		{Name: "admin", Role: broker.RoleAdmin, Keys: key(adminKey)},
	}
	if err := w.clients.Configure(t.Context(), clients); err != nil {
		t.Fatal(err)
	}
	w.config.Forwarding = handlers.Forwarding{
		To: o, Paths: map[string][]string{appA: {codePath, reportPath}, appB: {reportPath}}, Deadline: time.Second,
	}
	w.listen()
	w.spec = nil // has no operation for what is passed on
	return w, o
}

func TestForwardedAsItCame(t *testing.T) {
	w, o := newPassingWorld(t)
	picture := "\xff\xd8\xff\xe0\x00\x10" + strings.Repeat("\x00\xffbytes", 100_000)
	o.answer = answering("image/jpeg", picture, //nolint:bodyclose // closed by who asks
		"Content-Disposition", `attachment; filename="code.jpg"`, "Set-Cookie", "a=b", "Connection", "X-Hop", "X-Hop", "1", "Logicret", "0")
	const body = `{"scene":"a=1"} `
	out := w.ask("POST", codePath+"?appid="+appA+"&access%5Ftoken=of-mine&from_appid=wxother&from%5Fappid=wxother&b=%20+&access_token="+passingKey+"&&a=1", body,
		"Cookie: c=d", "X-Forwarded-For: 203.0.113.9", "Accept: image/jpeg", "Te: trailers", "Proxy-Authorization: x", "Authorization: Bearer "+passingKey)
	if out.Code != 200 || out.text() != picture {
		t.Fatalf("%d with %d bytes instead of %d", out.Code, len(out.text()), len(picture))
	}
	if h := out.Header(); h.Get("Content-Type") != "image/jpeg" || h.Get("Content-Length") != fmt.Sprint(len(picture)) ||
		h.Get("Content-Disposition") == "" || h.Get("Set-Cookie")+h.Get("X-Hop")+h.Get("Connection")+h.Get("Logicret") != "" ||
		h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("the headers are %v", h)
	}
	if o.app != appA || o.got.Method != "POST" || o.got.URL.Path != codePath || o.body != body || o.again != body || o.got.ContentLength != int64(len(body)) {
		t.Errorf("sent for %s: %+v with %q and then %q", o.app, o.got, o.body, o.again)
	}
	if query := o.got.URL.RawQuery; query != "appid="+appA+"&b=%20+&a=1" {
		t.Errorf("the query is %q", query)
	}
	if h := o.got.Header; len(h) != 2 || h.Get("Accept") != "image/jpeg" || h.Get("Content-Type") != "application/json" {
		t.Errorf("the headers that go on are %v", h)
	}
	if got := w.administer("GET", "/metrics").text(); !strings.Contains(got, `linkbroker_forwarded_total{app="`+appA+`",outcome="answered"} 1`) {
		t.Error("it is not counted")
	}
}

func TestWhoMayHaveWhatPassedOn(t *testing.T) {
	w, o := newPassingWorld(t)
	prefixed := func(key, path string) string { return "/k/" + key + path }
	tokenOf := func(key, app string) string {
		client, digest, _ := w.clients.ByKey(key, w.clock())
		return w.tokens.Sign(*client, digest, app, w.clock())
	}
	for claim, test := range map[string]struct {
		address string
		errcode int
		says    string
	}{
		"a client that may, under the prefix":          {prefixed(passingKey, codePath) + "?appid=" + appA, 0, ""},
		"with a broker token, which names the app":     {codePath + "?access_token=" + tokenOf(passingKey, appA), 0, ""},
		"a call of another family":                     {reportPath + "?access_token=" + tokenOf(passingKey, appB), 0, ""},
		"without an app nobody knows which":            {prefixed(passingKey, codePath), 40013, "which mini program"},
		"a call that is on another app's list alone":   {prefixed(passingOnly, codePath), 48001, "pass_through"},
		"a call that is on no list":                    {prefixed(passingKey, "/wxa/getwxacode"), 48001, "pass_through"},
		"a call of another family that is on no list":  {"/tcb/invokecloudfunction?access_token=" + passingKey, 48001, "pass_through"},
		"a client that may not":                        {prefixed(shopKey, codePath), 48001, "pass_through: true"},
		"an administrator without the grant":           {prefixed(adminKey, codePath) + "?appid=" + appA, 48001, "pass_through: true"},
		"nobody":                                       {reportPath, 41001, "API key is needed"},
		"a wrong key":                                  {prefixed(wrongKey, reportPath), 40001, "not valid"},
		"a parameter that cannot be read":              {prefixed(passingKey, codePath) + "?appid=" + appA + "&%zz=1", 47001, "percent-encoded"},
		"another spelling of a call that is on a list": {prefixed(passingKey, "/wxa/GetWxaCodeUnlimit"), 48001, "pass_through"},
	} {
		o.got = nil
		out := w.ask("POST", test.address, `{}`)
		wantErrCode(t, out, test.errcode)
		if !strings.Contains(out.text(), test.says) || (o.got != nil) != (test.errcode == 0) {
			t.Errorf("%s: %s (passed on: %v)", claim, out.text(), o.got != nil)
		}
	}
	wantErrCode(t, w.ask("DELETE", prefixed(passingKey, codePath), ""), 43002)
}

func TestWhatIsPassedOnIsBounded(t *testing.T) {
	w, o := newPassingWorld(t)
	server := httptest.NewServer(w.public)
	t.Cleanup(server.Close)
	// unsized hides a body's length, so that it comes in chunks.
	unsized := func(n int) io.Reader { return io.MultiReader(strings.NewReader(strings.Repeat("x", n))) }
	for claim, test := range map[string]struct {
		body    io.Reader
		errcode int
		repeats bool // it can be sent again
	}{
		"a small body is held":                       {strings.NewReader(strings.Repeat("x", 256<<10)), 0, true},
		"a small body in chunks gets a length":       {unsized(256 << 10), 0, true},
		"a larger body is streamed":                  {strings.NewReader(strings.Repeat("x", 2<<20)), 0, false},
		"a larger body in chunks is refused":         {unsized(256<<10 + 1), 47001, false},
		"a body above the bound is refused":          {strings.NewReader(strings.Repeat("x", 2<<20+1)), 47001, false},
		"no body is none, for WeChat to complain of": {http.NoBody, 0, false},
	} {
		o.got = nil
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/k/"+passingOnly+reportPath, test.body)
		if err != nil {
			t.Fatal(err)
		}
		got, err := sendForwarded(req)
		if err != nil || !strings.HasPrefix(got, fmt.Sprintf(`{"errcode":%d`, test.errcode)) {
			t.Errorf("%s: %s, %v", claim, got, err)
			continue
		}
		if test.errcode == 0 && (o.got.ContentLength != int64(len(o.body)) || test.repeats != (o.again != "")) {
			t.Errorf("%s: length %d of %d bytes, again %d", claim, o.got.ContentLength, len(o.body), len(o.again))
		}
	}
}

func sendForwarded(req *http.Request) (string, error) {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	return string(raw), err
}

func TestAnAnswerWithoutEndIsCutOff(t *testing.T) {
	w, o := newPassingWorld(t)
	server := httptest.NewServer(w.public)
	t.Cleanup(server.Close)
	req := func() *http.Request {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/k/"+passingOnly+reportPath, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	body := bytes.Repeat([]byte("x"), 20<<20+1)
	for claim, length := range map[string]int64{"whose length is known": int64(len(body)), "whose length is not": -1} {
		o.answer = func(context.Context) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, ContentLength: length, Body: io.NopCloser(bytes.NewReader(body))}, nil
		}
		got, err := sendForwarded(req())
		switch {
		case length > 0 && (err != nil || !strings.HasPrefix(got, `{"errcode":-1`)):
			t.Errorf("an answer %s: %.100s, %v", claim, got, err)
		case length < 0 && err == nil:
			t.Errorf("an answer %s came whole, with %d bytes", claim, len(got))
		}
	}
	o.answer = func(context.Context) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, ContentLength: -1, Body: io.NopCloser(io.MultiReader(strings.NewReader("half"), broken{}))}, nil
	}
	if got, err := sendForwarded(req()); err == nil {
		t.Errorf("half an answer looks like a whole one: %q", got)
	}
	if got := w.administer("GET", "/metrics").text(); !strings.Contains(got, `outcome="broken"} 2`) || !strings.Contains(got, `outcome="failed"} 1`) {
		t.Error("what broke off is not counted")
	}
}

// broken is a body whose connection is gone.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

func TestWeChatHasToAnswerWithinTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, o := newPassingWorld(t)
		o.answer = func(ctx context.Context) (*http.Response, error) {
			<-ctx.Done()
			return nil, broker.Errorf(broker.Unavailable, "WeChat did not answer in time: %w", context.Cause(ctx))
		}
		began := time.Now()
		wantErrCode(t, w.ask("POST", "/k/"+passingOnly+reportPath, `{}`), -1)
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestUpstreamTokenErrorsReachNobody(t *testing.T) {
	w, o := newPassingWorld(t)
	for _, code := range []broker.Code{broker.Unavailable, broker.TokenRefused} {
		o.answer = func(context.Context) (*http.Response, error) {
			return nil, broker.Errorf(code, "WeChat does not take the access token that it gave")
		}
		wantErrCode(t, w.ask("POST", "/k/"+passingOnly+reportPath, `{}`), -1)
	}
}

func TestCheckForwarded(t *testing.T) {
	for _, path := range []string{"/wxa/getwxacodeunlimit", "/datacube/getweanalysisappidvisitpage", "/wxa/business/getuserphonenumber", "/cgi-bin/message/custom/send"} {
		if err := handlers.CheckForwarded(path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, path := range []string{
		"", "/", "wxa/x", "/wxa", "/wxa/", "//wxa/x", "/wxa//x", "/wxa/./x", "/wxa/../x", "/wxa/x?y", "/wxa/x*", "/wxa/%67enerate_urllink", "/wxa/x y",
		"/wxa/generate_urllink/.", "/cgi-bin/./token", "/wxa/.x", "/wxa/generate_urllink", "/WXA/GENERATE_URLLINK", "/wxa/generatescheme", "/wxa/generatenfcscheme", "/wxa/genwxashortlink",
		"/cgi-bin/token", "/cgi-bin/stable_token", "/cgi-bin/component/api_authorizer_token",
		"/sns/jscode2session", "/SNS/userinfo",
		"/api/v1/links", "/k/key/wxa/x", "/l/slug", "/openapi/urllink.generate",
	} {
		if handlers.CheckForwarded(path) == nil {
			t.Errorf("%q is taken", path)
		}
	}
}

func FuzzWithoutCredential(f *testing.F) {
	for _, query := range []string{"access_token=a&b=1", "b=%20+&&cloudbase_access_token", "access%5ftoken=x&c", "%zz=1", ""} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		rest, err := handlers.WithoutCredential(query)
		if err != nil {
			return
		}
		values, _ := url.ParseQuery(rest) // what it cannot read it leaves out
		if values.Has("access_token") || values.Has("cloudbase_access_token") || values.Has("from_appid") {
			t.Errorf("%q becomes %q", query, rest)
		}
		if again, err := handlers.WithoutCredential(rest); err != nil || again != rest {
			t.Errorf("%q becomes %q and then %q, %v", query, rest, again, err)
		}
	})
}
