package broker

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"sync/atomic"
	"time"
)

// TokenLife is how long a broker token is good: what WeChat's own tokens say.
const TokenLife = 7200 * time.Second

// tokenPrefix tells a broker token from an API key and from one of WeChat's tokens. Its dot is in no API key.
const tokenPrefix = "lb1."

// tokenKeyName is the blob that holds the key which signs tokens.
const tokenKeyName = "token-key"

// Tokens signs and checks broker tokens: what the facade hands out where WeChat hands out an access_token, because
// SDKs ask for one before they ask for a link. It names a client and an app and dies with the client's key.
type Tokens struct {
	store   BlobStore
	clients *Clients
	key     atomic.Pointer[[]byte]
}

// OpenTokens reads the signing key from the store and makes it on the first start.
func OpenTokens(ctx context.Context, store BlobStore, clients *Clients) (*Tokens, error) {
	key, err := store.Blob(ctx, tokenKeyName)
	if errors.Is(err, NotFound) {
		key = make([]byte, sha256.Size)
		rand.Read(key) // never fails: it ends the program rather
		key, err = store.AddBlob(ctx, tokenKeyName, key)
	}
	if err != nil {
		return nil, err
	}
	t := &Tokens{store: store, clients: clients}
	t.key.Store(&key)
	return t, nil
}

// Refresh takes the signing key over that the store has by now, and stores the present one where it has none: of several brokers
// on a store that has lost its key, all follow the first.
func (t *Tokens) Refresh(ctx context.Context) error {
	key, err := t.store.AddBlob(ctx, tokenKeyName, *t.key.Load())
	if err == nil {
		t.key.Store(&key)
	}
	return err
}

// IsToken reports whether a credential has the form of a broker token.
func IsToken(credential string) bool { return strings.HasPrefix(credential, tokenPrefix) }

// Sign makes a token for a client, one of its keys and an app, good until now + TokenLife.
func (t *Tokens) Sign(client Client, key KeyDigest, app string, now time.Time) string {
	payload := binary.BigEndian.AppendUint64(nil, uint64(now.Add(TokenLife).Unix())) //nolint:gosec // after 1970
	payload = append(payload, client.Name+"\x00"+app...)
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(append(t.mac(key, payload), payload...))
}

// Errors of Check.
var (
	ErrTokenInvalid = errors.New("the token is not one of this broker")
	ErrTokenExpired = errors.New("the token has expired")
)

// Check gives the client and the app of a token. A client whose key is gone is gone with its tokens.
func (t *Tokens) Check(token string, now time.Time) (*Client, string, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(strings.TrimPrefix(token, tokenPrefix))
	if err != nil || len(raw) < sha256.Size+8 {
		return nil, "", ErrTokenInvalid
	}
	mac, payload := raw[:sha256.Size], raw[sha256.Size:]
	name, app, _ := strings.Cut(string(payload[8:]), "\x00")
	client := t.clients.named(name)
	good := false
	for _, key := range client.Keys {
		good = key.live(now) && hmac.Equal(mac, t.mac(key.Digest, payload)) || good
	}
	switch {
	case !good || !client.Enabled(now):
		return nil, "", ErrTokenInvalid
	case uint64(now.Unix()) >= binary.BigEndian.Uint64(payload): //nolint:gosec // after 1970
		return nil, "", ErrTokenExpired
	}
	return client, app, nil
}

// mac covers the digest of the key the token was asked for with, which the token itself does not carry: it dies
// with that key.
func (t *Tokens) mac(key KeyDigest, payload []byte) []byte {
	h := hmac.New(sha256.New, *t.key.Load())
	h.Write(key[:])
	h.Write(payload)
	return h.Sum(nil)
}
