package wechat_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"linkbroker/broker"
	"linkbroker/wechat"
)

// TestWhatComesBack pins what each answer of WeChat's to urllink.generate means.
func TestWhatComesBack(t *testing.T) {
	const rid = "6571e6b5-4f4d4b0a-1a2b3c4d"
	refusal := func(errcode int, errmsg string) string {
		return fmt.Sprintf(`{"errcode":%d,"errmsg":"%s rid: %s"}`, errcode, errmsg, rid)
	}
	tests := []struct {
		name   string
		status int
		body   string
	}{
		{"ok", 200, `{"errcode":0,"errmsg":"ok","url_link":"https://wxaurl.cn/TICKET"}`},
		{"ok_slashes_escaped", 200, `{"errcode":0,"errmsg":"ok","url_link":"https:\/\/wxmpurl.cn\/TICKET"}`},
		{"ok_errcode_string", 200, `{"errcode":"0","errmsg":"ok","url_link":"https://wxaurl.cn/TICKET"}`},
		{"ok_errcode_missing", 200, `{"url_link":"https://wxaurl.cn/TICKET"}`},
		{"ok_byte_order_mark", 200, "\xEF\xBB\xBF" + `{"errcode":0,"url_link":"https://wxaurl.cn/TICKET"}` + "\r\n"},
		{"ok_unknown_fields", 200, `{"errcode":0,"errmsg":{"a":1},"url_link":"https://wxaurl.cn/TICKET","hints":[{"errcode":5}]}`},

		{"-1", 200, refusal(-1, "system error")},
		{"44990", 200, refusal(44990, "reach max api minute quota limit")},
		{"45011", 200, refusal(45011, "api minute-quota reach limit")},
		{"44993", 200, refusal(44993, "reach max api daily quota limit")},
		{"45009", 200, refusal(45009, "reach max api daily quota limit")},
		{"40165", 200, refusal(40165, "invalid weapp pagepath")},
		{"40165_string", 200, `{"errcode":"40165","errmsg":"invalid weapp pagepath, rid: ` + rid + `"}`},
		{"40212", 200, refusal(40212, "invalid query")},
		{"85401", 200, refusal(85401, "invalid expire_time")},
		{"85402", 200, refusal(85402, "invalid env_version")},
		{"85079", 200, refusal(85079, "no released version")},
		{"40002", 200, refusal(40002, "no permission")},
		{"40013", 200, refusal(40013, "invalid appid")},
		{"48001", 200, refusal(48001, "api unauthorized")},
		{"43002", 200, refusal(43002, "require POST method")},
		{"44002", 200, refusal(44002, "empty post data")},
		{"47001", 200, refusal(47001, "data format error")},
		{"40097", 200, refusal(40097, "invalid args")},
		{"unknown", 200, refusal(85999, "invalid cloud env, see https://developers.weixin.qq.com/doc?x=1 for more")},
		{"unknown_without_a_word", 200, `{"errcode":85999}`},
		{"unknown_repeats_token", 200, refusal(85999, "no access for "+canaryToken)},
		{"unknown_long_and_controls", 200, refusal(85999, `bad\u0000\u001b[31m\n`+strings.Repeat("茶", 200))},
		{"refusal_with_link", 200, `{"errcode":40165,"url_link":"https://wxaurl.cn/TICKET"}`},

		{"no_link", 200, `{"errcode":0,"errmsg":"ok"}`},
		{"empty_link", 200, `{"errcode":0,"errmsg":"ok","url_link":""}`},
		{"link_of_wrong_type", 200, `{"errcode":0,"errmsg":"ok","url_link":{"url":"https://wxaurl.cn/TICKET"}}`},
		{"errcode_of_wrong_type", 200, `{"errcode":[],"url_link":"https://wxaurl.cn/TICKET"}`},
		{"errcode_fraction", 200, `{"errcode":0.5,"url_link":"https://wxaurl.cn/TICKET"}`},
		{"empty", 200, ``},
		{"null", 200, `null`},
		{"array", 200, `[{"errcode":0}]`},
		{"html", 200, `<!DOCTYPE html><title>Sorry</title>`},
		{"truncated", 200, `{"errcode":0,"errmsg":"ok","url_link":"https://wxaurl.cn/TI`},
		{"two_values", 200, `{"errcode":40165}{"errcode":0}`},
		{"too_long", 200, `{"errcode":40165,"errmsg":"` + strings.Repeat("x", 64<<10) + `"}`},
		{"status_201", 201, `{"errcode":0,"url_link":"https://wxaurl.cn/TICKET"}`},
		{"status_429", 429, refusal(44990, "slow down")},
		{"status_502", 502, `bad gateway`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			url := rawServer(t, withToken(func(string) string {
				return strings.Replace(answered(test.body), "200 OK", fmt.Sprint(test.status, " ", http.StatusText(test.status)), 1)
			}))
			made, err := newClient(t, url, newClock().Now, wechat.TokenStable).Generate(t.Context(), target(t, broker.Target{}))
			golden(t, "answered/"+test.name+".txt", transcript(t, test.status, test.body, made, err))
		})
	}
}

