package wechat

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"time"

	"linkbroker/broker"
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

// ParseInspected is what an answer says of a URL Link, for the fuzz target.
func ParseInspected(body []byte) (broker.Inspected, error) {
	got, err := parseAnswer(body)
	switch {
	case err != nil:
		return broker.Inspected{}, unavailable("%w", err)
	case got.errCode != 0:
		return broker.Inspected{}, got.linkError(inquiryRefusals)
	default:
		return got.inspected("url_link_info")
	}
}

// ParseOpenings is how many openings an answer says to be left, for the fuzz target.
func ParseOpenings(body []byte) (int64, error) {
	got, err := parseAnswer(body)
	if err != nil {
		return 0, err
	}
	return got.openings()
}

// ParseTokenAnswer reads what a token server answers, for the fuzz target.
func ParseTokenAnswer(s TokenSource, raw []byte) (Secret, time.Duration, error) { return s.parse(raw) }

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

// Recover forgets what is known of the hosts' health.
func (c *Client) Recover() {
	for _, a := range c.order {
		for _, at := range a.hosts.all {
			a.hosts.note(at, nil, 0)
		}
	}
}

// AwaitProbes waits until no host is being looked at.
func (c *Client) AwaitProbes() {
	for _, a := range c.order {
		a.hosts.probes.Wait()
	}
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
	tables := []map[int]refusal{linkRefusals, inquiryRefusals}
	for _, made := range recipes {
		tables = append(tables, made.refusals)
	}
	for _, table := range tables {
		for errcode, r := range table {
			codes[errcode] = r.code
		}
	}
	return codes
}
