package cli

import (
	"crypto/tls"
	"log/slog"

	"linkbroker/broker"
	"linkbroker/wechat"
)

// NewEventLog gives what Policy.Observe and the WeChat client tell the log.
func NewEventLog(logger *slog.Logger, clock broker.Clock) (func(broker.Event), func(wechat.TokenFetch)) {
	e := newEventLog(logger, clock)
	return e.observe, e.observeToken
}

// NewCertificate gives what a listener asks at each handshake.
func NewCertificate(files TLSConfig, logger *slog.Logger) (func() (*tls.Certificate, error), error) {
	c, err := newCertificate(files, logger)
	if err != nil {
		return nil, err
	}
	return func() (*tls.Certificate, error) { return c.get(nil) }, nil
}
