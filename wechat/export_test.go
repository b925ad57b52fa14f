package wechat

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"

	"linkbroker/broker"
)

// ParseError is what an answer of a generate call means, for the fuzz target.
func ParseError(body []byte, hidden ...Secret) (link string, err error) {
	got, err := parseAnswer(body, hidden...)
	switch {
	case err != nil:
		return "", err
	case got.errCode != 0:
		return "", got.linkError()
	default:
		return got.urlLink, nil
	}
}

// DialWith makes the client connect in another way: over connections in memory, for testing/synctest.
func (c *Client) DialWith(dial func(ctx context.Context, network, address string) (net.Conn, error)) {
	c.transport().DialContext = dial
}

// Trust makes the client accept certificates of the pool.
func (c *Client) Trust(pool *x509.CertPool) {
	c.transport().TLSClientConfig = &tls.Config{RootCAs: pool}
}

func (c *Client) transport() *http.Transport {
	return c.http.Transport.(*http.Transport) //nolint:errcheck,forcetypeassert // newHTTPClient has made it
}

// ErrCodes are all that are known, and as what each is answered: where links are made rather than tokens, if it may be
// said of both. Of dead tokens nobody is told: as far as it is explained, the caller's own is meant.
func ErrCodes() map[int]broker.Code {
	codes := make(map[int]broker.Code)
	for errcode := range deadToken {
		codes[errcode] = broker.BadCredential
	}
	for errcode, r := range tokenRefusals {
		codes[errcode] = r.code
	}
	for errcode, r := range linkRefusals {
		codes[errcode] = r.code
	}
	return codes
}