// transcript shows an answer and what became of it.
func transcript(t *testing.T, status int, body string, made broker.Generated, err error) string {
	t.Helper()
	if len(body) > 1024 {
		body = fmt.Sprintf("%s… %d bytes", body[:64], len(body))
	}
	shown := fmt.Sprintf("HTTP %d %q\n\n", status, body)
	if err == nil {
		return shown + "link         " + made.URL + "\n"
	}
	e := fails(t, err)
	return shown + fmt.Sprintf("code         %s\nerrcode      %d\nrid          %s\nunspent      %v\nretry after  %v\nmessage      %q\n",
		e.Code, e.ErrCode, e.RID, e.Unspent, e.RetryAfter, e.Message)
}

// TestWhatATokenCallBrings pins what each answer to the token call means.
func TestWhatATokenCallBrings(t *testing.T) {
	tests := []struct{ name, body string }{
		{"-1", `{"errcode":-1,"errmsg":"system error rid: r-1"}`},
		{"45009", `{"errcode":45009,"errmsg":"reach max api daily quota limit rid: r-1"}`},
		{"40125", `{"errcode":40125,"errmsg":"invalid appsecret rid: r-1"}`},
		{"40243", `{"errcode":40243,"errmsg":"appsecret is frozen rid: r-1"}`},
		{"40164", `{"errcode":40164,"errmsg":"invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist rid: r-1"}`},
		{"40013", `{"errcode":40013,"errmsg":"invalid appid rid: r-1"}`},
		{"47001", `{"errcode":47001,"errmsg":"data format error rid: r-1"}`},
		{"40001", `{"errcode":40001,"errmsg":"invalid credential rid: r-1"}`},
		{"unknown_repeats_secret", `{"errcode":89503,"errmsg":"` + secret + ` needs the administrator rid: r-1"}`},
		{"no_token", `{"errcode":0}`},
		{"no_life", `{"access_token":"` + canaryToken + `"}`},
		{"html", `<!DOCTYPE html>`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			url := rawServer(t, func(string) string { return answered(test.body) })
			client := newClient(t, url, newClock().Now, wechat.TokenStable)
			made, err := client.Generate(t.Context(), target(t, broker.Target{}))
			golden(t, "answered_token/"+test.name+".txt", transcript(t, 200, test.body, made, err))
			if e := fails(t, err); !e.Unspent || e.ErrCode != 0 {
				t.Errorf("unspent %v, errcode %d: no link can have been made, and the errcode is not the caller's", e.Unspent, e.ErrCode)
			}
		})
	}
}

func TestATokenIsReadInOddFormsToo(t *testing.T) {
	for _, body := range []string{
		`{"access_token":"` + canaryToken + `","expires_in":"7200","errcode":"0"}`,
		"\xEF\xBB\xBF" + `{"expires_in":7200.0,"access_token":"` + canaryToken + `","more":null,"errcode":null}`,
	} {
		url := rawServer(t, func(string) string { return answered(body) })
		clock := newClock()
		client := newClient(t, url, clock.Now, wechat.TokenStable)
		if err := client.Probe(t.Context(), shop); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		if status := client.Tokens(); len(status) != 1 || status[0].App != shop || !status[0].FetchedAt.Equal(clock.Now()) ||
			status[0].ExpiresAt.Sub(clock.Now()).Minutes() < 119 || status[0].Err != nil {
			t.Errorf("%s: got %+v", body, status)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"errcode":0,"errmsg":"ok","url_link":"https:\/\/wxaurl.cn\/TICKET"}`,
		`{"errcode":"40165","errmsg":"invalid weapp pagepath rid: 6571e6b5-4f4d4b0a-1a2b3c4d"}`,
		`{"errcode":85999,"errmsg":"see https://example.com ` + canaryToken + `\u0000"}`,
		`{"errcode":1.0,"errmsg":null,"url_link":5}`, "\xEF\xBB\xBF{}", `{"errcode":1e3}`, `{"errcode":99999999999}`, `[]`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		link, err := wechat.ParseError(body, canaryToken)
		if err == nil {
			return
		}
		if link != "" {
			t.Errorf("both a link and an error %v", err)
		}
		if text := err.Error(); len(text) > 600 || !utf8.ValidString(text) || strings.Contains(text, "://") || strings.Contains(text, canaryToken) {
			t.Errorf("an error unfit to be shown: %q", text)
		}
		e, ok := errors.AsType[*broker.Error](err)
		if !ok {
			return // not an answer of WeChat's
		}
		if !json.Valid(body) && !strings.HasPrefix(string(body), "\xEF\xBB\xBF") {
			t.Error("what is no JSON has an errcode")
		}
		if !e.Unspent || e.ErrCode == 0 {
			t.Errorf("a refusal is unspent and has its errcode: %+v", e)
		}
	})
}
