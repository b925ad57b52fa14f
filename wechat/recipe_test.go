package wechat_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"linkbroker/broker"
	"linkbroker/wechat"
	"linkbroker/wechat/sandbox"
)

// kindsOfWeChat are the kinds that WeChat makes, with a page each can have.
var kindsOfWeChat = map[broker.Kind]struct{ route, begins string }{
	broker.URLLink:   {"/wxa/generate_urllink", "https://wxaurl.cn/"},
	broker.Scheme:    {"/wxa/generatescheme", "weixin://dl/business/?t="},
	broker.ShortLink: {"/wxa/genwxashortlink", "#小程序://"},
}

func TestEachKindIsMade(t *testing.T) {
	for kind, want := range kindsOfWeChat {
		t.Run(string(kind), func(t *testing.T) {
			clock := newClock()
			w, url := serveSandbox(t, clock.Now)
			client := newClient(t, url, clock.Now, wechat.TokenStable)
			made, err := client.Generate(t.Context(), target(t, broker.Target{Kind: kind, Path: "pages/item", Query: "id=7"}))
			if err != nil || !strings.HasPrefix(made.URL, want.begins) || made.Extra != nil {
				t.Errorf("got %+v, %v", made, err)
			}
			if calls := w.Stats().Calls[want.route]; calls != 1 {
				t.Errorf("%d calls of %s", calls, want.route)
			}
		})
	}
}

func TestAKindWithoutARecipeIsNotSent(t *testing.T) {
	client := newClient(t, "http://127.0.0.1:1", newClock().Now, wechat.TokenNone)
	_, err := client.Generate(t.Context(), target(t, broker.Target{Kind: broker.PlainScheme, Path: "p"}))
	if e := fails(t, err); e.Code != broker.Internal || !e.Unspent {
		t.Errorf("got %s (unspent %v)", e.Code, e.Unspent)
	}
}

func TestErrcodesOfShortLinks(t *testing.T) {
	for errcode, want := range map[int]broker.Code{
		40066: broker.InvalidPath,
		40225: broker.InvalidArgument,
		43104: broker.AppForbidden,
		85400: broker.QuotaExhausted,
		45009: broker.QuotaExhausted,
		44990: broker.Busy,
		99999: broker.Upstream,
	} {
		clock := newClock()
		w, url := serveSandbox(t, clock.Now)
		if err := w.SetFault(sandbox.Fault{Name: "errcode", ErrCode: errcode, Route: "/wxa/genwxashortlink"}); err != nil {
			t.Fatal(err)
		}
		_, err := newClient(t, url, clock.Now, wechat.TokenStable).Generate(t.Context(), target(t, broker.Target{Kind: broker.ShortLink, Path: "p"}))
		if e := fails(t, err); e.Code != want || e.ErrCode != errcode || !e.Unspent {
			t.Errorf("%d is %s (%d, unspent %v), want %s", errcode, e.Code, e.ErrCode, e.Unspent, want)
		}
	}
}

func TestWhatIsNewInAnAnswerIsKept(t *testing.T) {
	for name, test := range map[string]struct{ answer, want string }{
		"nothing":              {`{"errcode":0,"errmsg":"ok","url_link":"https://wxaurl.cn/x"}`, ``},
		"a field":              {`{"errcode":0,"url_link":"https://wxaurl.cn/x","n":{"b":1,"a":"<é&\/>"}}`, `{"n":{"b":1,"a":"<é&\/>"}}`},
		"fields are sorted":    {`{"z":1,"url_link":"https://wxaurl.cn/x","a":[]}`, `{"a":[],"z":1}`},
		"not what shows it":    {`{"url_link":"https://wxaurl.cn/x","echo":"x ` + canaryToken + `","a":1}`, `{"a":1}`},
		"nor escaped":          {`{"url_link":"https://wxaurl.cn/x","echo":["\u0063` + canaryToken[1:] + `"]}`, ``},
		"nor as a nested name": {`{"url_link":"https://wxaurl.cn/x","echo":{"` + canaryToken + `":1}}`, ``},
	} {
		t.Run(name, func(t *testing.T) {
			url := rawServer(t, withToken(func(string) string { return answered(test.answer) }))
			made, err := newClient(t, url, newClock().Now, wechat.TokenStable).Generate(t.Context(), target(t, broker.Target{}))
			if err != nil || string(made.Extra) != test.want {
				t.Errorf("kept %s, %v; want %s", made.Extra, err, test.want)
			}
		})
	}
}

// FuzzSchemeExtra sends whatever a caller can put beside and into jump_wxa: WeChat gets one JSON object with the known
// fields in it once.
func FuzzSchemeExtra(f *testing.F) {
	for _, extra := range []string{`{}`, `{"a":1}`, `{"jump_wxa":{"a":1}}`, `{"jump_wxa":{},"b":[{}]}`, `{"jump_wxa":7}`, `{"jump_wxa":{"path":1}}`, `{"expire_type":1}`} {
		f.Add("pages/item", "a=1", extra)
	}
	f.Fuzz(func(t *testing.T, path, query, extra string) {
		normal, err := broker.Target{App: shop, Kind: broker.Scheme, Path: path, Query: query, Extra: json.RawMessage(extra)}.Normalize()
		if err != nil {
			return
		}
		_, body, err := wechat.Call(normal)
		if err != nil {
			t.Fatalf("a normalised target cannot be encoded: %v", err)
		}
		want := normal.Path
		if want != "" {
			want = "/" + want
		}
		var sent map[string]json.RawMessage // not a struct, to which names that differ in case are one
		var jump map[string]any
		if json.Unmarshal(body, &sent) != nil || json.Unmarshal(sent["jump_wxa"], &jump) != nil || jump["path"] != want || jump["query"] != normal.Query {
			t.Fatalf("sent %s for %s with %s", body, normal.PageURL(), extra)
		}
		for _, name := range []string{"jump_wxa", "path", "query", "env_version", "expire_type"} {
			if normal.Extra == nil && strings.Count(string(body), fmt.Sprintf("%q:", name)) != 1 {
				t.Fatalf("%s is there twice: %s", name, body)
			}
		}
	})
}
