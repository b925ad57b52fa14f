package handlers

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// prefixPath is the path prefix that carries an API key, and prefixParam the name of that key in it.
const (
	prefixPath  = "/k/{apikey}"
	prefixParam = "apikey"
)

// keyParam is the parameter that carries a publishable key.
const keyParam = "key"

// caller is who asks.
type caller struct {
	*broker.Client // the directory's own, not to be changed; nil where anybody may ask

	key      broker.KeyDigest // that it showed
	app      string           // that the broker token names; empty without one
	tokenErr error            // what is wrong with a token that was to name the app
	signed   bool             // a signature stands for a key
	inParam  bool             // the key stands in the address and is publishable
	address  netip.Prefix     // from where, if that is limited
	session  string           // of the admin page; empty without one
}

// exposed reports whether what the caller showed stands in web pages, so that anybody may show it.
func (w caller) exposed() bool { return w.Publishable || w.signed }

// request completes what is asked with who asks.
func (w *caller) request(req broker.Request) broker.Request {
	w.ask(&req)
	return req
}

// ask is request in place.
func (w *caller) ask(req *broker.Request) {
	req.Client, req.Signed, req.Address = w.Client, w.signed, w.address
	req.OnlyIfCached = !w.Role.Includes(broker.RoleGenerate)
}

// credential is what a caller shows, and what may stand in that place.
type credential struct {
	text  string
	takes keys
}

// keys are kinds of API keys. A secret key must not stand in a parameter that is made for web pages, for there it is
// no secret any more; nor must one that everybody knows be taken where an SDK has its secret.
type keys int

const (
	secretKeys keys = 1 << iota
	publishableKeys
)

// authenticate finds out who asks. Of several credentials the first decides: the path prefix, the Authorization
// header, the access_token, the key of a web page, a signature. Where another one came first, a broker token in
// access_token still names the app: an SDK whose base URL has a prefix sends both.
func (a *api) authenticate(c *gin.Context, r route) (caller, error) {
	if a.admin {
		return a.whoAdministers(c)
	}
	query := c.Request.URL.RawQuery
	token := accessToken(query)
	shown := a.credential(c, token, query)
	if shown.text == "" && r.traits&signable != 0 && hasSignature(query) {
		return a.whoSigned(query)
	}
	who, err := a.whoHas(shown)
	if err != nil || who.app != "" || !broker.IsToken(token) {
		return who, err
	}
	named, err := a.whoHas(credential{token, secretKeys})
	switch {
	case err != nil:
		who.tokenErr = err
	case named.Name == who.Name:
		who.app = named.app
	}
	return who, nil
}

// credential gives the first of those that can stand in a request.
func (a *api) credential(c *gin.Context, token, query string) credential {
	if text := cmp.Or(c.Param(prefixParam), bearer(c)); text != "" {
		return credential{text, secretKeys | publishableKeys}
	}
	if token != "" || query == "" {
		return credential{token, secretKeys}
	}
	return credential{param(query, keyParam), publishableKeys}
}

// whoHas finds the owner of an API key or a broker token.
func (a *api) whoHas(shown credential) (caller, error) {
	if !broker.IsToken(shown.text) || shown.takes&secretKeys == 0 {
		return a.whoHasKey(shown)
	}
	client, app, err := a.Tokens.Check(shown.text, a.Clock())
	switch {
	case errors.Is(err, broker.ErrTokenExpired):
		return caller{}, broker.Errorf(tokenExpired, "the token has expired: ask for a new one")
	case err != nil:
		return caller{}, broker.Errorf(broker.BadCredential, "the token is not valid here, or its owner's key is gone")
	}
	return caller{Client: client, app: app}, nil
}

// whoHasKey finds the owner of an API key. A wrong one, one past its end and one in a wrong place are told alike.
func (a *api) whoHasKey(shown credential) (caller, error) {
	if shown.text == "" {
		return caller{}, broker.Errorf(unauthenticated, "an API key is needed")
	}
	client, digest, ok := a.Clients.ByKey(shown.text, a.Clock())
	kind := secretKeys
	if ok && client.Publishable {
		kind = publishableKeys
	}
	if !ok || shown.takes&kind == 0 {
		return caller{}, broker.Errorf(broker.BadCredential, "the API key is not valid here")
	}
	return caller{Client: client, key: digest, inParam: shown.takes == publishableKeys}, nil
}

// again finds a client that was let in before, as it is by now, unless it or the key that it showed may not be used any
// more. The zero key is that of a token.
func (a *api) again(name string, key broker.KeyDigest) (*broker.Client, bool) {
	now := a.Clock()
	client, ok := a.Clients.ByName(name)
	keyLives := key == broker.KeyDigest{} || slices.ContainsFunc(client.Keys, func(k broker.ClientKey) bool {
		return k.Digest == key && (k.ExpiresAt.IsZero() || now.Before(k.ExpiresAt))
	})
	return &client, ok && keyLives && client.Enabled(now)
}

// admitAgain is asked while an exchange lasts: a key that is revoked meanwhile opens no more, and a grant that is changed
// holds for what follows.
func (a *api) admitAgain(who caller) (caller, error) {
	client, ok := a.again(who.Name, who.key)
	if !ok || client.Publishable != who.Publishable || !client.Role.Includes(who.Role) {
		return who, broker.Errorf(broker.BadCredential, "the API key was good for this, and is no more")
	}
	who.Client = client
	return who, nil
}

// chooseApp settles for which mini program a request is: the one that the token names, else the one asked for, else
// the only one there is for the client.
func (a *api) chooseApp(who caller, asked string) (string, error) {
	app := cmp.Or(who.app, asked, a.onlyApp(who.Client))
	switch {
	case app == "" && who.tokenErr != nil:
		return "", who.tokenErr
	case app == "":
		return "", broker.Errorf(broker.UnknownApp, "which mini program? name its appid")
	case asked != "" && asked != app:
		return "", broker.Errorf(broker.UnknownApp, "the token is for another mini program than the appid asked for")
	case !who.MayUse(app):
		return "", broker.Errorf(broker.Forbidden, "the key is not for this mini program")
	}
	return app, nil
}

// onlyApp gives the one app a client can mean, if there is just one.
func (a *api) onlyApp(client *broker.Client) string {
	if len(client.Grant.Apps) == 1 {
		return client.Grant.Apps[0]
	}
	if apps := a.Broker.Apps(); len(client.Grant.Apps) == 0 && len(apps) == 1 {
		return apps[0].ID
	}
	return ""
}

// bearer gives the credential of the Authorization header, empty if there is none.
func bearer(c *gin.Context) string {
	const scheme = "Bearer "
	header := c.Request.Header.Get("Authorization")
	if len(header) <= len(scheme) || !strings.EqualFold(header[:len(scheme)], scheme) {
		return ""
	}
	return strings.TrimSpace(header[len(scheme):])
}

// accessToken gives the credential of the query.
func accessToken(query string) string {
	if query == "" {
		return ""
	}
	return cmp.Or(param(query, "access_token"), param(query, "cloudbase_access_token"))
}
