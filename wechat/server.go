package wechat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"linkbroker/broker"
)

// serverToken asks the operator's own token server.
type serverToken struct {
	app     string
	source  TokenSource
	client  *http.Client
	clock   broker.Clock
	observe func(TokenFetch)
}

// serverPatience bounds a call to the token server, so that a caller who waits can still be told.
const serverPatience = 3 * time.Second

func (*serverToken) rules() sourceRules {
	return sourceRules{refused: refusal{
		broker.TokenRefused, "WeChat refuses the access token that the token server gives: the server has to give a living one", leastPause,
	}}
}

func (s *serverToken) fetch(ctx context.Context, _ bool) (token, error) {
	asked := s.clock()
	tok, err := s.call(ctx, asked)
	s.observe(TokenFetch{App: s.app, Took: s.clock().Sub(asked), Err: err})
	return tok, err
}

func (s *serverToken) call(ctx context.Context, asked time.Time) (token, error) {
	ctx, cancel := context.WithTimeout(ctx, serverPatience)
	defer cancel()
	header := make(http.Header, len(s.source.Headers))
	for _, h := range s.source.Headers {
		header.Add(h.Name, string(h.Value))
	}
	raw, err := exchange(ctx, s.client, "the token server", request{method: http.MethodGet, path: s.source.URL, header: header})
	if err != nil {
		return token{}, markUnspent(err)
	}
	value, life, err := s.source.parse(raw)
	if err != nil {
		return token{}, unspent(broker.Unavailable, "the token server's answer %w", err)
	}
	if s.source.LifeField == "" {
		return token{value: value, fetchedAt: asked, renewAt: asked.Add(lookServer), expiresAt: asked.Add(untold)}, nil
	}
	return newToken(value, asked, life), nil
}

// parse reads an answer. Its errors repeat nothing of it.
func (s TokenSource) parse(raw []byte) (value Secret, life time.Duration, err error) {
	raw = bytes.TrimPrefix(raw, []byte("\xEF\xBB\xBF"))
	if !json.Valid(raw) {
		return "", 0, errors.New("is no JSON")
	}
	text := looseText(member(raw, s.Field))
	if !isToken(text) {
		return "", 0, errors.New("holds no token at " + s.Field + " (token_source.token_field)")
	}
	if s.LifeField == "" {
		return Secret(text), 0, nil
	}
	seconds, err := looseNumber(member(raw, s.LifeField))
	if err != nil || seconds <= 0 {
		return "", 0, errors.New("tells no life above 0 s at " + s.LifeField + " (token_source.expires_in_field)")
	}
	return Secret(text), time.Duration(seconds) * time.Second, nil
}

// member gives what stands in a JSON object at a path such as data.access_token; nil if nothing does.
func member(raw json.RawMessage, path string) json.RawMessage {
	for name := range strings.SplitSeq(path, ".") {
		var object map[string]json.RawMessage
		if json.Unmarshal(raw, &object) != nil {
			return nil
		}
		raw = object[name]
	}
	return raw
}
