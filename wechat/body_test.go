package wechat_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/wechat"
)

// TestWhatGoesToWeChat pins each byte on the wire.
func TestWhatGoesToWeChat(t *testing.T) {
	tests := []struct {
		name  string
		given broker.Target
	}{
		{"home", broker.Target{}},
		{"path", broker.Target{Path: "pages/item"}},
		{"leading_slashes", broker.Target{Path: "//pages/item"}},
		{"query_sorted", broker.Target{Path: "/pages/item", Query: "?b=2&a=1&&b=1&"}},
		{"query_alphabet", broker.Target{Query: "a=!#$&b='()*+,/:;=?@-._~%20"}},
		{"env_trial", broker.Target{Path: "p", Env: broker.Trial}},
		{"days_7", broker.Target{Path: "p", Expiry: broker.Expiry{Days: 7}}},
		{"days_30_is_the_living_link", broker.Target{Path: "p", Expiry: broker.Expiry{Days: 30}}},
		{"at", broker.Target{Path: "p", Expiry: broker.Expiry{At: time.Unix(1772424000, 0)}}},
		{"cloud_base_least", broker.Target{Path: "p", CloudBase: &broker.CloudBase{Env: "e-1"}}},
		{"cloud_base_most", broker.Target{Path: "p", CloudBase: &broker.CloudBase{
			Env: "e-1", Domain: "static.example.com", Path: "/a&b", Query: "y=2&x=1", ResourceAppID: "wxowner",
			Extra: json.RawMessage(`{"newer":[1,"<&>"]}`),
		}}},
		{"extra", broker.Target{Path: "p", Extra: json.RawMessage(`{"safety_notice":true, "a":{"z":1,"b":"茶 & <milk>"}}`)}},
		{"scope_stays_here", broker.Target{Path: "p", Scope: "campaign-7"}},

		{"scheme_home", broker.Target{Kind: broker.Scheme}},
		{"scheme", broker.Target{Kind: broker.Scheme, Path: "pages/item", Query: "?b=2&a=1", Env: broker.Develop, Expiry: broker.Expiry{Days: 7}}},
		{"scheme_at", broker.Target{Kind: broker.Scheme, Path: "p", Expiry: broker.Expiry{At: time.Unix(1772424000, 0)}}},
		{"scheme_extra", broker.Target{Kind: broker.Scheme, Path: "p", Extra: json.RawMessage(`{"z":1,"jump_wxa":{"newer":"<&>","a":[1.0]}}`)}},
		{"scheme_extra_within", broker.Target{Kind: broker.Scheme, Path: "p", Extra: json.RawMessage(`{"jump_wxa":{"newer":true}}`)}},
		{"scheme_extra_beside", broker.Target{Kind: broker.Scheme, Path: "p", Extra: json.RawMessage(`{"jump_wxa":{},"newer":true}`)}},

		{"short_link", broker.Target{Kind: broker.ShortLink, Path: "/pages/item", Query: "b=2&a=1&", Title: " 茶 & milk "}},
		{"short_link_permanent", broker.Target{Kind: broker.ShortLink, Path: "p", Expiry: broker.Expiry{Never: true}}},
		{"short_link_extra", broker.Target{Kind: broker.ShortLink, Path: "p", Extra: json.RawMessage(`{"newer":{"path":1}}`)}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sent := make(chan string, 1)
			url := rawServer(t, withToken(func(request string) string {
				sent <- request
				return answered(`{"errcode":0,"errmsg":"ok","url_link":"https://wxaurl.cn/x","openlink":"weixin://dl/business/?t=x","link":"#小程序://x/x"}`)
			}))
			if _, err := newClient(t, url, newClock().Now, wechat.TokenStable).Generate(t.Context(), target(t, test.given)); err != nil {
				t.Fatal(err)
			}
			golden(t, "sent/"+test.name+".http", withoutPort(received(t, sent), url))
		})
	}
}

// TestHowWeChatIsAskedAboutLinks pins each byte on the wire.
func TestHowWeChatIsAskedAboutLinks(t *testing.T) {
	for name, ask := range map[string]func(c *wechat.Client) error{
		"query_urllink": func(c *wechat.Client) error {
			_, err := c.Inspect(t.Context(), shop, broker.URLLink, "https://wxaurl.cn/x?cq=a%3D1")
			return err
		},
		"queryscheme": func(c *wechat.Client) error {
			_, err := c.Inspect(t.Context(), shop, broker.Scheme, "weixin://dl/business/?t=x&cq=a%3D1")
			return err
		},
		"query_openings": func(c *wechat.Client) error {
			_, err := c.Openings(t.Context(), shop)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			sent := make(chan string, 1)
			url := rawServer(t, withToken(func(request string) string {
				sent <- request
				return answered(`{"errcode":0,"url_link_info":{},"scheme_info":{},"quota_info":{"remain_visit_quota":"5"}}`)
			}))
			if err := ask(newClient(t, url, newClock().Now, wechat.TokenStable)); err != nil {
				t.Fatal(err)
			}
			golden(t, "sent/"+name+".http", withoutPort(received(t, sent), url))
		})
	}
}

func TestHowATokenIsAskedFor(t *testing.T) {
	sent := make(chan string, 3)
	url := rawServer(t, func(request string) string {
		if !strings.HasPrefix(request, "POST /cgi-bin/") {
			return answered(`{"errcode":40001,"errmsg":"invalid credential"}`)
		}
		sent <- request
		return answered(`{"access_token":"` + canaryToken + `","expires_in":7200}`)
	})
	// The token is refused and then given again: so a refresh is forced.
	if _, err := newClient(t, url, newClock().Now, wechat.TokenStable).Generate(t.Context(), target(t, broker.Target{})); err == nil {
		t.Error("a token that is refused also after a forced refresh is no error")
	}
	golden(t, "sent/stable_token.http", withoutPort(received(t, sent), url))
	received(t, sent) // plainly, after the refusal
	golden(t, "sent/stable_token_forced.http", withoutPort(received(t, sent), url))
}

func TestWithoutTokenNoneIsSent(t *testing.T) {
	sent := make(chan string, 1)
	url := rawServer(t, func(request string) string {
		sent <- request
		return answered(`{"errcode":0,"url_link":"https://wxaurl.cn/x"}`)
	})
	if _, err := newClient(t, url, newClock().Now, wechat.TokenNone).Generate(t.Context(), target(t, broker.Target{})); err != nil {
		t.Fatal(err)
	}
	golden(t, "sent/token_none.http", withoutPort(received(t, sent), url))
}

// received gives the next request that a server saw before its answer came back.
func received(t *testing.T, sent <-chan string) string {
	t.Helper()
	select {
	case request := <-sent:
		return request
	default:
		t.Fatal("a request is missing")
		return ""
	}
}

func withoutPort(request, url string) string {
	return strings.ReplaceAll(request, strings.TrimPrefix(url, "http://"), "HOST")
}

func TestATargetThatIsNotNormalisedIsNotSent(t *testing.T) {
	client := newClient(t, "http://127.0.0.1:1", newClock().Now, wechat.TokenNone)
	for _, extra := range []string{`[]`, `{}`, `{"a":`} {
		_, err := client.Generate(t.Context(), broker.Target{App: shop, Extra: json.RawMessage(extra)})
		if e := fails(t, err); e.Code != broker.Internal || !e.Unspent {
			t.Errorf("extra %s: got %s (unspent %v)", extra, e.Code, e.Unspent)
		}
	}
}
