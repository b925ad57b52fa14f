package wechat_test

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"linkbroker/wechat"
	"linkbroker/wechat/sandbox"
)

// bubble serves a handler over connections in memory, for which testing/synctest can wait, to a client that tells the
// bubble's time.
func bubble(t *testing.T, handler http.Handler) *wechat.Client {
	t.Helper()
	return bubbleOf(t, handler, wechat.App{Secret: secret, Token: wechat.TokenStable})
}

// bubbleOf does so for an app with settings of its own.
func bubbleOf(t *testing.T, handler http.Handler, app wechat.App) *wechat.Client {
	t.Helper()
	app.BaseURL = "http://127.0.0.1"
	conns, done := make(chan net.Conn), make(chan struct{})
	server := &http.Server{Handler: handler}
	go func() { _ = server.Serve(&pipeListener{conns: conns, done: done}) }()
	client := newClientOf(t, app, time.Now)
	client.DialWith(func(ctx context.Context, _, _ string) (net.Conn, error) {
		near, far := net.Pipe()
		select {
		case conns <- far:
			return near, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	t.Cleanup(func() {
		client.Close()
		_ = server.Close()
	})
	return client
}

type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

// sandboxBubble is a sandbox in a bubble, whose token calls take three seconds from the first on.
func sandboxBubble(t *testing.T) (*sandbox.WeChat, *wechat.Client) {
	t.Helper()
	w := sandbox.New(t.Context(), sandbox.Config{Apps: []sandbox.App{{ID: shop, Secret: secret}}, Clock: time.Now})
	if err := w.SetFault(sandbox.Fault{Name: "slow", Route: "/cgi-bin/stable_token"}); err != nil {
		t.Fatal(err)
	}
	return w, bubble(t, w)
}
