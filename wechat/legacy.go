package wechat

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"linkbroker/broker"
)

// legacyToken fetches tokens by GET /cgi-bin/token. Each call ends the token before it, for whoever has that one. So
// WeChat is asked only when no living token is known, and the living one is kept over a restart.
type legacyToken struct {
	app     App
	hosts   *hosts
	clock   broker.Clock
	observe func(TokenFetch)
	last    token // that WeChat gave this process; the keeper fetches one at a time
}

// rules: WeChat allows some 2,000 calls a day. A token that is refused before its end was ended by another server that
// asks for tokens of the same app, and that server does the same when it finds its own ended by us.
func (*legacyToken) rules() sourceRules {
	return sourceRules{10 * time.Second, 500, refusal{
		broker.Unavailable, "WeChat refuses the access token it gave: another server seems to fetch tokens of this app by /cgi-bin/token, " +
			"which ends ours; with token: stable neither disturbs the other", leastPause,
	}}
}

// fetch gives the token that is known while it lives. With force it always asks for a new one.
func (l *legacyToken) fetch(ctx context.Context, force bool) (token, error) {
	if known := l.known(ctx); !force && l.clock().Before(known.expiresAt) {
		return known, nil
	}
	asked := l.clock()
	got, err := l.app.tokenCall(ctx, l.hosts, request{method: http.MethodGet, path: "/cgi-bin/token", query: url.Values{
		"grant_type": {"client_credential"}, "appid": {l.app.ID}, "secret": {string(l.app.Secret)},
	}})
	tok := newToken(got.accessToken, asked, time.Duration(got.expiresIn)*time.Second)
	tok.renewAt = tok.expiresAt // while it lives, it is the one that others may have
	var keepErr error
	if err == nil {
		l.last, keepErr = tok, l.app.keepToken(ctx, tok)
	}
	l.observe(TokenFetch{App: l.app.ID, Took: l.clock().Sub(asked), Forced: force, ErrCode: got.errCode, Err: err, KeepErr: keepErr})
	if err != nil {
		return token{}, err
	}
	return tok, nil
}

// known gives the newest token there is: another process may have kept one, or a token could not be kept.
func (l *legacyToken) known(ctx context.Context) token {
	if kept, ok := l.app.keptToken(ctx); ok && kept.fetchedAt.After(l.last.fetchedAt) {
		return kept
	}
	return l.last
}
