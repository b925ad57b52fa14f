package wechat

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// DefaultBaseURL is where WeChat is asked.
const DefaultBaseURL = "https://api.weixin.qq.com"

// TokenMode says how an app gets its access token.
type TokenMode string

// The token modes.
const (
	TokenStable TokenMode = "stable" // POST /cgi-bin/stable_token with the AppSecret
	TokenNone   TokenMode = "none"   // none is sent: inside WeChat's cloud hosting ("open interface service")
)

// App is how WeChat is asked on behalf of one mini program.
type App struct {
	ID      string    // its appid
	Secret  Secret    // its AppSecret; not needed with TokenNone
	BaseURL string    // empty = DefaultBaseURL; plain http only on loopback and with TokenNone
	Token   TokenMode // empty = TokenStable
}

func (a App) withDefaults() App {
	if a.BaseURL == "" {
		a.BaseURL = DefaultBaseURL
	}
	if a.Token == "" {
		a.Token = TokenStable
	}
	a.BaseURL = strings.TrimRight(a.BaseURL, "/")
	return a
}

// check refuses what cannot work or would betray the secret.
func (a App) check() error {
	switch {
	case a.ID == "":
		return errors.New("the appid is missing")
	case a.Token != TokenStable && a.Token != TokenNone:
		return fmt.Errorf("app %s: token %q is not known; known are %q and %q", a.ID, a.Token, TokenStable, TokenNone)
	case a.Token == TokenStable && a.Secret == "":
		return fmt.Errorf("app %s: the secret is missing; only token %q does without", a.ID, TokenNone)
	}
	// The error of url.Parse is left out: it repeats the URL, which may hold a password.
	base, err := url.Parse(a.BaseURL)
	switch {
	case err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https":
		return fmt.Errorf("app %s: base_url is not of the form https://host", a.ID)
	case base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return fmt.Errorf("app %s: base_url may hold neither a user nor a query nor a fragment", a.ID)
	case base.Scheme == "http" && a.Token != TokenNone && !loopback(base.Hostname()):
		return fmt.Errorf("app %s: base_url is plain http, which would send the secret in the clear: use https "+
			"(plain http is for loopback and for token %q)", a.ID, TokenNone)
	}
	return nil
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
