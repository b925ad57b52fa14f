package sandbox_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"linkbroker/wechat/sandbox"
)

func TestGenerateRefuses(t *testing.T) {
	soon := noon.Add(time.Minute).Unix()
	tests := []struct {
		claim, body string
		errcode     int
	}{
		{"a page that is not published", `{"path":"pages/none"}`, 40165},
		{"a query in the path", `{"path":"pages/index?a=1"}`, 40165},
		{"a query with a space", `{"query":"a=b c"}`, 40212},
		{"a query with a letter outside ASCII", `{"query":"a=茶"}`, 40212},
		{"a query of 1025 characters", `{"query":"` + strings.Repeat("a", 1025) + `"}`, 40212},
		{"an unknown env_version", `{"env_version":"beta"}`, 85402},
		{"a time no more than a minute away", fmt.Sprintf(`{"expire_type":0,"expire_time":%d}`, soon), 85401},
		{"a time in the past", `{"expire_type":0,"expire_time":1}`, 85401},
		{"type 1 without an interval", `{"expire_type":1}`, 85401},
		{"an interval of 31 days", `{"expire_type":1,"expire_interval":31}`, 85401},
		{"type 2", `{"expire_type":2}`, 85401},
		{"cloud_base without an environment", `{"cloud_base":{}}`, 40097},
		{"a cloud_base query outside the alphabet", `{"cloud_base":{"env":"e","query":"<"}}`, 40212},
		{"a path that is a number", `{"path":5}`, 40097},
		{"an array", `[]`, 47001},
		{"what is no JSON", `{"path":`, 47001},
	}
	s := serve(t, sandbox.Config{})
	token := s.token()
	for _, test := range tests {
		t.Run(test.claim+" is refused", func(t *testing.T) {
			got := s.generate(token, test.body)
			if got.ErrCode != test.errcode || got.URLLink != "" {
				t.Errorf("got %+v, want errcode %d", got, test.errcode)
			}
			if !regexp.MustCompile(` rid: [0-9A-Za-z-]{8,}$`).MatchString(got.ErrMsg) {
				t.Errorf("errmsg %q does not end in a request id", got.ErrMsg)
			}
		})
	}
	if made := s.wechat.Stats(); made.Generated != 0 || made.UsedToday["wxshop"] != 0 {
		t.Errorf("refused calls made %d links", made.Generated)
	}
}

func TestGenerateAccepts(t *testing.T) {
	at := noon.Add(2 * time.Hour)
	const day = 24 * time.Hour
	tests := []struct {
		claim, body string
		ends        time.Time
	}{
		{"nothing asked lives 30 days", `{}`, noon.Add(30 * day)},
		{"a published page without a leading slash is found", `{"path":"pages/item"}`, noon.Add(30 * day)},
		{"a published page with a leading slash is found", `{"path":"/pages/index"}`, noon.Add(30 * day)},
		{"the whole alphabet and 1024 characters pass", `{"query":"` + pad("0aZ!#$&'()*+,/:;=?@-._~%") + `"}`, noon.Add(30 * day)},
		{"seven days", `{"expire_type":1,"expire_interval":7}`, noon.Add(7 * day)},
		{"a moment", fmt.Sprintf(`{"expire_type":0,"expire_time":%d}`, at.Unix()), at},
		{"a moment beyond 30 days silently gets 30", fmt.Sprintf(`{"expire_time":%d}`, noon.Add(31*day).Unix()), noon.Add(30 * day)},
		{"milliseconds silently get 30 days", fmt.Sprintf(`{"expire_time":%d}`, at.UnixMilli()), noon.Add(30 * day)},
		{"null is nothing", `{"path":null,"query":null,"env_version":null,"cloud_base":null,"expire_time":null}`, noon.Add(30 * day)},
		{"unknown fields are passed over", `{"safety_notice":true}`, noon.Add(30 * day)},
	}
	s := serve(t, sandbox.Config{})
	token := s.token()
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			made := s.generate(token, test.body)
			if made.ErrCode != 0 || !strings.HasPrefix(made.URLLink, "https://wxaurl.cn/") {
				t.Fatalf("got %+v", made)
			}
			info := s.query(token, made.URLLink).Info
			if info.CreateTime != noon.Unix() || info.ExpireTime != test.ends.Unix() {
				t.Errorf("lives from %d to %d, want %d to %d", info.CreateTime, info.ExpireTime, noon.Unix(), test.ends.Unix())
			}
		})
	}
}

func pad(s string) string { return s + strings.Repeat("x", 1024-len(s)) }

