package wechat_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"linkbroker/broker"
	"linkbroker/wechat"
	"linkbroker/wechat/sandbox"
)

// The store keeps a sandbox's state.
var _ sandbox.State = broker.BlobStore(nil)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	shop   = "wxshop"
	secret = "canary-app-secret"
)

// clock is a clock that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// serveSandbox serves a fake WeChat on a real socket.
func serveSandbox(t *testing.T, clock broker.Clock) (*sandbox.WeChat, string) {
	t.Helper()
	w := sandbox.New(t.Context(), sandbox.Config{Apps: []sandbox.App{{ID: shop, Secret: secret, Rate: 1 << 20}}, Clock: clock})
	ts := httptest.NewServer(w)
	t.Cleanup(ts.Close)
	return w, ts.URL
}

// newClient makes a client of one app. It is closed before the servers that the test began earlier.
func newClient(t *testing.T, url string, clock broker.Clock, mode wechat.TokenMode) *wechat.Client {
	t.Helper()
	return newClientOf(t, wechat.App{Secret: secret, BaseURL: url, Token: mode}, clock)
}

// newClientOf makes a client of an app with settings of its own.
func newClientOf(t *testing.T, app wechat.App, clock broker.Clock) *wechat.Client {
	t.Helper()
	app.ID = shop
	c, err := wechat.New([]wechat.App{app}, clock, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// target is a normalised target, as the domain hands it over.
func target(t *testing.T, given broker.Target) broker.Target {
	t.Helper()
	given.App = shop
	normal, err := given.Normalize()
	if err != nil {
		t.Fatal(err)
	}
	return normal
}

// fails gives the broker's error of a Generate that must fail.
func fails(t *testing.T, err error) *broker.Error {
	t.Helper()
	e, ok := errors.AsType[*broker.Error](err)
	if !ok {
		t.Fatalf("got %v, want a *broker.Error", err)
	}
	return e
}

// rawServer is a server without net/http's manners: for each request it is told the bytes as they came and writes
// back the bytes it is given, then ends the connection.
func rawServer(t *testing.T, answer func(request string) string) string {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				if request, err := readRequest(conn); err == nil {
					_, _ = io.WriteString(conn, answer(request))
				}
				_ = conn.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		serving.Wait()
	})
	return "http://" + listener.Addr().String()
}

func readRequest(conn io.Reader) (string, error) {
	var seen bytes.Buffer
	req, err := http.ReadRequest(bufio.NewReader(io.TeeReader(conn, &seen)))
	if err != nil {
		return "", err
	}
	if _, err := io.Copy(io.Discard, req.Body); err != nil {
		return "", err
	}
	return seen.String(), nil
}

// answered gives the bytes of an answer with status 200.
func answered(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(body), body)
}

const canaryToken = "canary-access-token"

// withToken answers the token call well, and all other calls as it is told.
func withToken(answer func(request string) string) func(string) string {
	return func(request string) string {
		if strings.HasPrefix(request, "POST /cgi-bin/stable_token ") {
			return answered(`{"access_token":"` + canaryToken + `","expires_in":7200}`)
		}
		return answer(request)
	}
}

// golden compares with a file in testdata, and writes it when GOLDEN=update is set.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if os.Getenv("GOLDEN") == "update" {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs:\ngot\n%s\nwant\n%s", file, got, want)
	}
}
