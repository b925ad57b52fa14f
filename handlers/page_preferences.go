package handlers

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// The cookies of what somebody prefers. They say nothing of who it is.
const (
	langCookie   = "lang"
	schemeCookie = "scheme"
)

// schemes are the colour schemes. The first is for whom none is known: that of the system.
//
//nolint:gochecknoglobals // a constant table
var schemes = []string{"auto", "light", "dark"}

// preferences answers POST /preferences: language and colour scheme of whoever asks, logged in or not.
func (a *api) preferences(c *gin.Context, _ caller) error {
	if err := a.sameSite(c); err != nil {
		return err
	}
	form, err := a.form(c)
	if err != nil {
		return err
	}
	for cookie, allowed := range map[string][]string{
		langCookie: {string(broker.English), string(broker.Chinese)}, schemeCookie: schemes,
	} {
		value := form.Get(cookie)
		if !slices.Contains(allowed, value) {
			continue
		}
		http.SetCookie(c.Writer, &http.Cookie{ //nolint:gosec // Secure wherever there is TLS; loopback has none
			Name: cookie, Value: value, Path: "/", MaxAge: int(365 * 24 * time.Hour / time.Second),
			Secure: a.overTLS(c), HttpOnly: true, SameSite: http.SameSiteLaxMode,
		})
	}
	return a.goTo(c, caller{}, form.Get("next"), flash{})
}

// form reads the fields of a form.
func (a *api) form(c *gin.Context) (form url.Values, err error) {
	err = a.bodies.read(c.Request, func(data []byte) error {
		if form, err = url.ParseQuery(string(data)); err != nil {
			return broker.Errorf(malformed, "the form is badly encoded")
		}
		return nil
	})
	return form, err
}

func (a *api) pageLanguage(r *http.Request) broker.Language {
	if cookie, err := r.Cookie(langCookie); err == nil {
		switch language := broker.Language(cookie.Value); language {
		case broker.English, broker.Chinese:
			return language
		}
	}
	return languageOf(r)
}

func pageScheme(r *http.Request) string {
	if cookie, err := r.Cookie(schemeCookie); err == nil && slices.Contains(schemes, cookie.Value) {
		return cookie.Value
	}
	return schemes[0]
}

// loginAddress is that of the login, which leads back to the page that was asked for.
func loginAddress(r *http.Request) string {
	if r.Method != http.MethodGet || r.URL.Path == "/" {
		return "/login"
	}
	query := r.URL.Query()
	query.Del("fragment") // whoever logs in wants the whole page
	next := url.URL{Path: r.URL.Path, RawQuery: query.Encode()}
	return "/login?next=" + url.QueryEscape(next.String())
}

// ownAddress gives the address if it is a path of this listener, else that of the first page: who made a link up must
// not be able to lead anybody elsewhere. Browsers take a backslash for a slash.
func ownAddress(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(address, "/") ||
		strings.HasPrefix(address, "//") || strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r == '\\' || r > '~' }) {
		return "/"
	}
	return address
}
