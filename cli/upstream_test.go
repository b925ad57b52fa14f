package cli_test

import (
	"bytes"
	"fmt"
	"image/jpeg"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"linkbroker/wechat/sandbox"
)

// withApp is the configuration with more settings of its app.
func (w *weChat) withApp(settings string) string {
	return strings.Replace(w.configuration(), "clients:", settings+"\nclients:", 1)
}

// withoutSecret is the same for an app that has no AppSecret.
func (w *weChat) withoutSecret(settings string) string {
	return strings.Replace(w.withApp(settings), "    secret: ${SECRET}\n", "", 1)
}

func TestALegacyTokenOutlivesARestart(t *testing.T) {
	t.Parallel()
	w := newWeChat(t)
	dir := configured(t, w.withApp("    token: legacy"))
	for i := range 3 {
		p := serve(t, dir, secrets)
		decoded(t, p.postLink(fmt.Sprintf(`{"path":"pages/%d"}`, i)))
		if i == 1 {
			p.kill() // a crash
			continue
		}
		call(t, http.MethodPost, p.admin+"/api/v1/jobs/backup:run", "", bearer(opsKey))
		p.terminate()
	}
	if seen := w.Stats(); seen.Calls["/cgi-bin/token"] != 1 || seen.Calls["/cgi-bin/stable_token"] != 0 || seen.Generated != 3 {
		t.Errorf("the token was asked for %v, want once by the old call", seen.Calls)
	}
	for _, file := range storedFiles(t, dir) {
		contents, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, token := range w.tokens {
			if bytes.Contains(contents, []byte(token)) {
				t.Errorf("%s holds the token in the clear", file)
			}
		}
	}
}

// TestEachTokenModeEndToEnd has the program get its token in each way, and doctor find that it works.
func TestEachTokenModeEndToEnd(t *testing.T) {
	t.Parallel()
	for claim, test := range map[string]struct {
		open   bool // WeChat answers without a token
		mode   func(t *testing.T, w *weChat) string
		doctor string
	}{
		"stable":    {false, func(*testing.T, *weChat) string { return "    token: stable" }, "WeChat gives one to this machine"},
		"legacy":    {false, func(*testing.T, *weChat) string { return "    token: legacy" }, "leaves the legacy one in use alone"},
		"none":      {true, func(*testing.T, *weChat) string { return "    token: none\n    from_appid: " + appID }, "WeChat answers without"},
		"cloudbase": {false, func(t *testing.T, w *weChat) string { return "    token: cloudbase\n" + tokenFile(t, w.Issue(appID)) }, "WeChat takes it"},
		"a file":    {false, func(t *testing.T, w *weChat) string { return "    token: external\n" + tokenFile(t, w.Issue(appID)) }, "WeChat takes it"},
		"a server": {false, func(t *testing.T, w *weChat) string {
			t.Helper()
			server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.Header.Get("X-Api-Key") != shopKey {
					rw.WriteHeader(http.StatusUnauthorized)
				}
				fmt.Fprintf(rw, `{"data":{"authorizer_access_token":%q,"expires_in":7200}}`, w.Issue(appID))
			}))
			t.Cleanup(server.Close)
			return "    token: external\n    token_source:\n      url: " + server.URL + "/wx?appid=" + appID +
				"\n      headers: [{name: X-Api-Key, value: '${SHOP}'}]\n      token_field: data.authorizer_access_token\n      expires_in_field: data.expires_in"
		}, "WeChat takes it"},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			w := newWeChat(t)
			if test.open {
				w.WeChat = sandbox.New(t.Context(), sandbox.Config{Apps: []sandbox.App{{ID: appID, Secret: appSecret}}, OpenApp: appID, Clock: time.Now})
			}
			config := w.withoutSecret(test.mode(t, w))
			if claim == "stable" || claim == "legacy" {
				config = w.withApp(test.mode(t, w))
			}
			dir := configured(t, config)
			got, code := doctor(t, dir, secrets)
			if !got.says("OK", "token of "+appID, test.doctor) || code != 0 {
				t.Errorf("doctor exits with %d and says %+v", code, got)
			}
			if seen := w.Stats(); seen.Generated != 0 || seen.Calls["/cgi-bin/token"] != 0 {
				t.Errorf("doctor spent %d units, and ended a token %d times", seen.Generated, seen.Calls["/cgi-bin/token"])
			}
			decoded(t, serve(t, dir, secrets).postLink(`{"path":"p"}`))
		})
	}
}

// tokenFile is the setting of a file with a token.
func tokenFile(t *testing.T, token string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return "    token_source: {file: " + file + "}"
}