func TestEachGenerationIsALinkOfItsOwn(t *testing.T) {
	s := serve(t, sandbox.Config{})
	token := s.token()
	if a, b := s.generate(token, `{}`), s.generate(token, `{}`); a.URLLink == b.URLLink {
		t.Error("the same link was made twice")
	}
}

func TestQueryTellsWhatALinkIs(t *testing.T) {
	s := serve(t, sandbox.Config{Apps: []sandbox.App{shop, {ID: "wxother", Secret: "x"}}})
	token := s.token()
	made := s.generate(token, `{"path":"/pages/item","query":"id=7","env_version":"trial","cloud_base":{"env":"e-1"}}`)

	info := s.query(token, made.URLLink).Info
	if info.AppID != "wxshop" || info.Path != "pages/item" || info.Query != "id=7" || info.EnvVersion != "trial" || string(info.CloudBase) != `{"env":"e-1"}` {
		t.Errorf("got %+v", info)
	}
	if got := s.query(token, "https://wxaurl.cn/none"); got.ErrCode != 85403 {
		t.Errorf("an unknown link gives %d, want 85403", got.ErrCode)
	}
	if got := s.query(token, ""); got.ErrCode != 40097 {
		t.Errorf("no link gives %d, want 40097", got.ErrCode)
	}
	other := s.call(http.MethodPost, "/cgi-bin/stable_token",
		strings.NewReader(`{"grant_type":"client_credential","appid":"wxother","secret":"x"}`)).AccessToken
	if got := s.query(other, made.URLLink); got.ErrCode != 85403 {
		t.Errorf("another app's link gives %d, want 85403", got.ErrCode)
	}

	ticket := strings.TrimPrefix(made.URLLink, "https://wxaurl.cn/")
	if status, page := s.send(http.MethodGet, "/t/"+ticket, nil); status != http.StatusOK || !strings.Contains(page, "pages/item") {
		t.Errorf("the page of the link: status %d, %s", status, page)
	}
	visits := s.call(http.MethodPost, "/wxa/query_urllink?access_token="+token,
		strings.NewReader(`{"url_link":"`+made.URLLink+`","query_type":1}`))
	if visits.Quota.Remain != 5_999_999 {
		t.Errorf("%d visits are left after one", visits.Quota.Remain)
	}
}

func TestQuotaDayEndsAtMidnightInShanghai(t *testing.T) {
	small := shop
	small.DailyQuota = 2
	s := serve(t, sandbox.Config{Apps: []sandbox.App{small}, TokenLife: 48 * time.Hour})
	token := s.token()
	s.generate(token, `{}`)
	s.generate(token, `{"path":"pages/none"}`) // refused, so not counted
	s.generate(token, `{}`)
	s.clock.pass(12*time.Hour - time.Second)
	if got := s.generate(token, `{}`); got.ErrCode != 44993 {
		t.Errorf("a second before midnight: %+v, want 44993", got)
	}
	s.clock.pass(time.Second)
	if got := s.generate(token, `{}`); got.ErrCode != 0 {
		t.Errorf("at midnight: %+v", got)
	}
}

func TestCallsAboveTheRateAreRefused(t *testing.T) {
	slow := shop
	slow.Rate = 2
	s := serve(t, sandbox.Config{Apps: []sandbox.App{slow}})
	token := s.token()
	for i, want := range []int{0, 0, 44990} {
		if got := s.generate(token, `{}`); got.ErrCode != want {
			t.Errorf("call %d in one second: %d, want %d", i+1, got.ErrCode, want)
		}
	}
	s.clock.pass(time.Second)
	if got := s.generate(token, `{}`); got.ErrCode != 0 {
		t.Errorf("in the next second: %d", got.ErrCode)
	}
}

func TestOuterRules(t *testing.T) {
	s := serve(t, sandbox.Config{})
	token := s.token()
	route := "/wxa/generate_urllink?access_token=" + token
	if got := s.call(http.MethodGet, route, nil); got.ErrCode != 43002 {
		t.Errorf("GET: %d, want 43002", got.ErrCode)
	}
	if got := s.call(http.MethodPost, route, nil); got.ErrCode != 44002 {
		t.Errorf("no body: %d, want 44002", got.ErrCode)
	}
	chunked := struct{ *strings.Reader }{strings.NewReader(`{}`)} // net/http does not know its length
	if got := s.call(http.MethodPost, route, chunked); got.ErrCode != 44002 {
		t.Errorf("a body without Content-Length: %d, want 44002", got.ErrCode)
	}
	if got := s.call(http.MethodPost, "/cgi-bin/token", nil); got.ErrCode != 43001 {
		t.Errorf("POST of the old token call: %d, want 43001", got.ErrCode)
	}
}
