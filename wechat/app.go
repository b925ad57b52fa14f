package wechat

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"linkbroker/broker"
)

// DefaultBaseURL is where WeChat is asked.
const DefaultBaseURL = "https://api.weixin.qq.com"

// TokenMode says how an app gets its access token.
type TokenMode string

// The token modes.
const (
	TokenStable    TokenMode = "stable"    // POST /cgi-bin/stable_token with the AppSecret
	TokenLegacy    TokenMode = "legacy"    // GET /cgi-bin/token with the AppSecret: each call ends the token before
	TokenCloudbase TokenMode = "cloudbase" // a file that WeChat's cloud hosting keeps up to date
	TokenNone      TokenMode = "none"      // none is sent: inside WeChat's cloud hosting ("open interface service")
	TokenExternal  TokenMode = "external"  // the operator's own token server, or a file that something else writes
)

// TokenModes are all there are.
func TokenModes() []TokenMode {
	return []TokenMode{TokenStable, TokenLegacy, TokenCloudbase, TokenNone, TokenExternal}
}

// NeedsSecret reports whether tokens are asked for with the AppSecret.
func (m TokenMode) NeedsSecret() bool { return m == TokenStable || m == TokenLegacy }

// App is how WeChat is asked on behalf of one mini program.
type App struct {
	ID      string    // its appid
	Secret  Secret    // its AppSecret, for the modes that need one
	BaseURL string    // empty = DefaultBaseURL; plain http only on loopback and with TokenNone
	Token   TokenMode // empty = TokenStable

	// Fallbacks are further base URLs, asked in this order while BaseURL does not answer.
	Fallbacks []string

	Source    TokenSource // where TokenExternal and TokenCloudbase have theirs from
	FromAppID string      // sent as from_appid, which the open interface service wants of some; with TokenNone alone

	// Where tokens that are asked for with the AppSecret are kept, sealed: that of TokenLegacy over a restart, and with
	// Leases every one, which all brokers on the store then have in common. Nil = nowhere, and no other broker.
	Blobs  broker.BlobStore
	Leases broker.Leaser
}

// TokenSource is where tokens come from that are not asked of WeChat: a URL or a file.
type TokenSource struct {
	URL       string   // asked with GET; https, or http on loopback
	Headers   []Header // sent along, such as the token server's own credential
	Field     string   // where the token stands in the JSON answer, such as data.access_token; empty = access_token
	LifeField string   // where its remaining seconds stand; empty = they are not told

	File string // holds the token and nothing else
}

// Header is a header of a call to a token server.
type Header struct {
	Name  string
	Value Secret
}

// CloudbaseFile is where WeChat's cloud hosting puts the token.
const CloudbaseFile = "/.tencentcloudbase/wx/cloudbase_access_token"

func (a App) withDefaults() App {
	if a.BaseURL == "" {
		a.BaseURL = DefaultBaseURL
	}
	if a.Token == "" {
		a.Token = TokenStable
	}
	if a.Token == TokenCloudbase && a.Source.File == "" {
		a.Source.File = CloudbaseFile
	}
	if a.Source.URL != "" && a.Source.Field == "" {
		a.Source.Field = "access_token"
	}
	a.BaseURL = strings.TrimRight(a.BaseURL, "/")
	a.Fallbacks = slices.Clone(a.Fallbacks)
	for i, fallback := range a.Fallbacks {
		a.Fallbacks[i] = strings.TrimRight(fallback, "/")
	}
	return a
}

// bases gives all base URLs, in the order in which they are asked.
func (a App) bases() []string { return append([]string{a.BaseURL}, a.Fallbacks...) }

// check refuses what cannot work or would betray the secret.
func (a App) check() error {
	switch {
	case a.ID == "":
		return errors.New("the appid is missing")
	case !slices.Contains(TokenModes(), a.Token):
		return fmt.Errorf("app %s: token %q is not known; known are %q", a.ID, a.Token, TokenModes())
	case a.Token.NeedsSecret() && a.Secret == "":
		return fmt.Errorf("app %s: the secret is missing; token %q does not do without", a.ID, a.Token)
	case a.FromAppID != "" && a.Token != TokenNone:
		return fmt.Errorf("app %s: from_appid goes with token %q alone", a.ID, TokenNone)
	}
	if err := a.checkSource(); err != nil {
		return fmt.Errorf("app %s: %w", a.ID, err)
	}
	for i, base := range a.bases() {
		if err := a.checkBase(base); err != nil {
			return fmt.Errorf("app %s: %w", a.ID, err)
		}
		if slices.Contains(a.bases()[:i], base) {
			return fmt.Errorf("app %s: a fallback is there twice", a.ID)
		}
	}
	return nil
}

func (a App) checkSource() error {
	source := a.Source
	switch {
	case a.Token != TokenExternal && source.URL != "", a.Token != TokenExternal && a.Token != TokenCloudbase && source.File != "":
		return fmt.Errorf("a token source goes with token %q", TokenExternal)
	case a.Token != TokenExternal:
		return nil
	case (source.URL == "") == (source.File == ""):
		return fmt.Errorf("token %q needs either the URL of a token server or a file", TokenExternal)
	case source.URL == "":
		return nil
	}
	// The errors of url.Parse are left out: they repeat the URL, which may hold a password.
	server, err := url.Parse(source.URL)
	switch {
	case err != nil || server.Host == "" || server.Scheme != "http" && server.Scheme != "https":
		return errors.New("the token server's URL is not of the form https://host/path")
	case server.User != nil || server.Fragment != "":
		return errors.New("the token server's URL may hold neither a user nor a fragment")
	case server.Scheme == "http" && !loopback(server.Hostname()):
		return errors.New("the token server's URL is plain http, by which the token would come in the clear: use https")
	}
	for _, header := range source.Headers {
		if !headerName.MatchString(header.Name) || strings.ContainsFunc(string(header.Value), unicode.IsControl) {
			return fmt.Errorf("header %q of the token server cannot be sent", header.Name)
		}
	}
	return nil
}

var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$")

func (a App) checkBase(text string) error {
	base, err := url.Parse(text)
	switch {
	case err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https":
		return errors.New("base_url is not of the form https://host")
	case base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return errors.New("base_url may hold neither a user nor a query nor a fragment")
	case base.Scheme == "http" && a.Token != TokenNone && !loopback(base.Hostname()):
		return fmt.Errorf("base_url is plain http, which would send the secret in the clear: use https "+
			"(plain http is for loopback and for token %q)", TokenNone)
	}
	return nil
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
