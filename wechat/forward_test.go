package wechat_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/wechat"
)

// outgoing makes a request as the front hands it over. A body of strings.Reader can be sent again.
func outgoing(t *testing.T, method, address string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, body)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// forward gives the body of what comes back, and its type.
func forward(t *testing.T, client *wechat.Client, req *http.Request) (body, kind string, err error) {
	t.Helper()
	resp, err := client.Forward(shop, req)
	if err != nil {
		return "", "", err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return string(raw), resp.Header.Get("Content-Type"), nil
}

func TestForwardSends(t *testing.T) {
	for name, test := range map[string]struct {
		app                   wechat.App
		method, address, body string
	}{
		"with_a_token":   {wechat.App{Secret: secret}, "POST", "/wxa/getwxacodeunlimit?debug=1&b=%20+", `{"scene":"a=1"}`},
		"without_query":  {wechat.App{Secret: secret}, "GET", "/cgi-bin/get_api_domain_ip", ""},
		"without_token":  {wechat.App{Token: wechat.TokenNone}, "GET", "/cgi-bin/get_api_domain_ip?a=1", ""},
		"for_from_appid": {wechat.App{Token: wechat.TokenNone, FromAppID: "wxfrom"}, "GET", "/cgi-bin/get_api_domain_ip?a=1", ""},
	} {
		var sent []string
		url := rawServer(t, func(request string) string {
			sent = append(sent, request)
			if strings.Contains(request, "stable_token") {
				return answered(`{"access_token":"TOKEN","expires_in":7200}`)
			}
			return answered(`{"errcode":0}`)
		})
		test.app.BaseURL = url
		req := outgoing(t, test.method, test.address, strings.NewReader(test.body))
		req.Header.Set("Content-Type", "application/json")
		got, _, err := forward(t, newClientOf(t, test.app, newClock().Now), req)
		if err != nil || got != `{"errcode":0}` {
			t.Fatalf("%s: answered %q, %v", name, got, err)
		}
		golden(t, "sent/forward/"+name+".http", withoutPort(sent[len(sent)-1], url))
	}
}

// fussy takes the token T2 alone, and gives T1 first.
func fussy(t *testing.T, refuse, answer string) (url string, bodies *[]string) {
	t.Helper()
	tokens, seen := 0, []string{}
	ts := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/cgi-bin/stable_token" {
			tokens++
			fmt.Fprintf(rw, `{"access_token":"T%d","expires_in":7200}`, tokens)
			return
		}
		body, _ := io.ReadAll(r.Body)
		seen = append(seen, string(body))
		if r.URL.Query().Get("access_token") != "T2" {
			fmt.Fprint(rw, refuse)
			return
		}
		fmt.Fprint(rw, answer)
	}))
	t.Cleanup(ts.Close)
	return ts.URL, &seen
}

func TestForwardWithADeadToken(t *testing.T) {
	const dead = `{"errcode":40001,"errmsg":"invalid credential"}`
	picture := "\xff\xd8\xff\xe0" + strings.Repeat("{\"errcode\":40001}", 1000)
	for claim, test := range map[string]struct {
		refuse, answer string
		body           func() io.Reader
		calls          int
		fails          bool
	}{
		"a call whose body is at hand is made again": {dead, picture, func() io.Reader { return strings.NewReader("body") }, 2, false},
		"a call without a body is made again":        {dead, `{"errcode":0}`, func() io.Reader { return nil }, 2, false},
		"an answer in odd form is understood":        {"\xEF\xBB\xBF {\"errcode\":\"42001\"}", picture, func() io.Reader { return nil }, 2, false},
		"a streamed body is not sent again": {
			dead, picture, func() io.Reader { return io.MultiReader(strings.NewReader("body")) }, 1, true,
		},
	} {
		url, bodies := fussy(t, test.refuse, test.answer)
		client := newClientOf(t, wechat.App{Secret: secret, BaseURL: url}, newClock().Now)
		got, _, err := forward(t, client, outgoing(t, http.MethodPost, "/wxa/x", test.body()))
		switch {
		case test.fails:
			if e := fails(t, err); e.Code != broker.Unavailable || e.ErrCode != 0 {
				t.Errorf("%s: got %v", claim, e)
			}
		case err != nil || got != test.answer:
			t.Errorf("%s: the answer has %d bytes instead of %d, %v", claim, len(got), len(test.answer), err)
		}
		if len(*bodies) != test.calls {
			t.Errorf("%s: %d calls, want %d", claim, len(*bodies), test.calls)
		}
	}
}

