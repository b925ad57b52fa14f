package handlers_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"linkbroker/broker"
)

// token signs a broker token.
func (w *world) token(client, app string) string {
	c, ok := w.clients.ByName(client)
	if !ok {
		w.t.Fatalf("no client %q", client)
	}
	return w.tokens.Sign(c, c.Keys[0].Digest, app, w.clock())
}

// TestCredentials goes through who asks × which route: each credential's result on the native interface as a code,
// on the facade as an errcode.
func TestCredentials(t *testing.T) {
	w := newWorld(t)
	old := w.token("generate", appA)
	w.pass(broker.TokenLife)
	fresh, gone := w.token("generate", appA), w.token("expired", appA)
	forged := fresh[:len(fresh)-4] + "AAAA"

	for name, who := range map[string]struct {
		prefix, bearer, token, key string
		code                       string
		errcode                    int
	}{
		"nobody":                            {"", "", "", "", "unauthenticated", 41001},
		"a key in the header":               {"", generateKey, "", "", "", 0},
		"a key as access_token":             {"", "", generateKey, "", "", 0},
		"a token as access_token":           {"", "", fresh, "", "", 0},
		"a token in the header":             {"", fresh, "", "", "", 0},
		"a wrong key in the header":         {"", wrongKey, "", "", "bad_credential", 40001},
		"a wrong key as access_token":       {"", "", wrongKey, "", "bad_credential", 40001},
		"a key past its end":                {"", expiredKey, "", "", "bad_credential", 40001},
		"a token past its end":              {"", "", old, "", "token_expired", 42001},
		"a token of a key past its end":     {"", "", gone, "", "bad_credential", 40001},
		"a forged token":                    {"", "", forged, "", "bad_credential", 40001},
		"a token that is none":              {"", "", "lb1.", "", "bad_credential", 40001},
		"a wrong header before a good key":  {"", wrongKey, generateKey, "", "bad_credential", 40001},
		"a good header before a wrong key":  {"", generateKey, wrongKey, "", "", 0},
		"a key in the prefix":               {generateKey, "", "", "", "", 0},
		"a wrong key in the prefix":         {wrongKey, "", "", "", "bad_credential", 40001},
		"a wrong prefix before good ones":   {wrongKey, generateKey, fresh, "", "bad_credential", 40001},
		"a good prefix before wrong ones":   {generateKey, wrongKey, wrongKey, "", "", 0},
		"a publishable key in the header":   {"", pageKey, "", "", "", 0},
		"a publishable key as key":          {"", "", "", pageKey, "", 0},
		"a publishable key in the prefix":   {pageKey, "", "", "", "", 0},
		"a publishable key as access_token": {"", "", pageKey, "", "bad_credential", 40001},
		"a secret key as key":               {"", "", "", generateKey, "bad_credential", 40001},
		"an admin's key as key":             {"", "", "", adminKey, "bad_credential", 40001},
		"a wrong key as key":                {"", "", "", wrongKey, "bad_credential", 40001},
		"a token as key":                    {"", "", "", fresh, "bad_credential", 40001},
		"a wrong header before a good key=": {"", wrongKey, "", pageKey, "bad_credential", 40001},
		"an access_token before a key=":     {"", "", generateKey, wrongKey, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			var header []string
			if who.bearer != "" {
				header = append(header, as(who.bearer))
			}
			query := "appid=" + appA
			if who.token != "" {
				query += "&access_token=" + who.token
			}
			prefix := ""
			if who.prefix != "" {
				prefix = "/k/" + who.prefix
			}
			if who.key != "" {
				query += "&key=" + who.key
			}
			out := w.ask("POST", prefix+"/wxa/generate_urllink?"+query, `{"path":"p"}`, header...)
			wantErrCode(t, out, who.errcode)
			if who.prefix != "" {
				return
			}
			wantCode(t, w.ask("POST", "/api/v1/links?"+query, `{"path":"p"}`, header...), who.code)
			wantCode(t, w.ask("GET", "/api/v1/link?path=p&"+query, "", header...), who.code)
		})
	}
}

// wantCode holds an answer of the native interface against the code of its problem: "" for none.
func wantCode(t *testing.T, out reply, code string) {
	t.Helper()
	if code == "" && out.Code < 300 {
		return
	}
	if code == "" || !strings.Contains(out.text(), `"code":"`+code+`"`) {
		t.Errorf("want code %q, got %d %s", code, out.Code, out.text())
	}
	if want := "application/problem+json; charset=utf-8"; out.Header().Get("Content-Type") != want {
		t.Errorf("a problem of type %q", out.Header().Get("Content-Type"))
	}
	if (out.Code == http.StatusUnauthorized) != (out.Header().Get("WWW-Authenticate") == "Bearer") {
		t.Errorf("status %d with WWW-Authenticate %q", out.Code, out.Header().Get("WWW-Authenticate"))
	}
}

// wantErrCode holds an answer of the facade against an errcode.
func wantErrCode(t *testing.T, out reply, errcode int) {
	t.Helper()
	if out.Code != 200 || out.Header().Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("the facade answers %d %q", out.Code, out.Header().Get("Content-Type"))
	}
	var told struct {
		ErrCode *int `json:"errcode"`
	}
	if err := json.Unmarshal(out.Body.Bytes(), &told); err != nil || told.ErrCode == nil || *told.ErrCode != errcode {
		t.Errorf("want errcode %d, got %s", errcode, out.text())
	}
}

