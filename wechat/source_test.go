package wechat_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/wechat"
)

// fickle is a WeChat whose token is replaced after each few links, by somebody who then publishes the new one. As
// WeChat does it takes the one before for a while: until the next.
type fickle struct {
	every   int
	param   string
	publish func(token string)

	mu      sync.Mutex
	number  int // of the present token
	made    int
	refused int
}

func (f *fickle) token(number int) string { return fmt.Sprintf("canary-token-%d", number) }

func (f *fickle) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if shown := r.URL.Query().Get(f.param); shown != f.token(f.number) && shown != f.token(f.number-1) {
		f.refused++
		fmt.Fprint(rw, `{"errcode":42001,"errmsg":"access_token expired"}`)
		return
	}
	if f.made++; f.made%f.every == 0 {
		f.number++
		f.publish(f.token(f.number))
	}
	fmt.Fprint(rw, `{"errcode":0,"url_link":"https://wxaurl.cn/x"}`)
}

// tokenServer is an operator's own.
type tokenServer struct {
	answer atomic.Value // string
	asked  atomic.Int64
	header atomic.Value // http.Header of the last call
}

func serveTokens(t *testing.T, answer string) (*tokenServer, string) {
	t.Helper()
	s := &tokenServer{}
	s.answer.Store(answer)
	ts := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		s.header.Store(r.Header.Clone())
		fmt.Fprint(rw, s.answer.Load())
	}))
	t.Cleanup(ts.Close)
	return s, ts.URL
}

// putFile puts a token in the place of another, as whoever writes it should.
func putFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
		t.Error(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Error(err)
	}
}

func TestATokenThatChangesUnderLoadReachesNoCaller(t *testing.T) {
	const callers, rounds = 200, 5
	for claim, source := range map[string]func(t *testing.T, app *wechat.App) (publish func(string)){
		"a token server": func(t *testing.T, app *wechat.App) func(string) {
			t.Helper()
			s, url := serveTokens(t, `{"data":{"token":"canary-token-0"}}`)
			app.Token, app.Source = wechat.TokenExternal, wechat.TokenSource{URL: url, Field: "data.token"}
			return func(token string) { s.answer.Store(`{"data":{"token":"` + token + `"}}`) }
		},
		"a token's file": func(t *testing.T, app *wechat.App) func(string) {
			t.Helper()
			app.Token, app.Source.File = wechat.TokenExternal, filepath.Join(t.TempDir(), "token")
			putFile(t, app.Source.File, "canary-token-0\n")
			return func(token string) { putFile(t, app.Source.File, token) }
		},
		"cloud hosting's file": func(t *testing.T, app *wechat.App) func(string) {
			t.Helper()
			app.Token, app.Source.File = wechat.TokenCloudbase, filepath.Join(t.TempDir(), "token")
			putFile(t, app.Source.File, "canary-token-0")
			return func(token string) { putFile(t, app.Source.File, token) }
		},
	} {
		t.Run(claim, func(t *testing.T) {
			app := wechat.App{}
			w := &fickle{every: 25, param: "access_token", publish: source(t, &app)}
			if app.Token == wechat.TokenCloudbase {
				w.param = "cloudbase_access_token"
			}
			server := httptest.NewServer(w)
			t.Cleanup(server.Close)
			app.BaseURL = server.URL
			client := newClientOf(t, app, newClock().Now)
			for range rounds {
				for _, err := range generateMany(t, client, callers) {
					if err != nil {
						t.Fatalf("a caller saw %v", err)
					}
				}
			}
			if w.number != callers*rounds/w.every || w.made != callers*rounds || w.refused == 0 {
				t.Errorf("%d links with %d tokens, %d times refused", w.made, w.number, w.refused)
			}
		})
	}
}

