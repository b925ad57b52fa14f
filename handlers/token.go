package handlers

import (
	"bytes"
	"cmp"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// tokenRequest is what WeChat's two token calls take. Other fields (force_refresh) mean nothing here.
type tokenRequest struct {
	GrantType string `json:"grant_type"`
	AppID     string `json:"appid"`
	Secret    string `json:"secret"` // the API key
}

// token answers GET and POST /cgi-bin/token and POST /cgi-bin/stable_token with a token of our own. The secret is
// the caller's API key; under a path prefix, which carries that key already, it is ignored. A publishable key gets none: a token is what servers ask for.
func (a *api) token(c *gin.Context, _ caller) error {
	in := tokenRequest{
		GrantType: param(c.Request.URL.RawQuery, "grant_type"),
		AppID:     param(c.Request.URL.RawQuery, "appid"),
		Secret:    param(c.Request.URL.RawQuery, "secret"),
	}
	if c.Request.Method == http.MethodPost {
		err := a.bodies.read(c.Request, func(data []byte) error {
			if len(bytes.TrimSpace(data)) == 0 && in.AppID != "" {
				return nil // the parameters of the address will do
			}
			return decode(data, &in)
		})
		if err != nil {
			return err
		}
	}
	who, err := a.whoHasKey(credential{cmp.Or(c.Param(prefixParam), bearer(c), in.Secret), secretKeys})
	if err != nil {
		return err
	}
	if err := a.limit(c, &who); err != nil {
		return err
	}
	if in.GrantType != "client_credential" {
		return broker.Errorf(badGrant, "grant_type must be client_credential")
	}
	app, err := a.chooseApp(who, in.AppID)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(a.Broker.Apps(), func(known broker.App) bool { return known.ID == app }) {
		return broker.Errorf(broker.UnknownApp, "no mini program of this appid is configured")
	}
	c.Writer.Header().Set("Cache-Control", "no-store")
	writeJSON(c, http.StatusOK, struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"` // seconds
	}{a.Tokens.Sign(*who.Client, who.key, app, a.Clock()), int(broker.TokenLife.Seconds())})
	return nil
}