func TestDoctorOnTokensThatDoNotWork(t *testing.T) {
	t.Parallel()
	for claim, test := range map[string]struct {
		mode func(t *testing.T) string
		want string
	}{
		"a file that is not there":    {func(*testing.T) string { return "    token: cloudbase\n    token_source: {file: nowhere}" }, "look at nowhere"},
		"a token that WeChat refuses": {func(t *testing.T) string { return "    token: external\n" + tokenFile(t, "of-nobody") }, "WeChat refuses the access token in the token's file"},
		"no open interface service":   {func(*testing.T) string { return "    token: none" }, "open interface service switched on"},
		"a token server that is away": {func(*testing.T) string {
			return "    token: external\n    token_source: {url: 'http://127.0.0.1:1/token'}"
		}, "ask the token server yourself"},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			w := newWeChat(t)
			got, code := doctor(t, configured(t, w.withoutSecret(test.mode(t))), secrets)
			if !got.says("FAIL", "token of "+appID, test.want) || code != 1 {
				t.Errorf("exit code %d, got %+v", code, got)
			}
		})
	}
}

// silent takes connections and answers nothing.
func silent(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() }) // with it the connections that nobody accepted
	return "http://" + listener.Addr().String()
}

// TestFailOverWithinOneDeadline has the first host fail in many ways while the second is well. The caller gets his link
// within the deadline, and each call that may have generated has its unit in the ledger.
func TestFailOverWithinOneDeadline(t *testing.T) {
	t.Parallel()
	page := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		fmt.Fprint(rw, "<html>moved</html>")
	}))
	t.Cleanup(page.Close)
	for claim, test := range map[string]struct {
		first string
		units string // of the ledger, for one link
	}{
		"a host that refuses connections": {"http://127.0.0.1:1", `"used":1,`},
		"a host without a name":           {"https://nowhere.invalid", `"used":1,`},
		"a host that hangs":               {silent(t), `"used":1,`}, // the call for the token has found out
		"a host that answers HTML":        {page.URL, `"used":1,`},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			w := newWeChat(t)
			config := strings.Replace(w.configuration(), w.server.URL, test.first+"\n    fallback_urls: ["+w.server.URL+"]", 1)
			p := serve(t, configured(t, config), secrets)
			began := time.Now()
			decoded(t, p.postLink(`{"path":"p"}`))
			if took := time.Since(began); took > 4*time.Second {
				t.Errorf("it took %v, and the deadline is 4s", took)
			}
			if quota := call(t, http.MethodGet, p.admin+"/api/v1/quota", "", bearer(opsKey)).body; !strings.Contains(quota, test.units) {
				t.Errorf("the ledger says %s, want %s", quota, test.units)
			}
			metrics := call(t, http.MethodGet, p.admin+"/metrics", "", bearer(opsKey)).body
			first := strings.TrimPrefix(test.first, "https://")
			for _, want := range []string{
				fmt.Sprintf("linkbroker_upstream_host_healthy{app=%q,host=%q} 0", appID, first),
				fmt.Sprintf("linkbroker_upstream_host_healthy{app=%q,host=%q} 1", appID, w.server.URL),
			} {
				if !strings.Contains(metrics, want) {
					t.Errorf("%s is not in the metrics", want)
				}
			}
		})
	}
}

// TestAHostThatHangsHavingTakenTheCall: nobody can tell whether it generated, so its unit stays spent, and the call at
// the next host takes another.
func TestAHostThatHangsHavingTakenTheCall(t *testing.T) {
	t.Parallel()
	w, first := newWeChat(t), newWeChat(t)
	config := strings.Replace(w.configuration(), w.server.URL, first.server.URL+"\n    fallback_urls: ["+w.server.URL+"]", 1)
	p := serve(t, configured(t, config+"\n"), secrets)
	decoded(t, p.postLink(`{"path":"warm"}`)) // by the first, whose token is another's: both know none of the other's
	first.fail(t, sandbox.Fault{Name: "slow", Delay: time.Minute})
	began := time.Now()
	got := p.postLink(`{"path":"p"}`)
	if took := time.Since(began); took > 4*time.Second+time.Second/2 {
		t.Errorf("it took %v", took)
	}
	decoded(t, got)
	quota := call(t, http.MethodGet, p.admin+"/api/v1/quota", "", bearer(opsKey)).body
	if made := first.Stats().Generated + w.Stats().Generated; made != 3 || !strings.Contains(quota, `"used":3,`) {
		t.Errorf("%d links were made, the ledger says %s", made, quota)
	}
}