func TestATokenThatIsGivenAgainThoughRefusedIsSaidPlainly(t *testing.T) {
	refusing := rawServer(t, func(string) string { return answered(`{"errcode":40001,"errmsg":"invalid credential"}`) })
	tokens, url := serveTokens(t, `{"access_token":"canary-token"}`)
	file := filepath.Join(t.TempDir(), "token")
	putFile(t, file, "canary-token")
	for says, source := range map[string]wechat.TokenSource{"the token server": {URL: url}, "the token's file": {File: file}} {
		clock := newClock()
		client := newClientOf(t, wechat.App{BaseURL: refusing, Token: wechat.TokenExternal, Source: source}, clock.Now)
		for range 100 { // in ten seconds
			_, err := client.Generate(t.Context(), target(t, broker.Target{}))
			if e := fails(t, err); e.Code != broker.TokenRefused || e.ErrCode != 0 || !e.Unspent || !strings.Contains(e.Message, says) {
				t.Fatalf("got %s, errcode %d (unspent %v): %v", e.Code, e.ErrCode, e.Unspent, e)
			}
			mustNotTell(t, err)
			clock.pass(100 * time.Millisecond)
		}
	}
	if asked := tokens.asked.Load(); asked > 6 {
		t.Errorf("the token server was asked %d times in ten seconds", asked)
	}
}

func TestNewTokensThatWeChatNeverTakesAreNotAskedForWithoutEnd(t *testing.T) {
	refusing := rawServer(t, func(string) string { return answered(`{"errcode":40001,"errmsg":"invalid credential"}`) })
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(rw, `{"access_token":"canary-%d"}`, asked.Add(1))
	}))
	t.Cleanup(server.Close)
	clock := newClock()
	client := newClientOf(t, wechat.App{BaseURL: refusing, Token: wechat.TokenExternal, Source: wechat.TokenSource{URL: server.URL}}, clock.Now)
	for range 600 { // in a minute
		if _, err := client.Generate(t.Context(), target(t, broker.Target{})); err == nil {
			t.Fatal("a refused token is no error")
		}
		clock.pass(100 * time.Millisecond)
	}
	if n := asked.Load(); n < 4 || n > 10 {
		t.Errorf("the token server was asked %d times in a minute", n)
	}
}

func TestAnswersOfATokenServer(t *testing.T) {
	tests := []struct {
		claim, answer string
		source        wechat.TokenSource
		says          string        // empty = a token is found
		life          time.Duration // for which it is used
	}{
		{"WeChat's own form is read", `{"access_token":"T","expires_in":7200}`, wechat.TokenSource{LifeField: "expires_in"}, "", 2*time.Hour - 10*time.Second},
		{"a life as text is read", `{"access_token":"T","ttl":"60"}`, wechat.TokenSource{LifeField: "ttl"}, "", 50 * time.Second},
		{"a life may be left untold", `{"access_token":"T"}`, wechat.TokenSource{}, "", 24 * time.Hour},
		{"a nested field is found", `{"code":0,"data":{"wx":{"authorizer_access_token":"T"}}}`, wechat.TokenSource{Field: "data.wx.authorizer_access_token"}, "", 24 * time.Hour},
		{"a missing field is named", `{"errcode":40001}`, wechat.TokenSource{}, "no token at access_token", 0},
		{"a field of a wrong type is none", `{"access_token":7}`, wechat.TokenSource{}, "no token at access_token", 0},
		{"a token with a space is none", `{"access_token":"not a token"}`, wechat.TokenSource{}, "no token at access_token", 0},
		{"a life that has ended is none", `{"access_token":"T","ttl":0}`, wechat.TokenSource{LifeField: "ttl"}, "no life above 0 s at ttl", 0},
		{"a life that is missing is none", `{"access_token":"T"}`, wechat.TokenSource{LifeField: "ttl"}, "no life above 0 s at ttl", 0},
		{"a web page is no answer", `<html>log in</html>`, wechat.TokenSource{}, "is no JSON", 0},
		{"nor is nothing", ``, wechat.TokenSource{}, "is no JSON", 0},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			_, url := serveTokens(t, test.answer)
			test.source.URL = url
			clock := newClock()
			client := newClientOf(t, wechat.App{Token: wechat.TokenExternal, Source: test.source}, clock.Now)
			err := client.Probe(t.Context(), shop)
			if test.says == "" {
				if got := client.Tokens()[0].ExpiresAt.Sub(clock.Now()); err != nil || got != test.life {
					t.Errorf("used for %v, want %v: %v", got, test.life, err)
				}
				return
			}
			if e := fails(t, err); e.Code != broker.Unavailable || !e.Unspent || !strings.Contains(e.Message, test.says) {
				t.Errorf("got %s (unspent %v), %v, want it to say %q", e.Code, e.Unspent, e, test.says)
			}
		})
	}
}

