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
	client  *http.Client
	clock   broker.Clock
	observe func(TokenFetch)
}

// TokenFetch is one call for an access token.
type TokenFetch struct {
	App     string
	Took    time.Duration
	Forced  bool  // a forced refresh, which kills the token others use
	ErrCode int   // WeChat's; 0 if it gave a token or did not answer
	Err     error // nil if it gave a token; tells no secret
}

// stableTokenBody is the body of the call. The order of its fields is the order on the wire.
type stableTokenBody struct {
	GrantType    string `json:"grant_type"`
	AppID        string `json:"appid"`
	Secret       string `json:"secret"`
	ForceRefresh bool   `json:"force_refresh,omitempty"`
}

func (s *stableToken) fetch(ctx context.Context, force bool) (token, error) {
	asked := s.clock()
	got, err := s.call(ctx, force)
	s.observe(TokenFetch{App: s.app.ID, Took: s.clock().Sub(asked), Forced: force, ErrCode: got.errCode, Err: err})
	if err != nil {
		return token{}, err
	}
	return newToken(got.accessToken, asked, time.Duration(got.expiresIn)*time.Second), nil
}

func (s *stableToken) call(ctx context.Context, force bool) (answer, error) {
	fields := stableTokenBody{"client_credential", s.app.ID, string(s.app.Secret), force}
	body, err := json.Marshal(fields) //nolint:gosec // this is where the secret is meant to go
	if err != nil {
		return answer{}, unspent(broker.Internal, "the token call could not be built")
	}
	raw, err := post(ctx, s.client, s.app.BaseURL+"/cgi-bin/stable_token", nil, body)
	if err != nil {
		return answer{}, markUnspent(err) // whatever became of it, no link was generated
	}
	got, err := parseAnswer(raw, s.app.Secret)
	switch {
	case err != nil:
		return answer{}, unspent(broker.Unavailable, "WeChat's answer to the token call makes no sense")
	case got.errCode != 0:
		return got, got.tokenError()
	case got.accessToken == "" || got.expiresIn <= 0:
		return got, unspent(broker.Unavailable, "WeChat's answer to the token call holds no token")
	default:
		return got, nil
	}
}
