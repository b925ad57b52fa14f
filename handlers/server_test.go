package handlers_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"linkbroker/handlers"
)

// serve runs a real server on a real socket, and gives its address.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // of a test
	if err != nil {
		t.Fatal(err)
	}
	server := handlers.NewServer(h, time.Second, slog.New(slog.DiscardHandler))
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		if err := server.Shutdown(context.Background()); err != nil { // and not Close, which waits for nobody
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

// shout sends bytes over a socket, says that there will be no more, and reads what comes back.
func shout(t *testing.T, address, bytes string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address) //nolint:noctx // of a test
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(conn, bytes) // the server may have hung up by then, and with reason
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
	answer, _ := io.ReadAll(conn)
	return string(answer)
}

// TestGarbageOnTheSocketIsNoFaultOfOurs sends what no client sends. 501 and 505 are net/http's, before any handler,
// for a transfer coding and a version of HTTP that it does not know, as RFC 9110 has it.
func TestGarbageOnTheSocketIsNoFaultOfOurs(t *testing.T) {
	w := newFastWorld(t)
	addresses := []string{serve(t, w.public), serve(t, w.admin)}
	const head = "POST /wxa/generate_urllink?access_token=" + shopKey + " HTTP/1.1\r\nHost: x\r\n"
	garbage := map[string]string{
		"nothing":                        "",
		"TLS":                            "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"HTTP/2 without asking":          "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"zeros":                          strings.Repeat("\x00", 4096),
		"no version":                     "GET /\r\n\r\n",
		"a version that is none":         "GET / HTTP/9.9\r\n\r\n",
		"no host":                        "GET / HTTP/1.1\r\n\r\n",
		"two hosts":                      "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"a method that is none":          "EAT / HTTP/1.1\r\nHost: x\r\n\r\n",
		"a star":                         "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
		"CONNECT":                        "CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n",
		"an address without a slash":     "GET nosuch HTTP/1.1\r\nHost: x\r\n\r\n",
		"an address of another host":     "GET http://other/healthz HTTP/1.1\r\nHost: x\r\n\r\n",
		"bad percent-encoding":           "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
		"an encoded slash":               "GET /k%2F" + shopKey + "/wxa/x HTTP/1.1\r\nHost: x\r\n\r\n",
		"a zero byte in the address":     "GET /l/%00 HTTP/1.1\r\nHost: x\r\n\r\n",
		"dots":                           "GET /../../../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
		"slashes":                        "GET " + strings.Repeat("/", 4000) + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"a long address":                 "GET /" + strings.Repeat("a", 64<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"a long header":                  "GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("a", 64<<10) + "\r\n\r\n",
		"a header that is none":          "GET / HTTP/1.1\r\nHost: x\r\nX\r\n\r\n",
		"an Authorization that is none":  "GET /api/v1/link?path=p HTTP/1.1\r\nHost: x\r\nAuthorization: \xff\xfe\r\n\r\n",
		"half a body":                    head + "Content-Length: 100\r\n\r\n{\"path\"",
		"two lengths":                    head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
		"a negative length":              head + "Content-Length: -1\r\n\r\n{}",
		"an endless length":              head + "Content-Length: 99999999999999999999\r\n\r\n{}",
		"a length beyond what we take":   head + "Content-Length: 1000000\r\n\r\n{}",
		"a chunk that is none":           head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
		"chunks without an end":          head + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
		"a coding that is none":          head + "Transfer-Encoding: eaten\r\n\r\n{}",
		"a length and chunks":            head + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		"an expectation that is none":    head + "Expect: miracles\r\nContent-Length: 2\r\n\r\n{}",
		"an upgrade":                     "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"a second request that is none":  head + "Content-Length: 2\r\n\r\n{}\x00\x01\x02\r\n\r\n",
		"a semicolon in the query":       "GET /api/v1/link?path=p;a=1&access_token=" + shopKey + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"an amount of parameters":        "GET /api/v1/link?" + strings.Repeat("a&", 2000) + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"an address with a newline":      "GET /api\r\n/v1 HTTP/1.1\r\nHost: x\r\n\r\n",
		"a body where none is looked at": "GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 300 {
		bytes := []byte(head + "Content-Length: 12\r\n\r\n{\"path\":\"p\"}")
		for range 1 + i/50 {
			bytes[random.IntN(len(bytes))] = byte(random.Uint32())
		}
		garbage["random "+string(bytes)] = string(bytes)
	}
	for name, bytes := range garbage {
		for _, address := range addresses {
			first, _, _ := strings.Cut(shout(t, address, bytes), "\r\n")
			if strings.HasPrefix(first, "HTTP/1.1 5") && !strings.HasPrefix(first, "HTTP/1.1 501") && !strings.HasPrefix(first, "HTTP/1.1 505") {
				t.Errorf("%s: %s", name, first)
			}
		}
	}
	if log := w.log.String(); strings.Contains(log, "panic") || strings.Contains(log, "ERROR") {
		t.Error(log)
	}
}

// TestASlowClientIsCutOff holds the server's timeouts against clients that send nothing, or a byte at a time.
func TestASlowClientIsCutOff(t *testing.T) {
	for name, test := range map[string]struct {
		sends string
		after time.Duration
	}{
		"one that says nothing":           {"", 5 * time.Second},
		"one that stops in the header":    {"POST /x HTTP/1.1\r\nHost:", 5 * time.Second},
		"one that stops in the body":      {"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{", 15 * time.Second},
		"one that says nothing any more":  {"GET /x HTTP/1.1\r\nHost: x\r\n\r\n", 2 * time.Minute},
		"one that trickles in the header": {"trickle", 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, conn := net.Pipe()
				listener := &oneConn{conn: conn, closed: make(chan struct{})}
				reads := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
				server := handlers.NewServer(reads, time.Second, slog.New(slog.DiscardHandler))
				go func() { _ = server.Serve(listener) }()
				begin := time.Now()
				sent := make(chan struct{})
				go func() {
					defer close(sent)
					if test.sends != "trickle" {
						_, _ = io.WriteString(client, test.sends)
						return
					}
					for {
						if _, err := io.WriteString(client, "G"); err != nil {
							return
						}
						time.Sleep(time.Second)
					}
				}()
				_, _ = io.Copy(io.Discard, bufio.NewReader(client))
				if took := time.Since(begin); took > test.after+time.Second {
					t.Errorf("cut off after %s", took)
				}
				err := client.Close()
				<-sent
				if err := errors.Join(err, server.Shutdown(context.Background())); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// oneConn is a listener with one connection.
type oneConn struct {
	conn   net.Conn
	taken  bool
	closed chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if !l.taken {
		l.taken = true
		return l.conn, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error {
	close(l.closed)
	return nil
}

func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

func TestAnAnswerMayTakeItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const deadline = 30 * time.Second
		client, conn := net.Pipe()
		listener := &oneConn{conn: conn, closed: make(chan struct{})}
		server := handlers.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(deadline):
				_, _ = io.WriteString(w, "a link")
			case <-r.Context().Done():
			}
		}), deadline, slog.New(slog.DiscardHandler))
		go func() { _ = server.Serve(listener) }()
		go func() { _, _ = io.WriteString(client, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") }()
		answer, _ := io.ReadAll(client)
		if !strings.HasSuffix(string(answer), "a link") {
			t.Errorf("got %q", answer)
		}
		if err := server.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
}
