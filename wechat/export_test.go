package wechat

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
)

// ParseError is what an answer of a generate call means, for the fuzz target.
func ParseError(body []byte, hidden ...Secret) (link string, err error) {
	got, err := parseAnswer(body, hidden...)
	switch {
	case err != nil:
		return "", err
	case got.errCode != 0:
		return "", got.linkError(nil)
	default:
		return got.text("url_link"), nil
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
