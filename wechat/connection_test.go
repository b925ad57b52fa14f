package wechat_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"linkbroker/broker"
	"linkbroker/wechat"
)

const good = `{"errcode":0,"errmsg":"ok","url_link":"https://wxaurl.cn/x"}`

// counted serves a handler and counts the connections that are opened to it.
func counted(t *testing.T, handler http.HandlerFunc) (server *httptest.Server, opened *atomic.Int64) {
	t.Helper()
	opened = new(atomic.Int64)
	server = httptest.NewUnstartedServer(handler)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	t.Cleanup(server.Close)
	return server, opened
}

func TestAConnectionIsUsedAgainWhateverWasAnswered(t *testing.T) {
	long := strings.Repeat("<p>upstream is not there</p>\n", 1000)
	for claim, answer := range map[string]http.HandlerFunc{
		"an errcode": func(rw http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(rw, `{"errcode":40165,"errmsg":"no"}`)
		},
		"garbage": func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, long) },
		"an error of a proxy with a page": func(rw http.ResponseWriter, _ *http.Request) {
			rw.WriteHeader(http.StatusBadGateway)
			_, _ = io.WriteString(rw, long)
		},
		"an error in chunks": func(rw http.ResponseWriter, _ *http.Request) {
			rw.WriteHeader(http.StatusServiceUnavailable)
			for range 3 {
				_, _ = io.WriteString(rw, long[:1000])
				rw.(http.Flusher).Flush() //nolint:errcheck,forcetypeassert // net/http's own can
			}
		},
		"nothing": func(http.ResponseWriter, *http.Request) {},
	} {
		t.Run(claim, func(t *testing.T) {
			server, opened := counted(t, answer)
			server.Start()
			client := newClient(t, server.URL, newClock().Now, wechat.TokenNone)
			for range 10 {
				if _, err := client.Generate(t.Context(), target(t, broker.Target{})); err == nil {
					t.Fatal("that was no link")
				}
			}
			if n := opened.Load(); n != 1 {
				t.Errorf("%d connections for 10 calls, one after the other", n)
			}
		})
	}
}

func TestCallsShareAConnectionOfHTTP2(t *testing.T) {
	const callers = 64
	meet := newBarrier(callers)
	server, opened := counted(t, func(rw http.ResponseWriter, _ *http.Request) {
		meet.wait() // so that all are in flight together
		_, _ = io.WriteString(rw, good)
	})
	server.EnableHTTP2 = true
	server.StartTLS()
	client := newClient(t, server.URL, newClock().Now, wechat.TokenNone)
	trust(client, server)
	after := make([]int64, 5)
	for round := range after {
		for _, err := range generateMany(t, client, callers) {
			if err != nil {
				t.Fatal(err)
			}
		}
		after[round] = opened.Load()
	}
	// Until the first connection has said that it speaks HTTP/2, each caller opens his own.
	if after[0] > callers || after[4] != after[0] {
		t.Errorf("%d connections after 5 rounds of %d callers, want at most one each in the first, and no more later", after, callers)
	}
}

func trust(client *wechat.Client, server *httptest.Server) {
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	client.Trust(pool)
}

// TestADeadConnectionOfHTTP2IsNoticed: where a firewall forgets a connection, nothing comes any more and nobody says so.
// Without a ping each call would be sent down the same hole until the system gives up, after a quarter of an hour.
func TestADeadConnectionOfHTTP2IsNoticed(t *testing.T) {
	outside := httptest.NewUnstartedServer(nil) // lends its certificate
	outside.StartTLS()
	defer outside.Close()
	synctest.Test(t, func(t *testing.T) {
		conns := make(chan net.Conn)
		server := &http.Server{
			Handler:   http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, good) }),
			TLSConfig: &tls.Config{Certificates: outside.TLS.Certificates, MinVersion: tls.VersionTLS12},
		}
		go func() { _ = server.ServeTLS(&pipeListener{conns: conns, done: make(chan struct{})}, "", "") }()
		client := newClient(t, "https://127.0.0.1", time.Now, wechat.TokenNone)
		trust(client, outside)
		var dialled []*hole
		client.DialWith(func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			conns <- far
			dialled = append(dialled, &hole{Conn: near})
			return dialled[len(dialled)-1], nil
		})
		t.Cleanup(func() {
			client.Close()
			_ = server.Close()
		})
		generate := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
			defer cancel()
			_, err := client.Generate(ctx, target(t, broker.Target{}))
			return err
		}
		for range 2 {
			if err := generate(); err != nil || len(dialled) != 1 {
				t.Fatalf("%d connections, %v", len(dialled), err)
			}
		}
		dialled[0].dead.Store(true)
		if err := generate(); err == nil || fails(t, err).Unspent {
			t.Errorf("a call that nobody answers: %v", err)
		}
		time.Sleep(6 * time.Second)
		if err := generate(); err != nil || len(dialled) != 2 {
			t.Errorf("ten seconds later: %v, by %d connections", err, len(dialled))
		}
	})
}

// hole is a connection that swallows everything once it is dead.
type hole struct {
	net.Conn

	dead atomic.Bool
}

func (h *hole) Write(p []byte) (int, error) {
	if h.dead.Load() {
		return len(p), nil
	}
	return h.Conn.Write(p)
}

func (h *hole) Read(p []byte) (int, error) {
	for {
		n, err := h.Conn.Read(p)
		if err != nil || !h.dead.Load() {
			return n, err
		}
	}
}
