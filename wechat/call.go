package wechat

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"linkbroker/broker"
)

func newApp(given App, client *http.Client, clock broker.Clock, observe func(TokenFetch)) *app {
	a := &app{id: given.ID, hosts: newHosts(client, clock, given.bases()), param: "access_token"}
	var source tokenSource
	switch {
	case given.Token == TokenStable:
		source = &stableToken{app: given, hosts: a.hosts, clock: clock, observe: observe}
	case given.Token == TokenLegacy:
		source = &legacyToken{app: given, hosts: a.hosts, clock: clock, observe: observe}
	case given.Source.File != "":
		source = &fileToken{app: given.ID, path: given.Source.File, clock: clock, observe: observe}
	case given.Token == TokenExternal:
		source = &serverToken{app: given.ID, source: given.Source, client: client, clock: clock, observe: observe}
	default:
		if given.FromAppID != "" {
			a.always = url.Values{"from_appid": {given.FromAppID}}
		}
		return a
	}
	if given.Token == TokenCloudbase {
		a.param = "cloudbase_access_token"
	}
	a.tokens = newKeeper(source, clock)
	return a
}

// reply is an answer of WeChat's to a call with a token.
type reply struct {
	answer

	sent time.Time // when the call was sent
}

// mostTokens bounds with how many tokens a call is tried that change faster than it comes through.
const mostTokens = 6

// ask makes a call, and once more with another token where WeChat refused the present one, which spends nothing. What
// it says of a token that was replaced while the call was under way is no word about the present one, and not counted.
func (c *Client) ask(ctx context.Context, a *app, path string, body []byte) (reply, error) {
	refused := 0
	for tokens := 1; ; tokens++ {
		access, query, err := a.access(ctx)
		if err != nil {
			return reply{}, err
		}
		got, err := c.attempt(ctx, a, request{method: http.MethodPost, path: path, query: query, body: body}, access)
		if err != nil {
			return reply{}, err
		}
		present, dead := a.judge(access, got.errCode)
		if !dead {
			return got, nil
		}
		if present {
			refused++
		}
		if a.tokens == nil || refused == 2 || tokens == mostTokens {
			return reply{}, a.refused(got.answer)
		}
	}
}

// attempt makes one call. Where it could not even be sent, it is made at the next host.
func (c *Client) attempt(ctx context.Context, a *app, call request, access Secret) (got reply, err error) {
	err = a.hosts.each(ctx, once, func(ctx context.Context, base string) error {
		got.sent = c.clock()
		raw, err := a.hosts.do(ctx, base, call)
		if err != nil {
			return err
		}
		if got.answer, err = parseAnswer(raw, access); err != nil {
			return unavailable("WeChat's answer makes no sense")
		}
		return nil
	})
	return got, err
}

// access gives the app's token and the query parameters that carry it.
func (a *app) access(ctx context.Context) (Secret, url.Values, error) {
	if a.tokens == nil {
		return "", a.always, nil
	}
	access, err := a.tokens.get(ctx)
	return access, url.Values{a.param: {string(access)}}, err
}

// judge tells the keeper what WeChat's answer says about a token: whether it is dead, and if so, whether it was still
// the present one.
func (a *app) judge(access Secret, errCode int) (present, dead bool) {
	switch {
	case a.tokens == nil:
		return true, deadToken[errCode]
	case deadToken[errCode]:
		return a.tokens.drop(access), true
	default:
		a.tokens.accept(access)
		return true, false
	}
}

// refused is the error of a call whose tokens WeChat refused. The errcode stays here: a caller who saw it would throw
// away its own token, which is not the matter.
func (a *app) refused(got answer) error {
	if a.tokens == nil {
		return refusal{
			broker.TokenRefused, "WeChat wants an access token: without one it answers only inside its cloud hosting, " +
				"with the open interface service switched on", time.Minute,
		}.err(got)
	}
	return refusal{broker.Unavailable, "WeChat does not take the access token that it gave", leastPause}.err(got)
}
