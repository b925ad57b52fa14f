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
	if given.shared() {
		source = &sharedToken{tokenSource: source, app: given, clock: clock}
	}
	a.tokens = newKeeper(source, clock)
	return a
}

// shared reports whether the app's token is fetched for all brokers on a store at once.
func (a App) shared() bool { return a.Leases != nil && a.Blobs != nil && a.Token.NeedsSecret() }

// reply is an answer of WeChat's to a call with a token.
type reply struct {
	answer

	sent time.Time // when the call was sent
}

// mostTokens bounds with how many tokens a call is tried that change faster than it comes through.
const mostTokens = 10

// ask makes a call, and again with another token where WeChat refused the one it had, which spends nothing. Whether
// there is another, and whether it may be asked for, the keeper knows.
func (c *Client) ask(ctx context.Context, a *app, path string, body []byte) (reply, error) {
	for tokens := 1; ; tokens++ {
		access, query, err := a.access(ctx)
		if err != nil {
			return reply{}, err
		}
		got, err := c.attempt(ctx, a, request{method: http.MethodPost, path: path, query: query, body: body}, access)
		if err != nil {
			return reply{}, err
		}
		if !a.refuses(access, got.errCode) {
			return got, nil
		}
		if a.tokens == nil || tokens == mostTokens {
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

// refuses reports whether an errcode says that the token is dead, and tells the keeper what it says of it.
func (a *app) refuses(access Secret, errCode int) bool {
	dead := deadToken[errCode]
	switch {
	case a.tokens == nil:
	case dead:
		a.tokens.drop(access)
	default:
		a.tokens.accept(access)
	}
	return dead
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
