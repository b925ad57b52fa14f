package cli

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"linkbroker/handlers"
	"linkbroker/wechat"
)

// The settings of an app that say how WeChat is asked.

// tokenURL is the address of a token server. What stands in its query may be a secret, and is not shown.
type tokenURL string

func (u tokenURL) shown() string {
	address, _, found := strings.Cut(string(u), "?")
	if !found {
		return address
	}
	return address + "?[redacted]"
}

func (a AppConfig) upstream() wechat.App {
	source := wechat.TokenSource{File: a.TokenSource.File}
	if a.TokenSource.URL != "" {
		source.URL, source.Field, source.LifeField = string(a.TokenSource.URL), a.TokenSource.TokenField, a.TokenSource.ExpiresInField
	}
	for _, header := range a.TokenSource.Headers {
		source.Headers = append(source.Headers, wechat.Header(header))
	}
	return wechat.App{
		ID: a.AppID, Secret: a.Secret, BaseURL: a.BaseURL, Fallbacks: a.FallbackURLs,
		Token: a.Token, Source: source, FromAppID: a.FromAppID,
	}
}

func (l *loader) checkUpstream(at string, app AppConfig) {
	modes := make([]string, 0, len(wechat.TokenModes()))
	for _, mode := range wechat.TokenModes() {
		modes = append(modes, string(mode))
	}
	l.oneOf(at+".token", string(app.Token), modes...)
	switch secret := string(app.Secret); {
	case secret == "" && app.Token.NeedsSecret():
		l.refuse(at+".secret", "is missing: it is the AppSecret of the WeChat console, best given as ${WECHAT_SECRET}")
	case strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' }):
		l.refuse(at+".secret", "has a character that is in no AppSecret, such as a space or a line end")
	}
	l.checkBase(at+".base_url", app.BaseURL, app.Token)
	seen := []string{strings.TrimRight(app.BaseURL, "/")}
	for _, fallback := range app.FallbackURLs {
		l.checkBase(at+".fallback_urls", fallback, app.Token)
		if seen = append(seen, strings.TrimRight(fallback, "/")); slices.Contains(seen[:len(seen)-1], seen[len(seen)-1]) {
			l.refuse(at+".fallback_urls", "names a host twice: list those that are asked after base_url, in their order")
		}
	}
	if app.FromAppID != "" && (app.Token != wechat.TokenNone || !appID.MatchString(app.FromAppID)) {
		l.refuse(at+".from_appid", "must be an appid, and goes with token: none alone")
	}
	l.checkSource(at+".token_source", app)
}

func (l *loader) checkBase(at, address string, token wechat.TokenMode) {
	base, err := url.Parse(address)
	switch {
	case err != nil || !isPlain(base) || base.Scheme != "https" && base.Scheme != "http":
		l.refuse(at, "must be an address such as https://api.weixin.qq.com, without query")
	case base.Scheme == "http" && token != wechat.TokenNone && !isLoopback(base.Hostname()):
		l.refuse(at, "must begin with https://: the AppSecret or the token would cross the network in the clear")
	}
}

// checkSource refuses a source that is not asked, and one that would betray what it gives.
func (l *loader) checkSource(at string, app AppConfig) {
	source := app.TokenSource
	switch {
	case app.Token != wechat.TokenExternal && source.URL != "":
		l.refuse(at+".url", "goes with token: external alone")
	case app.Token != wechat.TokenExternal && app.Token != wechat.TokenCloudbase && source.File != "":
		l.refuse(at+".file", "goes with token: external and token: cloudbase alone")
	case app.Token == wechat.TokenExternal && source.URL == "" && source.File == "":
		l.refuse(at, "is missing: token: external needs url, the address of your token server, or file")
	case source.URL != "" && source.File != "":
		l.refuse(at+".file", "is set beside url: the token comes from one of them")
	}
	if source.URL == "" {
		if len(source.Headers) > 0 {
			l.refuse(at+".headers", "are sent to a token server, and url names none")
		}
		return
	}
	server, err := url.Parse(string(source.URL))
	switch {
	case err != nil || server.Host == "" || server.User != nil || server.Fragment != "" || server.Scheme != "https" && server.Scheme != "http":
		l.refuse(at+".url", "must be an address such as https://tokens.example.com/wx/token, without a password: that goes into headers")
	case server.Scheme == "http" && !isLoopback(server.Hostname()):
		l.refuse(at+".url", "must begin with https://: the token would cross the network in the clear")
	}
	if !fieldPath.MatchString(source.TokenField) {
		l.refuse(at+".token_field", "must be the name of a field in the answer, such as access_token or data.access_token")
	}
	if source.ExpiresInField != "" && !fieldPath.MatchString(source.ExpiresInField) {
		l.refuse(at+".expires_in_field", "must be the name of a field in the answer, such as expires_in, or empty")
	}
	for i, header := range source.Headers {
		if !headerName.MatchString(header.Name) || strings.ContainsFunc(string(header.Value), func(r rune) bool { return r < ' ' || r > '~' }) {
			l.refuse(at+".headers["+strconv.Itoa(i)+"]", "must have a name such as Authorization, and a value on one line")
		}
	}
}

var (
	fieldPath  = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)
	headerName = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
)

// checkPassThrough refuses what would go past the ledger or give WeChat's token away.
func (l *loader) checkPassThrough(at string, paths []string) {
	for _, path := range paths {
		if err := handlers.CheckForwarded(path); err != nil {
			l.refuse(at, "%s", err)
		}
	}
}
