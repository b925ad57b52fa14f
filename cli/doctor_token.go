package cli

import (
	"context"
	"errors"
	"strings"

	"linkbroker/broker"
	"linkbroker/wechat"
)

// examineToken has an app's token come as it does in service, which spends no quota and ends no other token. Where the
// token does not come from WeChat, WeChat is asked whether it takes it.
func (d *diagnosis) examineToken(ctx context.Context, client *wechat.Client, app AppConfig) {
	ctx, cancel := context.WithTimeout(ctx, eachTry)
	defer cancel()
	check := "token of " + app.AppID
	if err := client.Probe(ctx, app.AppID); err != nil {
		d.add(failing, check, err.Error(), tokenAdvice(app, err))
		return
	}
	switch app.Token {
	case wechat.TokenStable:
		d.add(fine, check, "WeChat gives one to this machine", "")
		return
	case wechat.TokenLegacy:
		d.add(fine, check, "WeChat gives one to this machine (asked for by stable_token, which leaves the legacy one in use alone)", "")
		return
	case wechat.TokenNone, wechat.TokenCloudbase, wechat.TokenExternal:
	}
	switch err := client.Check(ctx, app.AppID); {
	case err != nil:
		d.add(failing, check, err.Error(), tokenAdvice(app, err))
	case app.Token == wechat.TokenNone:
		d.add(fine, check, "none is needed: WeChat answers without (token: none)", "")
	default:
		d.add(fine, check, "WeChat takes it", "")
	}
}

// tokenAdvice says what helps.
func tokenAdvice(app AppConfig, err error) string {
	refused := errors.Is(err, broker.TokenRefused)
	switch {
	case refused && strings.Contains(err.Error(), "errcode 40164"):
		return "WeChat console > Development > Development settings > IP whitelist: add " + namedAddress(err.Error())
	case app.Token == wechat.TokenCloudbase, app.TokenSource.File != "":
		return "look at " + app.file() + ": whether this user may read it, and whether something keeps it up to date"
	case app.Token == wechat.TokenExternal:
		return "ask the token server yourself with the headers of token_source; compare token_field with its answer"
	case app.Token == wechat.TokenNone:
		return "run it inside WeChat's cloud hosting with the open interface service switched on for these calls, or take token: stable"
	case refused:
		return "WeChat console > Development > Development settings"
	default:
		return "try again; fallback_urls may name another host"
	}
}

// file names the token's file.
func (a AppConfig) file() string {
	if a.TokenSource.File == "" {
		return wechat.CloudbaseFile
	}
	return a.TokenSource.File
}
