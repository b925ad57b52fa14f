package wechat

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"syscall"
	"time"

	"linkbroker/broker"
)

const (
	callTimeout = 10 * time.Second // a whole call, for those whose context has no earlier end
	dialTimeout = 3 * time.Second  // to connect, and again for the TLS handshake

	// idleTimeout is short because a POST is not sent again when the connection it was written to turns out to be
	// closed: it may have spent quota.
	idleTimeout = 30 * time.Second

	// pingAfter finds an HTTP/2 connection dead, on which otherwise every call would time out.
	pingAfter = 5 * time.Second

	maxIdle   = 256      // connections kept for the next call
	maxAnswer = 64 << 10 // bytes; a real answer has a few hundred
)

// newHTTPClient makes the client for every app. It never follows a redirect: net/http would send the body, which
// holds the AppSecret, to wherever a 307 points.
func newHTTPClient() *http.Client {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            dialer.DialContext,
			TLSHandshakeTimeout:    dialTimeout,
			ResponseHeaderTimeout:  callTimeout,
			IdleConnTimeout:        idleTimeout,
			MaxIdleConns:           maxIdle,
			MaxIdleConnsPerHost:    maxIdle,
			MaxResponseHeaderBytes: maxAnswer,
			ForceAttemptHTTP2:      true,
			HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: dialTimeout},
			DisableCompression:     true,
		},
	}
}

// post makes one call and gives the body of its answer. Its errors are *broker.Error of code Unavailable with texts
// of our own: net/http's hold the whole URL, and with it the token. Unspent says that the call never left.
func post(ctx context.Context, client *http.Client, address string, query url.Values, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var left atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { left.Store(true) },
	})
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	// A reader of known length: WeChat answers a chunked body with 44002, "empty post data".
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, unspent(broker.Internal, "the call to WeChat could not be built")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "linkbroker")
	resp, err := client.Do(req)
	switch {
	case err != nil && !left.Load():
		return nil, markUnspent(callError(err))
	case err != nil:
		return nil, callError(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case resp.StatusCode != http.StatusOK:
		return nil, unavailable("WeChat answers with HTTP status %d", resp.StatusCode)
	case err != nil:
		return nil, callError(err)
	case len(answer) > maxAnswer:
		return nil, unavailable("WeChat's answer is longer than %d bytes", maxAnswer)
	default:
		return answer, nil
	}
}

// callError says in our own words why a call failed.
func callError(err error) error {
	errno, system := errors.AsType[syscall.Errno](err)
	timed, ok := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, context.Canceled):
		return unavailable("the call to WeChat was given up: %w", context.Canceled)
	case errors.Is(err, context.DeadlineExceeded):
		return unavailable("WeChat did not answer in time: %w", context.DeadlineExceeded)
	case is[*net.DNSError](err):
		return unavailable("WeChat cannot be reached: the name of its host is not found")
	case is[*tls.CertificateVerificationError](err):
		return unavailable("WeChat cannot be reached: the certificate of its host is not trusted")
	case is[tls.RecordHeaderError](err), errors.Is(err, http.ErrSchemeMismatch):
		return unavailable("WeChat cannot be reached: its host does not speak TLS")
	case ok && timed.Timeout():
		return unavailable("WeChat did not answer in time")
	case system:
		return unavailable("the connection to WeChat failed: %w", errno)
	default:
		return unavailable("the connection to WeChat broke before it had answered")
	}
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// unavailable makes the error of a call that may have spent a unit of quota.
func unavailable(format string, args ...any) error {
	return broker.Errorf(broker.Unavailable, format, args...)
}

// unspent makes the error of a call that was never made.
func unspent(code broker.Code, format string, args ...any) error {
	return markUnspent(broker.Errorf(code, format, args...))
}

// markUnspent notes on an error that no link can have been generated.
func markUnspent(err error) error {
	if e, ok := errors.AsType[*broker.Error](err); ok {
		e.Unspent = true
	}
	return err
}
