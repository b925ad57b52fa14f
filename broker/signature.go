package broker

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// signatureVersion is the first line of what is signed.
const signatureVersion = "linkbroker signature 1"

// longestSignature is the furthest a signature may reach into the future: it cannot be taken back by itself.
const longestSignature = 24 * time.Hour

// SigningText is what a client's server signs, so that a page of its may ask for one target with any query and
// without an API key: five lines, separated by a line feed, of the version, the appid, path and query as they will
// be sent, and the Unix second until which the signature is good.
func SigningText(app, path, query string, until int64) string {
	return strings.Join([]string{signatureVersion, app, path, query, strconv.FormatInt(until, 10)}, "\n")
}

// Sign gives the signature of a text: HMAC-SHA-256 in hexadecimal, under the SHA-256 of an API key, for the key
// itself is kept nowhere.
func (d KeyDigest) Sign(text string) string {
	mac := hmac.New(sha256.New, d[:])
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

// Signed checks a request that a client's server has signed, and gives the client.
func (c *Clients) Signed(name, text, signature string, until int64, now time.Time) (*Client, error) {
	client := c.named(name)
	good := false
	var signedWith KeyDigest
	for _, key := range client.Keys {
		if hmac.Equal([]byte(key.Digest.Sign(text)), []byte(signature)) && key.live(now) {
			good, signedWith = true, key.Digest
		}
	}
	switch {
	case !good || client.Publishable || !client.Enabled(now):
		return nil, Errorf(BadCredential, "the signature is not valid")
	case until <= now.Unix():
		return nil, Errorf(BadCredential, "the signature has expired: sign a later until")
	case until > now.Add(longestSignature).Unix():
		return nil, Errorf(BadCredential, "until is more than 24 hours away")
	}
	if !client.Configured() {
		c.touch(signedWith, now)
	}
	return client, nil
}
