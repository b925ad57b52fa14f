package cli

import (
	"context"
	"errors"
	"net"
	"net/http"

	"golang.org/x/net/netutil"
)

// front is an HTTP server with the address it has.
type front struct {
	listener net.Listener
	server   *http.Server
	secure   bool // speaks TLS
}

func newFront(ctx context.Context, flag, address string, most int, server *http.Server, cert *certificate) (*front, error) {
	listener, err := listen(ctx, flag, address)
	if err != nil {
		return nil, err
	}
	if cert != nil {
		server.TLSConfig = cert.config()
	}
	listener = netutil.LimitListener(listener, most) // beyond that they wait in the kernel, which costs no memory here
	return &front{listener: listener, server: server, secure: cert != nil}, nil
}

// url is where it is reached from this machine. The port is the real one, also where any was asked for.
func (f *front) url() string {
	host, port, err := net.SplitHostPort(f.listener.Addr().String())
	if err != nil {
		return f.listener.Addr().String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	if f.secure {
		return "https://" + net.JoinHostPort(host, port)
	}
	return "http://" + net.JoinHostPort(host, port)
}

// serve answers until stop.
func (f *front) serve() error {
	serve := f.server.Serve
	if f.secure {
		serve = func(l net.Listener) error { return f.server.ServeTLS(l, "", "") }
	}
	if err := serve(f.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// stop takes no new requests and waits for those under way, which it cuts off when ctx ends.
func (f *front) stop(ctx context.Context) error {
	err := f.server.Shutdown(ctx)
	if err != nil {
		_ = f.server.Close()
	}
	return err
}
