package wechat_test

import (
	"path/filepath"
	"strings"
	"testing"

	"linkbroker/broker"
	"linkbroker/wechat"
)

// TestSentByEachTokenMode pins what goes over the wire: the call for the token, where there is one, and the call with
// it.
func TestSentByEachTokenMode(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	putFile(t, file, "TOKEN-OF-A-FILE\n")
	for name, app := range map[string]wechat.App{
		"stable":               {Token: wechat.TokenStable, Secret: secret},
		"legacy":               {Token: wechat.TokenLegacy, Secret: secret},
		"cloudbase":            {Token: wechat.TokenCloudbase, Source: wechat.TokenSource{File: file}},
		"none":                 {Token: wechat.TokenNone},
		"none_with_from_appid": {Token: wechat.TokenNone, FromAppID: "wxfrom"},
		"external_file":        {Token: wechat.TokenExternal, Source: wechat.TokenSource{File: file}},
		"external_server": {Token: wechat.TokenExternal, Source: wechat.TokenSource{
			URL: "SERVER/wx/authorizer?appid=wxshop", Field: "data.authorizer_access_token", LifeField: "data.expires_in",
			Headers: []wechat.Header{{Name: "Authorization", Value: "Bearer canary-key"}, {Name: "X-Tenant", Value: "shop"}},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var sent []string
			url := rawServer(t, func(request string) string {
				sent = append(sent, request)
				switch line, _, _ := strings.Cut(request, "\r\n"); {
				case strings.Contains(line, "/cgi-bin/"):
					return answered(`{"access_token":"TOKEN-OF-WECHAT","expires_in":7200}`)
				case strings.Contains(line, "/wx/authorizer"):
					return answered(`{"code":0,"data":{"authorizer_access_token":"TOKEN-OF-A-SERVER","expires_in":7000}}`)
				}
				return answered(`{"errcode":0,"url_link":"https://wxaurl.cn/x"}`)
			})
			app.BaseURL, app.Source.URL = url, strings.Replace(app.Source.URL, "SERVER", url, 1)
			if _, err := newClientOf(t, app, newClock().Now).Generate(t.Context(), target(t, broker.Target{Path: "pages/item"})); err != nil {
				t.Fatal(err)
			}
			golden(t, "sent/token/"+name+".http", withoutPort(strings.Join(sent, "\n\n"), url))
		})
	}
}
