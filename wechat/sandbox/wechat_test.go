package sandbox_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"linkbroker/wechat/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noon in Shanghai, so that nothing here is near the turn of a quota day.
var noon = time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC)

// clock is a clock that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// shop is a mini program with two pages.
var shop = sandbox.App{ID: "wxshop", Secret: "s3cret", Pages: []string{"pages/index", "/pages/item"}}

// server is a fake WeChat on a real socket.
type server struct {
	t      *testing.T
	url    string
	client *http.Client
	wechat *sandbox.WeChat
	clock  *clock
}

func serve(t *testing.T, cfg sandbox.Config) *server {
	t.Helper()
	c := &clock{now: noon}
	cfg.Clock = c.Now
	if cfg.Apps == nil {
		cfg.Apps = []sandbox.App{shop}
	}
	w := sandbox.New(t.Context(), cfg)
	ts := httptest.NewServer(w)
	t.Cleanup(ts.Close)
	return &server{t: t, url: ts.URL, client: ts.Client(), wechat: w, clock: c}
}

// answer is an answer of WeChat's, or of the sandbox's own routes.
type answer struct {
	ErrCode     int    `json:"errcode"`
	ErrMsg      string `json:"errmsg"`
	AccessToken string `json:"access_token"`
	ExpiresIn   int    `json:"expires_in"`
	URLLink     string `json:"url_link"`
	Info        struct {
		AppID      string          `json:"appid"`
		Path       string          `json:"path"`
		Query      string          `json:"query"`
		CreateTime int64           `json:"create_time"`
		ExpireTime int64           `json:"expire_time"`
		EnvVersion string          `json:"env_version"`
		CloudBase  json.RawMessage `json:"cloud_base"`
	} `json:"url_link_info"`
	Quota struct {
		Remain int `json:"remain_visit_quota"`
	} `json:"quota_info"`
}

// send sends a request and gives status and body.
func (s *server) send(method, path string, body io.Reader) (int, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// call sends a request of WeChat's interface.
func (s *server) call(method, path string, body io.Reader) answer {
	s.t.Helper()
	status, text := s.send(method, path, body)
	var a answer
	if err := json.Unmarshal([]byte(text), &a); err != nil || status != http.StatusOK {
		s.t.Fatalf("%s %s: status %d, %q", method, path, status, text)
	}
	return a
}

func (s *server) token() string {
	s.t.Helper()
	return s.stableToken("").AccessToken
}

func (s *server) stableToken(more string) answer {
	s.t.Helper()
	return s.call(http.MethodPost, "/cgi-bin/stable_token",
		strings.NewReader(`{"grant_type":"client_credential","appid":"wxshop","secret":"s3cret"`+more+`}`))
}

func (s *server) legacyToken() answer {
	s.t.Helper()
	return s.call(http.MethodGet, "/cgi-bin/token?grant_type=client_credential&appid=wxshop&secret=s3cret", nil)
}

func (s *server) generate(token, body string) answer {
	s.t.Helper()
	return s.call(http.MethodPost, "/wxa/generate_urllink?access_token="+token, strings.NewReader(body))
}

func (s *server) query(token, link string) answer {
	s.t.Helper()
	return s.call(http.MethodPost, "/wxa/query_urllink?access_token="+token, strings.NewReader(`{"url_link":"`+link+`"}`))
}
