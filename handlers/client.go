package handlers

import (
	"cmp"
	"errors"
	"strings"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// prefixPath is the path prefix that carries an API key, and prefixParam the name of that key in it.
const (
	prefixPath  = "/k/{apikey}"
	prefixParam = "apikey"
)

// caller is who asks.
type caller struct {
	broker.Client

	key      broker.KeyDigest // that it showed
	app      string           // that the broker token names; empty without one
	tokenErr error            // what is wrong with a token that was to name the app
}

// authenticate finds out who asks. Of several credentials the first decides: the path prefix, the Authorization
// header, the access_token. Where another one came first, a broker token in access_token still names the app: an
// SDK whose base URL has a prefix sends both.
func (a *api) authenticate(c *gin.Context) (caller, error) {
	if a.keysOnly {
		return a.whoHasKey(bearer(c))
	}
	token := accessToken(c.Request.URL.RawQuery)
	credential := cmp.Or(c.Param(prefixParam), bearer(c), token)
	who, err := a.whoHas(credential)
	if err != nil || who.app != "" || !broker.IsToken(token) {
		return who, err
	}
	named, err := a.whoHas(token)
	switch {
	case err != nil:
		who.tokenErr = err
	case named.Name == who.Name:
		who.app = named.app
	}
	return who, nil
}

// whoHas finds the owner of an API key or a broker token.
func (a *api) whoHas(credential string) (caller, error) {
	if !broker.IsToken(credential) {
		return a.whoHasKey(credential)
	}
	now := a.Clock()
	client, app, err := a.Tokens.Check(credential, now)
	switch {
	case errors.Is(err, broker.ErrTokenExpired):
		return caller{}, broker.Errorf(tokenExpired, "the token has expired: ask for a new one")
	case err != nil:
		return caller{}, broker.Errorf(broker.BadCredential, "the token is not valid here, or its owner's key is gone")
	}
	return caller{Client: client, app: app}, nil
}

// whoHasKey finds the owner of an API key. A key past its end is like a wrong one.
func (a *api) whoHasKey(key string) (caller, error) {
	if key == "" {
		return caller{}, broker.Errorf(unauthenticated, "an API key is needed")
	}
	client, digest, ok := a.Clients.ByKey(key, a.Clock())
	if !ok {
		return caller{}, broker.Errorf(broker.BadCredential, "the API key is not valid")
	}
	return caller{Client: client, key: digest}, nil
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
func (a *api) onlyApp(client broker.Client) string {
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
