package wechat

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"errors"
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

// keepPatience bounds how long a store may take: a token that cannot be kept is good all the same.
const keepPatience = 2 * time.Second

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
		l.last, keepErr = tok, l.keep(ctx, tok)
	}
	l.observe(TokenFetch{App: l.app.ID, Took: l.clock().Sub(asked), Forced: force, ErrCode: got.errCode, Err: err, KeepErr: keepErr})
	if err != nil {
		return token{}, err
	}
	return tok, nil
}

// keptToken is a token as it is kept.
type keptToken struct {
	Value     string    `json:"token"`
	FetchedAt time.Time `json:"fetched_at"`
	ExpiresAt time.Time `json:"expires_at"` // from here it is not sent any more
}

// known gives the newest token there is: another process may have kept one, or a token could not be kept.
func (l *legacyToken) known(ctx context.Context) token {
	if kept, ok := l.kept(ctx); ok && kept.fetchedAt.After(l.last.fetchedAt) {
		return kept
	}
	return l.last
}

// kept gives the token that is kept. One that cannot be read is none: it is of another AppSecret.
func (l *legacyToken) kept(ctx context.Context) (token, bool) {
	if l.app.Blobs == nil {
		return token{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, keepPatience)
	defer cancel()
	sealed, err := l.app.Blobs.Blob(ctx, l.name())
	if err != nil {
		return token{}, false
	}
	seal, err := l.seal()
	if err != nil {
		return token{}, false
	}
	raw, err := seal.Open(nil, nil, sealed, []byte(l.name()))
	var k keptToken
	if err != nil || json.Unmarshal(raw, &k) != nil {
		return token{}, false
	}
	return token{value: Secret(k.Value), fetchedAt: k.FetchedAt, renewAt: k.ExpiresAt, expiresAt: k.ExpiresAt}, true
}

// keep puts a token away, also while everything stops: WeChat has ended the one before it.
func (l *legacyToken) keep(ctx context.Context, tok token) error {
	if l.app.Blobs == nil {
		return nil
	}
	seal, err := l.seal()
	if err != nil {
		return err
	}
	raw, err := json.Marshal(keptToken{string(tok.value), tok.fetchedAt, tok.expiresAt})
	if err != nil {
		return errors.New("the token cannot be encoded")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepPatience)
	defer cancel()
	sealed := seal.Seal(nil, nil, raw, []byte(l.name())) //nolint:gosec // it draws its nonce itself
	return l.app.Blobs.PutBlob(ctx, l.name(), sealed)
}

func (l *legacyToken) name() string { return "wechat-token-" + l.app.ID }

// seal gives the cipher for what is kept, whose key comes of the AppSecret: who reads a store or a backup without the
// configuration cannot ask WeChat for anything.
func (l *legacyToken) seal() (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(l.app.Secret), nil, "linkbroker kept access token", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