func TestPassThrough(t *testing.T) {
	t.Parallel()
	w := newWeChat(t)
	const passKey = "canary-pass-key-0123456789abcdef"
	config := w.withApp("    pass_through: [/wxa/getwxacodeunlimit]") + "  - {name: pass, key: \"${PASS}\", role: generate, pass_through: true}\n"
	p := serve(t, configured(t, config), append([]string{"PASS=" + passKey}, secrets...))
	ask := func(key, path string) reply {
		return call(t, http.MethodPost, p.public+"/k/"+key+path, `{"scene":"a=1","page":"pages/item"}`)
	}
	for _, claim := range []string{"a picture", "and one after the token was stolen"} {
		got := ask(passKey, "/wxa/getwxacodeunlimit")
		if _, err := jpeg.Decode(strings.NewReader(got.body)); err != nil || got.status != http.StatusOK || got.header.Get("Content-Type") != "image/jpeg" {
			t.Errorf("%s: %d %v %.100s", claim, got.status, got.header, got.body)
		}
		w.Steal(appID, false)
	}
	for claim, test := range map[string]struct{ key, path, want string }{
		"a call that is not named":     {passKey, "/wxa/getwxacode", `{"errcode":48001,"errmsg":"this call is not passed on to WeChat: the operator can name it under pass_through`},
		"a client without the grant":   {shopKey, "/wxa/getwxacodeunlimit", `{"errcode":48001,"errmsg":"the key may not have calls passed on`},
		"the call for links, as ever":  {passKey, "/wxa/generate_urllink", `{"errcode":40212`},
		"and that for tokens, as ever": {passKey, "/cgi-bin/stable_token", `{"errcode":40002`},
	} {
		body := `{"query":"é"}`
		if got := call(t, http.MethodPost, p.public+"/k/"+test.key+test.path, body); got.status != http.StatusOK || !strings.HasPrefix(got.body, test.want) {
			t.Errorf("%s: %d %s", claim, got.status, got.body)
		}
	}
	if got := call(t, http.MethodPost, p.public+"/k/"+passKey+"/wxa/getwxacodeunlimit", `{"scene":""}`).body; !strings.Contains(got, `"errcode":40129`) {
		t.Errorf("an errcode of WeChat's comes back as %s", got)
	}
	if stored := w.Stats().Generated; stored != 0 {
		t.Errorf("%d links were generated", stored)
	}
}

// TestATokenServersSecretsAreSeenNowhere has a token server fail in ways that repeat what it was sent, and looks for that
// and for its tokens in all that the program says and keeps.
func TestATokenServersSecretsAreSeenNowhere(t *testing.T) {
	t.Parallel()
	const sent, given = "canary-of-the-header", "canary-token-of-the-server"
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		echo := r.Header.Get("X-Api-Key") + r.URL.String() + given
		switch asked.Add(1) % 4 {
		case 0:
			fmt.Fprintf(rw, `{"access_token":%q}`, given)
		case 1:
			http.Error(rw, echo, http.StatusForbidden)
		case 2:
			http.Redirect(rw, r, "http://127.0.0.1:1/?"+echo, http.StatusFound)
		default:
			fmt.Fprint(rw, `{"error":"`+echo+`"`)
		}
	}))
	t.Cleanup(server.Close)
	w := newWeChat(t)
	dir := configured(t, w.withoutSecret("    token: external\n    token_source: {url: '"+server.URL+"/?key=${KEY}', headers: [{name: X-Api-Key, value: '${KEY}'}]}"))
	environ := append([]string{"KEY=" + sent}, secrets...)
	p := serve(t, dir, environ)
	var seen strings.Builder
	failed := func() bool {
		said := seen.String() + p.stderr.String()
		return strings.Contains(said, "no access token is to be had") && strings.Contains(said, "HTTP status 302")
	}
	for i := 0; i < 20 && (asked.Load() < 5 || !failed()); i++ { // who meets which failure is chance
		seen.WriteString(p.postLink(fmt.Sprintf(`{"path":"pages/%d"}`, i)).body)
		seen.WriteString(call(t, http.MethodPost, p.public+"/k/"+shopKey+"/wxa/generate_urllink", fmt.Sprintf(`{"path":"facade/%d"}`, i)).body)
		stdout, stderr, _ := run(t, dir, environ, "doctor")
		seen.WriteString(stdout + stderr)
	}
	for _, path := range []string{"/metrics", "/readyz", "/api/v1/quota"} {
		seen.WriteString(call(t, http.MethodGet, p.admin+path, "", bearer(opsKey)).body)
	}
	stdout, stderr, _ := run(t, dir, environ, "check-config")
	seen.WriteString(stdout + stderr)
	p.terminate()
	stored, err := os.ReadFile(filepath.Join(dir, "data/links.db"))
	if err != nil {
		t.Fatal(err)
	}
	seen.WriteString(p.stdout.String() + p.stderr.String() + string(stored))
	for _, canary := range []string{sent, given} {
		if at := strings.Index(seen.String(), canary); at >= 0 {
			t.Errorf("a secret is shown: …%q…", seen.String()[max(at-80, 0):at+len(canary)])
		}
	}
	if asked.Load() < 5 || !failed() {
		t.Error("the test does not test: nothing failed")
	}
}
