package sandbox_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"linkbroker/wechat/sandbox"
)

const (
	schemeCall    = "/wxa/generatescheme"
	shortLinkCall = "/wxa/genwxashortlink"
)

// made is an answer with whatever link it has.
type made struct {
	ErrCode  int    `json:"errcode"`
	URLLink  string `json:"url_link"`
	OpenLink string `json:"openlink"`
	Link     string `json:"link"`
	Info     struct {
		Path       string `json:"path"`
		Query      string `json:"query"`
		ExpireTime int64  `json:"expire_time"`
	} `json:"scheme_info"`
}

func (s *server) post(route, token, body string) made {
	s.t.Helper()
	status, text := s.send(http.MethodPost, route+"?access_token="+token, strings.NewReader(body))
	var m made
	if err := json.Unmarshal([]byte(text), &m); err != nil || status != http.StatusOK {
		s.t.Fatalf("%s: status %d, %q", route, status, text)
	}
	return m
}

func TestSchemes(t *testing.T) {
	s := serve(t, sandbox.Config{})
	token := s.token()
	for claim, test := range map[string]struct {
		body    string
		errcode int
	}{
		"the home page":                         {`{}`, 0},
		"a page with a query for a week":        {`{"jump_wxa":{"path":"/pages/item","query":"a=1"},"expire_type":1,"expire_interval":7}`, 0},
		"the query of a page in the path":       {`{"jump_wxa":{"path":"pages/item?a=1"}}`, 40165},
		"a page that is not published":          {`{"jump_wxa":{"path":"pages/none"}}`, 40165},
		"a path where URL Links have theirs":    {`{"path":"pages/none"}`, 0}, // WeChat does not know it there
		"a query outside the alphabet":          {`{"jump_wxa":{"query":"a=茶"}}`, 40212},
		"an unknown version":                    {`{"jump_wxa":{"env_version":"beta"}}`, 85402},
		"a time that is over":                   {`{"expire_type":0,"expire_time":1}`, 85401},
		"a jump_wxa that is no object":          {`{"jump_wxa":"pages/item"}`, 40097},
		"a time 31 days away, which is cut":     {fmt.Sprintf(`{"expire_time":%d}`, noon.AddDate(0, 0, 31).Unix()), 0},
		"31 days, which are refused":            {`{"expire_type":1,"expire_interval":31}`, 85401},
		"fields that nobody knows, unlooked at": {`{"jump_wxa":{"newer":1},"newer":2}`, 0},
	} {
		got := s.post(schemeCall, token, test.body)
		if got.ErrCode != test.errcode || (got.ErrCode == 0) != strings.HasPrefix(got.OpenLink, "weixin://dl/business/?t=") {
			t.Errorf("%s: got %+v, want errcode %d", claim, got, test.errcode)
		}
	}
}

func TestShortLinks(t *testing.T) {
	s := serve(t, sandbox.Config{})
	token := s.token()
	for claim, test := range map[string]struct {
		body    string
		errcode int
	}{
		"a page":                       {`{"page_url":"/pages/item"}`, 0},
		"a page with a query":          {`{"page_url":"pages/item?a=1","page_title":"` + strings.Repeat("茶", 20) + `"}`, 0},
		"no page":                      {`{}`, 40066},
		"a page that is not published": {`{"page_url":"pages/none"}`, 40066},
		"a query outside the alphabet": {`{"page_url":"pages/item?a=茶"}`, 40066},
		"1,025 characters":             {`{"page_url":"pages/item?` + strings.Repeat("a", 1014) + `"}`, 40066},
		"a title of 21 characters":     {`{"page_url":"pages/item","page_title":"` + strings.Repeat("茶", 21) + `"}`, 40225},
		"a text for is_permanent":      {`{"page_url":"pages/item","is_permanent":"yes"}`, 40097},
	} {
		got := s.post(shortLinkCall, token, test.body)
		if got.ErrCode != test.errcode || (got.ErrCode == 0) != strings.HasPrefix(got.Link, "#小程序://") {
			t.Errorf("%s: got %+v, want errcode %d", claim, got, test.errcode)
		}
	}
}

