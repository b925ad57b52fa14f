package wechat_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/wechat"
)

// TestErrorsTellNoSecret brings about every failure there is and looks for what must not be in its text: the token,
// the secret, any address.
func TestErrorsTellNoSecret(t *testing.T) {
	quiet := httptest.NewUnstartedServer(http.NotFoundHandler())
	quiet.Config.ErrorLog = log.New(io.Discard, "", 0) // a client that breaks the handshake off is the point
	quiet.StartTLS()
	t.Cleanup(quiet.Close)
	refuse := func(err error) func(context.Context, string, string) (net.Conn, error) {
		return func(context.Context, string, string) (net.Conn, error) { return nil, err }
	}
	tests := []struct {
		claim   string
		url     string
		dial    func(context.Context, string, string) (net.Conn, error)
		says    string
		unspent bool
	}{
		{claim: "nobody listens", url: "http://" + closedPort(t), says: "connection refused", unspent: true},
		{
			claim: "no such host", url: "https://canary.example", unspent: true,
			dial: refuse(&net.DNSError{Err: "no such host", Name: "canary.example", IsNotFound: true}), says: "name of its host",
		},
		{claim: "an untrusted certificate", url: quiet.URL, says: "not trusted", unspent: true},
		{claim: "plain http where TLS is expected", url: strings.Replace(plainServer(t), "http:", "https:", 1), says: "does not speak TLS", unspent: true},
		{
			claim: "a time-out while connecting", url: "https://127.0.0.1:1", unspent: true,
			dial: refuse(&net.OpError{Op: "dial", Err: timeout{}}), says: "in time",
		},
		{claim: "a connection that ends", url: rawServer(t, func(string) string { return "" }), says: "broke"},
		{claim: "garbage for HTTP", url: rawServer(t, func(string) string { return "hello " + canaryToken + "\r\n\r\n" }), says: "broke"},
		{claim: "headers without end", url: rawServer(t, func(string) string {
			return "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n"
		}), says: "broke"},
		{claim: "half an answer", url: rawServer(t, func(string) string {
			return strings.Replace(answered(`{"errcode":40165}`), "17", "18", 1)
		}), says: "broke"},
		{claim: "a redirect", url: rawServer(t, func(string) string {
			return "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/?" + canaryToken + "\r\nContent-Length: 0\r\n\r\n"
		}), says: "HTTP status 307"},
	}
	for _, test := range tests {
		for _, mode := range []wechat.TokenMode{wechat.TokenNone, wechat.TokenStable} {
			t.Run(fmt.Sprintf("%s, token %s", test.claim, mode), func(t *testing.T) {
				client := newClient(t, test.url, newClock().Now, mode)
				if test.dial != nil {
					client.DialWith(test.dial)
				}
				_, err := client.Generate(t.Context(), target(t, broker.Target{Path: "canary/page"}))
				e := fails(t, err)
				if e.Code != broker.Unavailable || !strings.Contains(e.Message, test.says) {
					t.Errorf("got %s, %q, want it to say %q", e.Code, e.Message, test.says)
				}
				// A token call that fails makes no link, whatever became of it.
				if want := test.unspent || mode == wechat.TokenStable; e.Unspent != want {
					t.Errorf("unspent is %v, want %v", e.Unspent, want)
				}
				mustNotTell(t, err)
			})
		}
	}
}

func TestErrorsOfACallWithATokenTellNoSecret(t *testing.T) {
	for claim, answer := range map[string]string{
		"a connection that ends": "",
		"garbage":                "HTTP/9 nonsense " + canaryToken + "\r\n\r\n",
		"an errmsg with all":     answered(`{"errcode":85999,"errmsg":"https://x?access_token=` + canaryToken + ` ` + canaryToken + `"}`),
		"a dead token":           answered(`{"errcode":40001,"errmsg":"invalid ` + canaryToken + `"}`),
	} {
		base := rawServer(t, withToken(func(string) string { return answer }))
		_, err := newClient(t, base, newClock().Now, wechat.TokenStable).Generate(t.Context(), target(t, broker.Target{}))
		t.Log(claim, err)
		mustNotTell(t, fails(t, err))
	}
}

// mustNotTell looks through all that a logger could print of an error.
func mustNotTell(t *testing.T, err error) {
	t.Helper()
	text := fmt.Sprintf("%v %+v %#v", err, err, err)
	for _, told := range []string{"canary", "://", "127.0.0.1", "access_token", url.QueryEscape(secret)} {
		if strings.Contains(text, told) {
			t.Errorf("the error tells %q: %s", told, text)
		}
	}
}

func TestATimeOutTellsNoSecret(t *testing.T) {
	stop := make(chan struct{})
	base := rawServer(t, withToken(func(string) string { <-stop; return "" }))
	t.Cleanup(func() { close(stop) })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	client := newClient(t, base, newClock().Now, wechat.TokenStable)
	_, err := client.Generate(ctx, target(t, broker.Target{}))
	if e := fails(t, err); e.Unspent || !strings.Contains(e.Message, "in time") {
		t.Errorf("got %v (unspent %v)", e, e.Unspent)
	}
	mustNotTell(t, err)
}

func TestHTTP2IsUsedWhereOffered(t *testing.T) {
	var proto, length atomic.Int64
	var broken atomic.Bool
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		proto.Store(int64(r.ProtoMajor))
		length.Store(r.ContentLength)
		if broken.Load() {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(rw, `{"errcode":0,"url_link":"https://wxaurl.cn/x"}`)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	client := newClient(t, server.URL, newClock().Now, wechat.TokenNone)
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	client.Trust(pool)
	if _, err := client.Generate(t.Context(), target(t, broker.Target{})); err != nil {
		t.Fatal(err)
	}
	if proto.Load() != 2 || length.Load() <= 0 {
		t.Errorf("HTTP/%d with Content-Length %d, want HTTP/2 with one", proto.Load(), length.Load())
	}
	broken.Store(true)
	_, err := client.Generate(t.Context(), target(t, broker.Target{}))
	if e := fails(t, err); e.Unspent || e.Code != broker.Unavailable {
		t.Errorf("a stream that is reset: %s (unspent %v), want %s (false)", e.Code, e.Unspent, broker.Unavailable)
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	var opened atomic.Int64
	const callers, rounds = 64, 5
	meet := newBarrier(callers)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		meet.wait() // so that all are in flight together
		_, _ = io.WriteString(rw, `{"errcode":0,"url_link":"https://wxaurl.cn/x"}`)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	client := newClient(t, server.URL, newClock().Now, wechat.TokenNone)
	for range rounds {
		for _, err := range generateMany(t, client, callers) {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	// A connection may come back a moment after its answer, so a few more than callers are no fault.
	if n := opened.Load(); n > 2*callers {
		t.Errorf("%d connections for %d rounds of %d callers", n, rounds, callers)
	}
}

// barrier lets callers pass n at a time.
type barrier struct {
	mu      sync.Mutex
	n, here int
	open    chan struct{}
}

func newBarrier(n int) *barrier { return &barrier{n: n, open: make(chan struct{})} }

func (b *barrier) wait() {
	b.mu.Lock()
	open := b.open
	if b.here++; b.here == b.n {
		close(open)
		b.here, b.open = 0, make(chan struct{})
	}
	b.mu.Unlock()
	<-open
}

// timeout is an error as a dialer's time-out is one.
type timeout struct{}

func (timeout) Error() string   { return "i/o timeout of canary" }
func (timeout) Timeout() bool   { return true }
func (timeout) Temporary() bool { return true }

// closedPort gives an address at which nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

func plainServer(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	return server.URL
}
