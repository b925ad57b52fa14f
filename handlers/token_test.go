package handlers_test

import (
	"encoding/json"
	"testing"
)

// TestTokenCalls asks for a token as SDKs do and then for a link with it.
func TestTokenCalls(t *testing.T) {
	const grant = "grant_type=client_credential&appid="
	for name, test := range map[string]struct {
		method, address, body string
		errcode               int // 0 = a token
	}{
		"the old call":                          {"GET", "/cgi-bin/token?" + grant + appA + "&secret=" + shopKey, "", 0},
		"the old call, posted":                  {"POST", "/cgi-bin/token?" + grant + appA + "&secret=" + shopKey, "", 0},
		"the old call with a body":              {"POST", "/cgi-bin/token", `{"grant_type":"client_credential","appid":"` + appA + `","secret":"` + shopKey + `"}`, 0},
		"the stable call":                       {"POST", "/cgi-bin/stable_token", `{"grant_type":"client_credential","appid":"` + appA + `","secret":"` + generateKey + `","force_refresh":true}`, 0},
		"under a prefix with any secret":        {"GET", "/k/" + shopKey + "/cgi-bin/token?" + grant + appA + "&secret=whatever", "", 0},
		"under a prefix with no secret":         {"POST", "/k/" + shopKey + "/cgi-bin/stable_token", `{"grant_type":"client_credential","appid":"` + appA + `"}`, 0},
		"under a prefix with no appid":          {"POST", "/k/" + shopKey + "/cgi-bin/stable_token", `{"grant_type":"client_credential"}`, 0},
		"a reader":                              {"GET", "/cgi-bin/token?" + grant + appA + "&secret=" + readKey, "", 0},
		"a publishable key":                     {"GET", "/cgi-bin/token?" + grant + appA + "&secret=" + pageKey, "", 40001},
		"under the prefix of a publishable key": {"GET", "/k/" + pageKey + "/cgi-bin/token?" + grant + appA, "", 40001},
		"no secret":                             {"GET", "/cgi-bin/token?" + grant + appA, "", 41001},
		"a wrong secret":                        {"GET", "/cgi-bin/token?" + grant + appA + "&secret=" + wrongKey, "", 40001},
		"the secret of a key past its end":      {"GET", "/cgi-bin/token?" + grant + appA + "&secret=" + expiredKey, "", 40001},
		"a wrong prefix with a good secret":     {"GET", "/k/" + wrongKey + "/cgi-bin/token?" + grant + appA + "&secret=" + shopKey, "", 40001},
		"an app that is not the client's":       {"GET", "/cgi-bin/token?" + grant + appB + "&secret=" + shopKey, "", 48001},
		"an app that nobody configured":         {"GET", "/cgi-bin/token?" + grant + "wxnosuch&secret=" + generateKey, "", 40013},
		"no appid where there are several":      {"GET", "/cgi-bin/token?" + grant + "&secret=" + generateKey, "", 40013},
		"another grant_type":                    {"GET", "/cgi-bin/token?grant_type=password&appid=" + appA + "&secret=" + shopKey, "", 40002},
		"an empty body":                         {"POST", "/cgi-bin/stable_token", "", 44002},
		"a body that is no JSON":                {"POST", "/cgi-bin/stable_token", "appid=1", 47001},
		"GET of the stable call":                {"GET", "/cgi-bin/stable_token", "", 43002},
		"a token instead of a key, as a secret": {"GET", "/cgi-bin/token?" + grant + appA + "&secret=lb1.AAAA", "", 40001},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			out := w.ask(test.method, test.address, test.body)
			if test.errcode != 0 {
				wantErrCode(t, out, test.errcode)
				return
			}
			var got struct {
				Token     string `json:"access_token"`
				ExpiresIn int    `json:"expires_in"`
			}
			if err := json.Unmarshal(out.Body.Bytes(), &got); err != nil || got.ExpiresIn != 7200 || len(got.Token) > 512 {
				t.Fatalf("answer %s", out.text())
			}
			if out.Header().Get("Cache-Control") != "no-store" {
				t.Error("a token that caches may keep")
			}
			errcode := 0
			if name == "a reader" {
				errcode = 48001 // who may not have a link generated may still ask
			}
			wantErrCode(t, w.ask("POST", "/wxa/generate_urllink?access_token="+got.Token, `{"path":"p"}`), errcode)
		})
	}
}
