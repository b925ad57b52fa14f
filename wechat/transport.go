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

// request is one call. The query and the body may hold secrets.
type request struct {
	method string
	path   string     // after the base URL
	query  url.Values // may be nil
	body   []byte     // may be nil
	header http.Header
}

// do makes one call to WeChat at one host.
func (h *hosts) do(ctx context.Context, base string, call request) ([]byte, error) {
	call.path = base + call.path
	return exchange(ctx, h.client, "WeChat", call)
}

// exchange makes one call and gives the body of its answer. Its errors are *broker.Error of code Unavailable with texts
// of our own: net/http's hold the whole URL, and with it the token. Unspent says that the call never left.
func exchange(ctx context.Context, client *http.Client, whom string, call request) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var left atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, departure(&left))
	address := call.path
	if len(call.query) > 0 {
		address += "?" + call.query.Encode()
	}
	// A reader of known length: WeChat answers a chunked body with 44002, "empty post data".
	req, err := http.NewRequestWithContext(ctx, call.method, address, bytes.NewReader(call.body))
	if err != nil {
		return nil, unspent(broker.Internal, "the call to %s could not be built", whom)
	}
	if call.header != nil {
		req.Header = call.header
	}
	if call.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("User-Agent", "linkbroker")
	resp, err := client.Do(req)
	if err != nil {
		return nil, callError(whom, err, left.Load())
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case resp.StatusCode != http.StatusOK:
		return nil, unavailable("%s answers with HTTP status %d", whom, resp.StatusCode)
	case err != nil:
		return nil, callError(whom, err, true)
	case len(answer) > maxAnswer:
		return nil, unavailable("%s's answer is longer than %d bytes", whom, maxAnswer)
	default:
		return answer, nil
	}
}

// departure notes when a call may have begun to leave: before it has a connection it certainly has not.
func departure(left *atomic.Bool) *httptrace.ClientTrace {
	return &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { left.Store(true) }}
}

// callError says in our own words why a call failed.
func callError(whom string, err error, left bool) error {
	told := worded(whom, err)
	told.Unspent = !left
	return told
}

func worded(whom string, err error) *broker.Error {
	unavailable := func(format string, args ...any) *broker.Error {
		return broker.Errorf(broker.Unavailable, format, append([]any{whom}, args...)...)
	}
	errno, system := errors.AsType[syscall.Errno](err)
	timed, ok := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, context.Canceled):
		return unavailable("the call to %s was given up: %w", context.Canceled)
	case errors.Is(err, context.DeadlineExceeded):
		return unavailable("%s did not answer in time: %w", context.DeadlineExceeded)
	case is[*net.DNSError](err):
		return unavailable("%s cannot be reached: the name of its host is not found")
	case is[*tls.CertificateVerificationError](err):
		return unavailable("%s cannot be reached: the certificate of its host is not trusted")
	case is[tls.RecordHeaderError](err), errors.Is(err, http.ErrSchemeMismatch):
		return unavailable("%s cannot be reached: its host does not speak TLS")
	case ok && timed.Timeout():
		return unavailable("%s did not answer in time")
	case system:
		return unavailable("the connection to %s failed: %w", errno)
	default:
		return unavailable("the connection to %s broke before it had answered")
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