func TestATokenServerIsSentItsHeadersAndNoRedirectIsFollowed(t *testing.T) {
	var elsewhere atomic.Int64
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	t.Cleanup(thief.Close)
	var header http.Header
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		header = r.Header.Clone()
		http.Redirect(rw, r, thief.URL, http.StatusFound)
	}))
	t.Cleanup(server.Close)
	client := newClientOf(t, wechat.App{Token: wechat.TokenExternal, Source: wechat.TokenSource{
		URL: server.URL, Headers: []wechat.Header{{Name: "Authorization", Value: "Bearer canary-key"}},
	}}, newClock().Now)
	err := client.Probe(t.Context(), shop)
	if e := fails(t, err); e.Code != broker.Unavailable || !strings.Contains(e.Message, "the token server answers with HTTP status 302") {
		t.Errorf("got %v", err)
	}
	mustNotTell(t, err)
	if header.Get("Authorization") != "Bearer canary-key" || elsewhere.Load() != 0 {
		t.Errorf("sent %v; %d calls went elsewhere", header, elsewhere.Load())
	}
}

func TestTroubleWithATokensFile(t *testing.T) {
	dir := t.TempDir()
	for says, content := range map[string]string{"is not there": "", "is empty": " \n", "more than a token": "two tokens", "up to 2048": strings.Repeat("x", 4096)} {
		file := filepath.Join(dir, says)
		if content != "" {
			putFile(t, file, content)
		}
		client := newClientOf(t, wechat.App{Token: wechat.TokenCloudbase, Source: wechat.TokenSource{File: file}}, newClock().Now)
		err := client.Probe(t.Context(), shop)
		if e := fails(t, err); e.Code != broker.TokenRefused || !e.Unspent || !strings.Contains(e.Message, says) || strings.Contains(e.Message, dir) {
			t.Errorf("got %s (unspent %v), %v, want it to say %q", e.Code, e.Unspent, e, says)
		}
	}
}

func TestAFileThatGoesAwayLeavesTheTokenInUse(t *testing.T) {
	clock := newClock()
	w, url := serveSandbox(t, clock.Now)
	file := filepath.Join(t.TempDir(), "token")
	putFile(t, file, w.Issue(shop))
	client := newClientOf(t, wechat.App{BaseURL: url, Token: wechat.TokenExternal, Source: wechat.TokenSource{File: file}}, clock.Now)
	for i := range 5 {
		if _, err := client.Generate(t.Context(), target(t, broker.Target{})); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}
		clock.pass(time.Minute)
	}
	client.Close() // which waits for the look at the file that goes on beside the calls
	if status := client.Tokens()[0]; status.Err == nil {
		t.Error("the operator is not told that the file is gone")
	}
}

func FuzzTokenAnswer(f *testing.F) {
	f.Add("access_token", "expires_in", []byte(`{"access_token":"T","expires_in":7200}`))
	f.Add("data.token", "", []byte("\xEF\xBB\xBF{\"data\":{\"token\":\"T\"}}"))
	f.Add("a", "b.c", []byte(`{"a":1,"b":{"c":"60.0"}}`))
	f.Fuzz(func(t *testing.T, field, lifeField string, raw []byte) {
		value, life, err := wechat.ParseTokenAnswer(wechat.TokenSource{Field: field, LifeField: lifeField}, raw)
		switch text := string(value); {
		case err != nil:
			if text != "" || life != 0 {
				t.Errorf("an answer that is refused gives %q and %v", text, life)
			}
		case text == "" || strings.ContainsAny(text, " \r\n\x00"):
			t.Errorf("%q is taken for a token", text)
		case (life <= 0) != (lifeField == ""):
			t.Errorf("a life of %v", life)
		}
	})
}
