package wechat_test

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/wechat"
	"linkbroker/wechat/sandbox"
)

// withFallback makes a client whose first host is the one given, and the second a sandbox.
func withFallback(t *testing.T, first string, clock broker.Clock, mode wechat.TokenMode) (*sandbox.WeChat, *wechat.Client) {
	t.Helper()
	w, second := serveSandbox(t, clock)
	return w, newClientOf(t, wechat.App{Secret: secret, BaseURL: first, Fallbacks: []string{second}, Token: mode}, clock)
}

// hang takes calls and answers none. It counts those that came.
func hang(t *testing.T) (string, *atomic.Int64) {
	t.Helper()
	var came atomic.Int64
	stop := make(chan struct{})
	url := rawServer(t, func(string) string {
		came.Add(1)
		<-stop
		return ""
	})
	t.Cleanup(func() { close(stop) })
	return url, &came
}

// mute is a host to which nothing connects in any time that matters.
func mute(t *testing.T, client *wechat.Client, address string) {
	t.Helper()
	var dialer net.Dialer
	client.DialWith(func(ctx context.Context, network, to string) (net.Conn, error) {
		if to == address {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return dialer.DialContext(ctx, network, to)
	})
}

func TestACallThatCannotBeSentGoesToTheNextHost(t *testing.T) {
	quiet := httptest.NewUnstartedServer(http.NotFoundHandler())
	quiet.Config.ErrorLog = log.New(io.Discard, "", 0) // a client that breaks the handshake off is the point
	quiet.StartTLS()
	t.Cleanup(quiet.Close)
	for claim, first := range map[string]string{
		"nobody listens":              "http://" + closedPort(t),
		"no such name":                "https://nowhere.invalid",
		"a certificate of nobody's":   quiet.URL,
		"plain http where TLS is due": strings.Replace(plainServer(t), "http:", "https:", 1),
		"no connection in time":       "http://127.0.0.1:9",
	} {
		t.Run(claim, func(t *testing.T) {
			w, client := withFallback(t, first, time.Now, wechat.TokenStable)
			if claim == "no connection in time" {
				mute(t, client, "127.0.0.1:9")
			}
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
			defer cancel()
			for range 3 {
				if _, err := client.Generate(ctx, target(t, broker.Target{})); err != nil {
					t.Fatal(err)
				}
			}
			if seen := w.Stats(); seen.Generated != 3 || seen.Calls["/cgi-bin/stable_token"] != 1 {
				t.Errorf("%d links and %d token calls", seen.Generated, seen.Calls["/cgi-bin/stable_token"])
			}
			status := client.Hosts()
			if status[0].Healthy || status[0].Failures != 1 || !status[1].Healthy || !strings.HasPrefix(status[1].Host, "http://127.0.0.1:") {
				t.Errorf("the hosts are %+v", status)
			}
		})
	}
}

func TestACallThatMayHaveSpentAUnitIsNotMadeAgain(t *testing.T) {
	hanging, came := hang(t)
	page := "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15\r\nConnection: close\r\n\r\n<html>sorry</>\n"
	for claim, first := range map[string]string{
		"a host that hangs":        hanging,
		"a host that answers HTML": rawServer(t, func(string) string { return page }),
		"a host that answers 502":  rawServer(t, func(string) string { return "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n" }),
		"a host that hangs up":     rawServer(t, func(string) string { return "" }),
		"a host that redirects": rawServer(t, func(string) string {
			return "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
		}),
		"a host that answers otherwise": rawServer(t, func(string) string { return answered(`[]`) }),
	} {
		t.Run(claim, func(t *testing.T) {
			w, client := withFallback(t, first, time.Now, wechat.TokenStable)
			if err := client.Probe(t.Context(), shop); err != nil {
				t.Fatalf("the token call may be made again anywhere, yet %v", err)
			}
			client.Recover() // what the token call has taught
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
			defer cancel()
			began := time.Now()
			_, err := client.Generate(ctx, target(t, broker.Target{}))
			if e := fails(t, err); e.Unspent || e.Code != broker.Unavailable {
				t.Fatalf("got %s (unspent %v): %v", e.Code, e.Unspent, e)
			}
			if made := w.Stats().Generated; made != 0 {
				t.Fatal("the call was made again by itself")
			}
			// The next call takes a unit of its own, and there is time for it.
			if _, err := client.Generate(ctx, target(t, broker.Target{})); err != nil {
				t.Fatalf("after %v: %v", time.Since(began), err)
			}
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("both took %v", took)
			}
		})
	}
	if n := came.Load(); n != 2 { // a token call and a generate call
		t.Errorf("the host that hangs was called %d times, want 2", n)
	}
}