func TestQuotasOfTheKinds(t *testing.T) {
	small := shop
	small.DailyQuota, small.ShortLinkQuota, small.PermanentShortLinks = 4, 3, 2
	state := &blobs{values: map[string][]byte{}}
	begin := func() (*server, string) {
		s := serve(t, sandbox.Config{Apps: []sandbox.App{small}, State: state, TokenLife: 1000 * time.Hour})
		return s, s.token()
	}
	short := func(s *server, token string, permanent bool) int {
		return s.post(shortLinkCall, token, fmt.Sprintf(`{"page_url":"pages/item","is_permanent":%v}`, permanent)).ErrCode
	}
	s, token := begin()
	for i, want := range []int{0, 0, 0, 0, 44993, 44993} { // in turns
		route := []string{"/wxa/generate_urllink", schemeCall}[i%2]
		if got := s.post(route, token, `{}`).ErrCode; got != want {
			t.Errorf("URL Link or scheme %d gives %d, want %d", i+1, got, want)
		}
	}
	for i, want := range []struct {
		permanent bool
		errcode   int
	}{{true, 0}, {true, 0}, {true, 85400}, {false, 0}, {false, 45009}} {
		if got := short(s, token, want.permanent); got != want.errcode {
			t.Errorf("short link %d (permanent %v) gives %d, want %d", i+1, want.permanent, got, want.errcode)
		}
	}
	s, token = begin() // a restart
	if got := short(s, token, false); got != 45009 {
		t.Errorf("after a restart %d, want 45009", got)
	}
	if got := s.post(schemeCall, token, `{}`).ErrCode; got != 44993 {
		t.Errorf("after a restart %d, want 44993", got)
	}
	s.clock.pass(24 * time.Hour)
	if got := short(s, token, false); got != 0 {
		t.Errorf("the next day %d", got)
	}
	if got := short(s, token, true); got != 85400 {
		t.Errorf("permanent links are back the next day: %d", got)
	}
}

func TestQueriesAboutSchemesAndSplicedLinks(t *testing.T) {
	s := serve(t, sandbox.Config{})
	token := s.token()
	scheme := s.post(schemeCall, token, `{"jump_wxa":{"path":"pages/item","query":"a=1"}}`).OpenLink
	bare := s.post(schemeCall, token, `{}`).OpenLink
	link := s.generate(token, `{}`).URLLink
	ask := func(scheme string) made {
		body, _ := json.Marshal(map[string]string{"scheme": scheme})
		return s.post("/wxa/queryscheme", token, string(body))
	}
	if got := ask(scheme); got.Info.Path != "pages/item" || got.Info.Query != "a=1" || got.Info.ExpireTime != noon.AddDate(0, 0, 30).Unix() {
		t.Errorf("got %+v", got)
	}
	if got := ask(bare + "&cq=b%3D2"); got.Info.Query != "b=2" {
		t.Errorf("what is joined is not read: %+v", got)
	}
	for claim, scheme := range map[string]string{
		"a URL Link": link, "an unknown one": scheme + "x", "what is no scheme": "weixin://dl/pay/?t=1",
	} {
		if got := ask(scheme); got.ErrCode != 85403 {
			t.Errorf("%s as scheme gives %d, want 85403", claim, got.ErrCode)
		}
	}
	if got := ask(bare + "&cq=" + strings.Repeat("a", 257)); got.ErrCode != 40097 {
		t.Errorf("a long query joined gives %d", got.ErrCode)
	}
	if got := s.query(token, link+"?cq=c%3D3"); got.Info.Query != "c=3" {
		t.Errorf("of a URL Link: %+v", got)
	}
	if got := s.query(token, scheme); got.ErrCode != 85403 {
		t.Errorf("a scheme as URL Link gives %d", got.ErrCode)
	}
}

func TestFaultsOfTheKinds(t *testing.T) {
	s := serve(t, sandbox.Config{})
	token := s.token()
	scheme := s.post(schemeCall, token, `{}`).OpenLink
	for _, f := range []sandbox.Fault{
		{Name: "lost", Route: "/wxa/queryscheme", Times: 1},
		{Name: "ended", Route: "/wxa/queryscheme", Times: 1},
		{Name: "shops_only", Route: shortLinkCall, Times: 1},
		{Name: "permanent", Route: shortLinkCall, Times: 1},
		{Name: "foreign_host", Route: "*", Times: 1},
		{Name: "new_field", Route: schemeCall, Times: 1},
	} {
		if err := s.wechat.SetFault(f); err != nil {
			t.Fatal(err)
		}
	}
	ask := func() made { return s.post("/wxa/queryscheme", token, `{"scheme":"`+scheme+`"}`) }
	if got := ask(); got.ErrCode != 85403 {
		t.Errorf("lost: %+v", got)
	}
	if got := ask(); got.Info.ExpireTime != noon.Add(time.Hour).Unix() {
		t.Errorf("ended: %+v", got)
	}
	for _, want := range []int{43104, 85400} {
		if got := s.post(shortLinkCall, token, `{"page_url":"pages/item"}`); got.ErrCode != want {
			t.Errorf("got %+v, want %d", got, want)
		}
	}
	if got := s.post(schemeCall, token, `{}`); got.OpenLink == "" || strings.HasPrefix(got.OpenLink, "weixin://dl/business/") {
		t.Errorf("foreign: %+v", got)
	}
	if _, text := s.send(http.MethodPost, schemeCall+"?access_token="+token, strings.NewReader(`{}`)); !strings.Contains(text, `"notice":`) {
		t.Errorf("new field: %s", text)
	}
}