func TestForwardChangesNoAnswer(t *testing.T) {
	for claim, body := range map[string]string{
		"a picture":                     "\xff\xd8\xff\xe0" + strings.Repeat("\x00\xff", 1<<20),
		"an errcode that is the call's": `{"errcode":41030,"errmsg":"invalid page rid: 1"}`,
		"an errcode of 0":               `{"errcode":0}`,
		"no errcode":                    " {\"list\":[]}\n",
		"nothing":                       "",
		"a text":                        "hello",
		"broken JSON":                   `{"errcode":40001`,
		"a long object":                 `{"errcode":0,"list":"` + strings.Repeat("40001", 10_000) + `"}`,
		"a long object about tokens":    `{"list":"` + strings.Repeat("x", 10_000) + `","errcode":40001}`,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "image/jpeg")
			_, _ = io.WriteString(rw, body)
		}))
		client := newClient(t, server.URL, newClock().Now, wechat.TokenNone)
		got, kind, err := forward(t, client, outgoing(t, http.MethodGet, "/wxa/x", nil))
		if err != nil || got != body || kind != "image/jpeg" {
			t.Errorf("%s: %d bytes became %d, of type %s, %v", claim, len(body), len(got), kind, err)
		}
		server.Close()
	}
}

func TestForwardFails(t *testing.T) {
	for claim, test := range map[string]struct{ answer, says string }{
		"a redirect is not followed": {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/" + canaryToken + "\r\nContent-Length: 0\r\n\r\n", "HTTP status 302"},
		"a bad gateway is no answer": {"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\ncanary", "HTTP status 502"},
		"an end without an answer":   {"", "broke"},
	} {
		base := rawServer(t, withToken(func(string) string { return test.answer }))
		client := newClient(t, base, newClock().Now, wechat.TokenStable)
		_, _, err := forward(t, client, outgoing(t, http.MethodPost, "/wxa/x", strings.NewReader("{}")))
		if e := fails(t, err); e.Code != broker.Unavailable || !strings.Contains(e.Message, test.says) {
			t.Errorf("%s: got %v", claim, e)
		}
		mustNotTell(t, err)
	}
}

func TestForwardGoesToTheNextHost(t *testing.T) {
	clock := newClock()
	_, client := withFallback(t, "http://"+closedPort(t), clock.Now, wechat.TokenStable)
	for _, body := range []io.Reader{strings.NewReader("{}"), bytes.NewReader(nil)} {
		got, _, err := forward(t, client, outgoing(t, http.MethodPost, "/wxa/query_urllink", body))
		if err != nil || !strings.Contains(got, "errcode") {
			t.Errorf("answered %q, %v", got, err)
		}
	}
}

func TestCheckFindsOutWhetherTheTokenIsGood(t *testing.T) {
	clock := newClock()
	w, url := serveSandbox(t, clock.Now)
	if err := newClient(t, url, clock.Now, wechat.TokenStable).Check(t.Context(), shop); err != nil {
		t.Error(err)
	}
	_, tokens := serveTokens(t, `{"access_token":"of-nobody"}`)
	client := newClientOf(t, wechat.App{BaseURL: url, Token: wechat.TokenExternal, Source: wechat.TokenSource{URL: tokens}}, clock.Now)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if e := fails(t, client.Check(ctx, shop)); e.Code != broker.TokenRefused {
		t.Errorf("got %v", e)
	}
	if e := fails(t, client.Check(ctx, "wxnone")); e.Code != broker.UnknownApp {
		t.Errorf("got %v", e)
	}
	if n := w.Stats().Generated; n != 0 {
		t.Errorf("%d units were spent", n)
	}
}
