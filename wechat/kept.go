package wechat

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"time"
)

// keepPatience bounds how long a store may take: a token that cannot be kept is good all the same.
const keepPatience = 2 * time.Second

// kept is a token as it is kept.
type kept struct {
	Value     string    `json:"token"`
	FetchedAt time.Time `json:"fetched_at"`
	RenewAt   time.Time `json:"renew_at,omitzero"` // zero = at the end
	ExpiresAt time.Time `json:"expires_at"`        // from here it is not sent any more
}

// keptToken gives the token that is kept. One that cannot be read is none: it is of another AppSecret.
func (a App) keptToken(ctx context.Context) (token, bool) {
	if a.Blobs == nil {
		return token{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, keepPatience)
	defer cancel()
	sealed, err := a.Blobs.Blob(ctx, a.keptName())
	if err != nil {
		return token{}, false
	}
	seal, err := a.seal()
	if err != nil {
		return token{}, false
	}
	raw, err := seal.Open(nil, nil, sealed, []byte(a.keptName()))
	var k kept
	if err != nil || json.Unmarshal(raw, &k) != nil {
		return token{}, false
	}
	if k.RenewAt.IsZero() {
		k.RenewAt = k.ExpiresAt
	}
	return token{value: Secret(k.Value), fetchedAt: k.FetchedAt, renewAt: k.RenewAt, expiresAt: k.ExpiresAt}, true
}

// keepToken puts a token away, also while everything stops: WeChat may have ended the one before it.
func (a App) keepToken(ctx context.Context, tok token) error {
	if a.Blobs == nil {
		return nil
	}
	seal, err := a.seal()
	if err != nil {
		return err
	}
	k := kept{Value: string(tok.value), FetchedAt: tok.fetchedAt, ExpiresAt: tok.expiresAt}
	if !tok.renewAt.Equal(tok.expiresAt) {
		k.RenewAt = tok.renewAt
	}
	raw, err := json.Marshal(k)
	if err != nil {
		return errors.New("the token cannot be encoded")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepPatience)
	defer cancel()
	sealed := seal.Seal(nil, nil, raw, []byte(a.keptName())) //nolint:gosec // it draws its nonce itself
	return a.Blobs.PutBlob(ctx, a.keptName(), sealed)
}

func (a App) keptName() string { return "wechat-token-" + a.ID }

// seal gives the cipher for what is kept, whose key comes of the AppSecret: who reads a store or a backup without the
// configuration cannot ask WeChat for anything.
func (a App) seal() (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(a.Secret), nil, "linkbroker kept access token", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