func TestAnErrcodeIsNoReasonToGoElsewhere(t *testing.T) {
	for _, errcode := range []int{-1, 40165, 44990, 45009, 48001, 85079} {
		clock := newClock()
		first, url := serveSandbox(t, clock.Now)
		second, fallback := serveSandbox(t, clock.Now)
		if err := first.SetFault(sandbox.Fault{Name: "errcode", ErrCode: errcode}); err != nil {
			t.Fatal(err)
		}
		client := newClientOf(t, wechat.App{Secret: secret, BaseURL: url, Fallbacks: []string{fallback}}, clock.Now)
		for range 3 {
			if _, err := client.Generate(t.Context(), target(t, broker.Target{})); err == nil {
				t.Fatal("an errcode is no error")
			}
		}
		if n := len(second.Stats().Calls); n != 0 || !client.Hosts()[0].Healthy {
			t.Errorf("errcode %d: %d routes of the fallback were called, the hosts are %+v", errcode, n, client.Hosts())
		}
	}
}

func TestAHostGetsCallsAgainWhenItAnswersAgain(t *testing.T) {
	clock := newClock()
	var broken atomic.Bool
	first := sandbox.New(t.Context(), sandbox.Config{Apps: []sandbox.App{{ID: shop, Secret: secret}}, OpenApp: shop, Clock: clock.Now})
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if broken.Load() {
			http.Error(rw, "bad gateway", http.StatusBadGateway)
			return
		}
		first.ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	second := sandbox.New(t.Context(), sandbox.Config{Apps: []sandbox.App{{ID: shop, Secret: secret}}, OpenApp: shop, Clock: clock.Now})
	fallback := httptest.NewServer(second)
	t.Cleanup(fallback.Close)
	client := newClientOf(t, wechat.App{BaseURL: server.URL, Fallbacks: []string{fallback.URL}, Token: wechat.TokenNone}, clock.Now)
	generate := func() error {
		_, err := client.Generate(t.Context(), target(t, broker.Target{}))
		return err
	}
	broken.Store(true)
	if generate() == nil {
		t.Fatal("a bad gateway is no error")
	}
	for range 4 { // for 4 s nobody asks it
		clock.pass(time.Second)
		if err := generate(); err != nil {
			t.Fatal(err)
		}
	}
	clock.pass(2 * time.Second)
	if err := generate(); err != nil { // and has it looked at, in vain
		t.Fatal(err)
	}
	client.AwaitProbes()
	if status := client.Hosts()[0]; status.Healthy || status.Failures != 2 {
		t.Fatalf("after a look in vain it is %+v", status)
	}
	broken.Store(false)
	clock.pass(5 * time.Second)
	if err := generate(); err != nil || first.Stats().Generated != 0 {
		t.Fatalf("it was asked too early: %v", err)
	}
	clock.pass(5 * time.Second)
	if err := generate(); err != nil { // this one still goes to the fallback
		t.Fatal(err)
	}
	client.AwaitProbes()
	if err := generate(); err != nil {
		t.Fatal(err)
	}
	if n, m := first.Stats().Generated, second.Stats().Generated; n != 1 || m != 7 {
		t.Errorf("%d links of the first host and %d of the fallback, want 1 and 7", n, m)
	}
	if status := client.Hosts()[0]; !status.Healthy || status.Failures != 0 {
		t.Errorf("in the end it is %+v", status)
	}
}

func TestAllHostsDown(t *testing.T) {
	clock := newClock()
	client := newClientOf(t, wechat.App{
		BaseURL: "http://" + closedPort(t), Fallbacks: []string{"http://" + closedPort(t)}, Token: wechat.TokenNone,
	}, clock.Now)
	for range 3 {
		_, err := client.Generate(t.Context(), target(t, broker.Target{}))
		if e := fails(t, err); !e.Unspent || e.Code != broker.Unavailable {
			t.Fatalf("got %s (unspent %v): %v", e.Code, e.Unspent, e)
		}
		mustNotTell(t, err)
	}
	for _, status := range client.Hosts() {
		if status.Healthy || status.Failures != 3 {
			t.Errorf("got %+v", status)
		}
	}
}

func TestACallerInAHurrySaysNothingOfTheHost(t *testing.T) {
	hanging, _ := hang(t)
	_, client := withFallback(t, hanging, time.Now, wechat.TokenNone)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := client.Generate(ctx, target(t, broker.Target{})); err == nil {
		t.Fatal("a host that hangs is no error")
	}
	if !client.Hosts()[0].Healthy {
		t.Error("a tenth of a second was enough to judge a host by")
	}
}