func TestAdminTakesKeysOfRoleAdminInTheHeaderAlone(t *testing.T) {
	w := newWorld(t)
	for name, test := range map[string]struct {
		header string
		query  string
		code   string
	}{
		"an admin's key":              {as(adminKey), "", ""},
		"a small letter in bearer":    {"Authorization: bearer " + adminKey, "", ""},
		"nobody":                      {"", "", "unauthenticated"},
		"the key in the address":      {"", "?access_token=" + adminKey, "unauthenticated"},
		"another scheme":              {"Authorization: Basic " + adminKey, "", "unauthenticated"},
		"an admin's token":            {as(w.token("admin", appA)), "", "bad_credential"},
		"a generator's key":           {as(generateKey), "", "forbidden"},
		"a reader's key":              {as(readKey), "", "forbidden"},
		"a publishable key":           {as(pageKey), "", "bad_credential"},
		"a publishable key as key":    {"", "?key=" + pageKey, "unauthenticated"},
		"an admin's key past its end": {as(expiredKey), "", "bad_credential"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{"/api/v1/links", "/api/v1/jobs", "/api/v1/quota", "/metrics"} {
				if test.query != "" && test.code == "" {
					continue
				}
				wantCode(t, w.send(w.admin, "admin", "GET", path+test.query, "", []string{test.header}), test.code)
			}
		})
	}
	for _, path := range []string{"/login", "/healthz", "/readyz", "/version"} {
		if out := w.send(w.admin, "admin", "GET", path, "", nil); out.Code != 200 {
			t.Errorf("%s needs a credential: %d", path, out.Code)
		}
	}
}

// TestWhichMiniProgram goes through how the app of a request is chosen.
func TestWhichMiniProgram(t *testing.T) {
	w := newWorld(t)
	for name, test := range map[string]struct {
		key, appid, token string
		app               string
		code              string
		errcode           int
	}{
		"the one asked for":                 {generateKey, appB, "", appB, "", 0},
		"the client's only one":             {shopKey, "", "", appA, "", 0},
		"none of several":                   {generateKey, "", "", "", "unknown_app", 40013},
		"one that is not the client's":      {shopKey, appB, "", "", "forbidden", 48001},
		"one that nobody configured":        {generateKey, "wxnosuchapp", "", "", "unknown_app", 40013},
		"the token's":                       {"", "", w.token("generate", appB), appB, "", 0},
		"the token's beside a key":          {generateKey, "", w.token("generate", appB), appB, "", 0},
		"the token's against the asked":     {"", appA, w.token("generate", appB), "", "unknown_app", 40013},
		"a stranger's token beside a key":   {generateKey, "", w.token("shop", appA), "", "unknown_app", 40013},
		"a bad token beside a key":          {generateKey, "", "lb1.nonsense", "", "bad_credential", 40001},
		"a bad token beside a key for one":  {shopKey, "", "lb1.nonsense", appA, "", 0},
		"a token for an app no longer ours": {"", "", w.token("shop", appB), "", "forbidden", 48001},
	} {
		t.Run(name, func(t *testing.T) {
			var header []string
			if test.key != "" {
				header = append(header, as(test.key))
			}
			query := "?appid=" + test.appid + "&access_token=" + test.token
			page := strings.ReplaceAll(name, " ", "-") // a target of its own
			native := w.ask("POST", "/api/v1/links"+query, `{"path":"`+page+`"}`, header...)
			wantCode(t, native, test.code)
			facade := w.ask("POST", "/wxa/generate_urllink"+query, `{"path":"`+page+`"}`, header...)
			wantErrCode(t, facade, test.errcode)
			if test.app != "" && !strings.Contains(native.text(), `"app":"`+test.app+`"`) {
				t.Errorf("want app %s, got %s", test.app, native.text())
			}
		})
	}
	t.Run("app in the body", func(t *testing.T) {
		out := w.ask("POST", "/api/v1/links", `{"path":"p","app":"`+appB+`"}`, as(generateKey))
		if !strings.Contains(out.text(), `"app":"`+appB+`"`) {
			t.Error(out.text())
		}
	})
	t.Run("app and appid that differ", func(t *testing.T) {
		out := w.ask("POST", "/api/v1/links?appid="+appA, `{"path":"p","app":"`+appB+`"}`, as(generateKey))
		wantCode(t, out, "malformed")
	})
}

// TestAReaderGetsWhatIsStored and has nothing generated.
func TestAReaderGetsWhatIsStored(t *testing.T) {
	w := newWorld(t)
	const body = `{"path":"p","query":"a=1"}`
	out := w.ask("POST", "/api/v1/links", body, as(readKey))
	wantCode(t, out, "not_cached")
	if out.Code != http.StatusForbidden {
		t.Errorf("status %d", out.Code)
	}
	wantErrCode(t, w.ask("POST", "/wxa/generate_urllink", body, as(readKey)), 48001)
	if w.weChat.calls() != 0 {
		t.Fatal("a reader had a link generated")
	}
	w.ask("POST", "/api/v1/links", body, as(shopKey))
	wantCode(t, w.ask("POST", "/api/v1/links", body, as(readKey)), "")
	wantErrCode(t, w.ask("POST", "/wxa/generate_urllink", body, as(readKey)), 0)
	w.pass(29 * 24 * time.Hour)
	if out := w.ask("POST", "/api/v1/links", body, as(readKey)); !strings.Contains(out.text(), `"outcome":"stale"`) {
		t.Errorf("a link that is alive but not fresh: %s", out.text())
	}
}
