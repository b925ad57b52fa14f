package wechat_test

import (
	"strings"
	"testing"

	"linkbroker/wechat"
)

func TestNewRefuses(t *testing.T) {
	tests := []struct {
		claim string
		app   wechat.App
		says  string
	}{
		{"no appid", wechat.App{Secret: secret}, "appid is missing"},
		{"no secret", wechat.App{ID: shop}, "secret is missing"},
		{"an unknown token mode", wechat.App{ID: shop, Secret: secret, Token: "magic"}, `token "magic" is not known`},
		{"plain http beyond loopback", wechat.App{ID: shop, Secret: secret, BaseURL: "http://api.weixin.qq.com"}, "plain http"},
		{"another scheme", wechat.App{ID: shop, Secret: secret, BaseURL: "ftp://127.0.0.1"}, "not of the form"},
		{"no host", wechat.App{ID: shop, Secret: secret, BaseURL: "api.weixin.qq.com"}, "not of the form"},
		{"what is no URL", wechat.App{ID: shop, Secret: secret, BaseURL: "https://canary:%zz@host"}, "not of the form"},
		{"a password", wechat.App{ID: shop, Secret: secret, BaseURL: "https://user:canary@host"}, "neither a user"},
		{"a query", wechat.App{ID: shop, Secret: secret, BaseURL: "https://host?debug=1"}, "neither a user"},
	}
	for _, test := range tests {
		t.Run(test.claim+" is refused", func(t *testing.T) {
			_, err := wechat.New([]wechat.App{test.app}, newClock().Now, nil)
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("got %v, want it to say %q", err, test.says)
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("%v tells a secret", err)
			}
		})
	}
	twice := wechat.App{ID: shop, Secret: secret}
	if _, err := wechat.New([]wechat.App{twice, twice}, newClock().Now, nil); err == nil {
		t.Error("an app given twice is not refused")
	}
}

func TestNewAccepts(t *testing.T) {
	for claim, app := range map[string]wechat.App{
		"the defaults":                  {ID: shop, Secret: secret},
		"plain http on loopback":        {ID: shop, Secret: secret, BaseURL: "http://127.0.0.1:8080/"},
		"plain http on localhost":       {ID: shop, Secret: secret, BaseURL: "http://localhost:8080"},
		"plain http on loopback, IPv6":  {ID: shop, Secret: secret, BaseURL: "http://[::1]:8080"},
		"plain http without a token":    {ID: shop, Token: wechat.TokenNone, BaseURL: "http://api.weixin.qq.com"},
		"a base URL with a path prefix": {ID: shop, Secret: secret, BaseURL: "https://proxy.example.com/wechat"},
	} {
		if _, err := wechat.New([]wechat.App{app}, newClock().Now, nil); err != nil {
			t.Errorf("%s: %v", claim, err)
		}
	}
}
