package wechat

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"linkbroker/broker"
)

// stableToken fetches tokens by POST /cgi-bin/stable_token. Asked again within a token's life WeChat gives the same
// one, so any number of machines may ask; a forced refresh is what takes it from the others.
type stableToken struct {
	app     App
	hosts   *hosts
	clock   broker.Clock
	observe func(TokenFetch)
}

// TokenFetch is one attempt to get an access token.
type TokenFetch struct {
	App     string
	Took    time.Duration
	Forced  bool  // a forced refresh, which kills the token others use
	ErrCode int   // WeChat's; 0 if it gave a token, did not answer or was not asked
	Err     error // nil if it gave a token; tells no secret
	KeepErr error // why a token that came could not be kept; nil if it was or need not be
}

// stableTokenBody is the body of the call. The order of its fields is the order on the wire.
type stableTokenBody struct {
	GrantType    string `json:"grant_type"`
	AppID        string `json:"appid"`
	Secret       string `json:"secret"`
	ForceRefresh bool   `json:"force_refresh,omitempty"`
}

// rules: a forced refresh kills the token for everybody who shares the app. WeChat allows 20 a day, 30 s apart.
func (*stableToken) rules() sourceRules {
	return sourceRules{31 * time.Second, 10, refusal{
		broker.Unavailable, "WeChat refuses the access token it gives, and another refresh cannot be forced yet", leastPause,
	}}
}

func (s *stableToken) fetch(ctx context.Context, force bool) (token, error) {
	asked := s.clock()
	got, err := s.call(ctx, force)
	tok := newToken(got.accessToken, asked, time.Duration(got.expiresIn)*time.Second)
	var keepErr error
	if err == nil && s.app.shared() {
		keepErr = s.app.keepToken(ctx, tok)
	}
	s.observe(TokenFetch{App: s.app.ID, Took: s.clock().Sub(asked), Forced: force, ErrCode: got.errCode, Err: err, KeepErr: keepErr})
	if err != nil {
		return token{}, err
	}
	return tok, nil
}

func (s *stableToken) call(ctx context.Context, force bool) (answer, error) {
	fields := stableTokenBody{"client_credential", s.app.ID, string(s.app.Secret), force}
	body, err := json.Marshal(fields) //nolint:gosec // this is where the secret is meant to go
	if err != nil {
		return answer{}, unspent(broker.Internal, "the token call could not be built")
	}
	return s.app.tokenCall(ctx, s.hosts, request{method: http.MethodPost, path: "/cgi-bin/stable_token", body: body})
}

// tokenCall makes one of WeChat's two calls for a token. It generates nothing, so it can be made again at the next host
// whatever became of it.
func (a App) tokenCall(ctx context.Context, h *hosts, call request) (answer, error) {
	var got answer
	err := h.each(ctx, repeatable, func(ctx context.Context, base string) error {
		raw, err := h.do(ctx, base, call)
		if err != nil {
			return err
		}
		if got, err = parseAnswer(raw, a.Secret); err != nil {
			return unavailable("WeChat's answer to the token call makes no sense")
		}
		return nil
	})
	switch {
	case err != nil:
		return answer{}, markUnspent(err)
	case got.errCode != 0:
		return got, got.tokenError()
	case got.accessToken == "" || got.expiresIn <= 0:
		return got, unspent(broker.Unavailable, "WeChat's answer to the token call holds no token")
	default:
		return got, nil
	}
}
