package wechat_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"linkbroker/broker"
	"linkbroker/wechat"
	"linkbroker/wechat/sandbox"
)

// generateMany generates so many links at once and gives the errors.
func generateMany(t *testing.T, client *wechat.Client, n int) []error {
	t.Helper()
	asked := target(t, broker.Target{Path: "pages/item"})
	errs := make([]error, n)
	start := make(chan struct{})
	var callers sync.WaitGroup
	for i := range errs {
		callers.Go(func() {
			<-start
			_, errs[i] = client.Generate(t.Context(), asked)
		})
	}
	close(start)
	callers.Wait()
	return errs
}

func TestOneFetchServesAThousandCallers(t *testing.T) {
	expire := func(_ *sandbox.WeChat, clock *clock) { clock.pass(2 * time.Hour) }
	steal := func(w *sandbox.WeChat, _ *clock) { w.Steal(shop, false) }
	tests := []struct {
		claim  string
		mode   wechat.TokenMode
		route  string
		before func(w *sandbox.WeChat, clock *clock)
		most   int
	}{
		{"an expired token", wechat.TokenStable, "/cgi-bin/stable_token", expire, 1},
		{"a stolen token", wechat.TokenStable, "/cgi-bin/stable_token", steal, 1},
		{
			"a dead token that is given out again", wechat.TokenStable, "/cgi-bin/stable_token",
			func(w *sandbox.WeChat, _ *clock) { w.Steal(shop, true) }, 2,
		},
		{"an expired token of the old call", wechat.TokenLegacy, "/cgi-bin/token", expire, 1},
		{"a stolen token of the old call", wechat.TokenLegacy, "/cgi-bin/token", steal, 1},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			clock := newClock()
			w, url := serveSandbox(t, clock.Now)
			client := newClient(t, url, clock.Now, test.mode)
			if err := client.Probe(t.Context(), shop); err != nil {
				t.Fatal(err)
			}
			clock.pass(time.Minute)
			test.before(w, clock)
			// The first answers come when all callers have left with what token they had.
			if err := w.SetFault(sandbox.Fault{Name: "slow", Delay: 500 * time.Millisecond, Times: 1000}); err != nil {
				t.Fatal(err)
			}
			for _, err := range generateMany(t, client, 1000) {
				if err != nil {
					t.Fatalf("a caller saw %v", err)
				}
			}
			if calls := w.Stats().Calls[test.route] - 1; calls > test.most {
				t.Errorf("%d token calls, want %d at most", calls, test.most)
			}
		})
	}
}

func TestATokenIsRenewedWhileItIsStillGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, client := sandboxBubble(t)
		asked := target(t, broker.Target{})
		if _, err := client.Generate(t.Context(), asked); err != nil {
			t.Fatal(err)
		}
		first := client.Tokens()[0]
		time.Sleep(time.Until(first.ExpiresAt) - 4*time.Minute)

		began := time.Now()
		for range 5 {
			if _, err := client.Generate(t.Context(), asked); err != nil {
				t.Fatal(err)
			}
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("callers waited %v for the next token though the old one was good", waited)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if calls := w.Stats().Calls["/cgi-bin/stable_token"]; calls != 2 {
			t.Errorf("%d token calls, want 2", calls)
		}
		if next := client.Tokens()[0]; next.ExpiresAt.Sub(first.ExpiresAt) < time.Hour {
			t.Errorf("the token still ends at %v", next.ExpiresAt)
		}
		if _, err := client.Generate(t.Context(), asked); err != nil {
			t.Error(err)
		}
	})
}

func TestACallerWhoHangsUpFailsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, client := sandboxBubble(t)
		asked := target(t, broker.Target{})
		began := time.Now()
		var callers sync.WaitGroup
		var hungUp error
		callers.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, hungUp = client.Generate(ctx, asked); time.Since(began) != time.Second {
				t.Errorf("a caller with one second waited %v", time.Since(began))
			}
		})
		synctest.Wait() // it is first, so the fetch is its
		callers.Go(func() {
			if _, err := client.Generate(t.Context(), asked); err != nil || time.Since(began) != 3*time.Second {
				t.Errorf("after %v: %v", time.Since(began), err)
			}
		})
		callers.Wait()
		if e := fails(t, hungUp); !e.Unspent || e.Code != broker.Unavailable {
			t.Errorf("got %s (unspent %v)", e.Code, e.Unspent)
		}
		if calls := w.Stats().Calls["/cgi-bin/stable_token"]; calls != 1 {
			t.Errorf("%d token calls, want 1", calls)
		}
	})
}

func TestALateWordAboutAnOldTokenDoesNotCostTheNewOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, client := sandboxBubble(t)
		w.ClearFaults()
		asked := target(t, broker.Target{})
		if err := client.Probe(t.Context(), shop); err != nil {
			t.Fatal(err)
		}
		w.Steal(shop, false)
		if err := w.SetFault(sandbox.Fault{Name: "token_dead", Times: 1, Delay: 5 * time.Second}); err != nil {
			t.Fatal(err)
		}
		var late sync.WaitGroup
		late.Go(func() {
			if _, err := client.Generate(t.Context(), asked); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		if _, err := client.Generate(t.Context(), asked); err != nil {
			t.Error(err)
		}
		late.Wait()
		if calls := w.Stats().Calls["/cgi-bin/stable_token"]; calls != 2 {
			t.Errorf("%d token calls, want 2: the first and the one after the theft", calls)
		}
	})
}

func TestAFetchThatFailedIsRememberedForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := sandbox.New(t.Context(), sandbox.Config{Apps: []sandbox.App{{ID: shop, Secret: "another"}}, Clock: time.Now})
		client := bubble(t, w)
		began := time.Now()
		var at []string
		for time.Since(began) < time.Minute {
			before := w.Stats().Calls["/cgi-bin/stable_token"]
			if e := fails(t, client.Probe(t.Context(), shop)); e.Code != broker.TokenRefused || !e.Unspent {
				t.Fatalf("got %s (unspent %v)", e.Code, e.Unspent)
			}
			if w.Stats().Calls["/cgi-bin/stable_token"] > before {
				at = append(at, time.Since(began).String())
			}
			time.Sleep(100 * time.Millisecond)
		}
		if got, want := strings.Join(at, " "), "0s 1s 3s 7s 15s 25s 35s 45s 55s"; got != want {
			t.Errorf("a wrong secret is tried at %s, want %s", got, want)
		}
	})
}

// obstinate is a WeChat that goes on giving out one token and goes on refusing it, but for the hours of its good mood.
type obstinate struct {
	mood   atomic.Bool
	mu     sync.Mutex
	forced []time.Time
}

func (o *obstinate) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body := make([]byte, r.ContentLength)
	_, _ = r.Body.Read(body)
	switch {
	case r.URL.Path == "/cgi-bin/stable_token":
		if strings.Contains(string(body), `"force_refresh":true`) {
			o.mu.Lock()
			o.forced = append(o.forced, time.Now())
			o.mu.Unlock()
		}
		fmt.Fprint(rw, `{"access_token":"SAME","expires_in":7200}`)
	case o.mood.Load():
		fmt.Fprint(rw, `{"errcode":0,"url_link":"https://wxaurl.cn/x"}`)
	default:
		fmt.Fprint(rw, `{"errcode":40001,"errmsg":"invalid credential"}`)
	}
}

func TestForcedRefreshesAreGuarded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wechat := &obstinate{}
		client := bubble(t, wechat)
		asked := target(t, broker.Target{})
		for began := time.Now(); time.Since(began) < 25*time.Hour; time.Sleep(17 * time.Second) {
			_, err := client.Generate(t.Context(), asked)
			if e := fails(t, err); e.Code != broker.Unavailable || e.ErrCode != 0 || !e.Unspent {
				t.Fatalf("got %s, errcode %d (unspent %v)", e.Code, e.ErrCode, e.Unspent)
			}
		}
		for i, at := range wechat.forced {
			if i > 0 && at.Sub(wechat.forced[i-1]) < 30*time.Second {
				t.Errorf("forced refreshes %d and %d are %v apart", i, i+1, at.Sub(wechat.forced[i-1]))
			}
			if i >= 10 && at.Sub(wechat.forced[i-10]) < 24*time.Hour {
				t.Errorf("forced refresh %d is the eleventh within %v", i+1, at.Sub(wechat.forced[i-10]))
			}
		}
		if n := len(wechat.forced); n < 11 {
			t.Errorf("%d refreshes were forced in 25 hours: the guard never opens again", n)
		}
	})
}

func TestATokenThatWeChatRefusedByMistakeIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wechat := &obstinate{}
		client := bubble(t, wechat)
		asked := target(t, broker.Target{})
		for began := time.Now(); time.Since(began) < time.Hour; time.Sleep(10 * time.Second) {
			if _, err := client.Generate(t.Context(), asked); err == nil {
				t.Fatal("a refused token is no error")
			}
		}
		wechat.mood.Store(true)
		time.Sleep(90 * time.Second)
		if _, err := client.Generate(t.Context(), asked); err != nil {
			t.Errorf("WeChat takes the token again, yet %v", err)
		}
	})
}

func TestCloseEndsTheFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := sandboxBubble(t)
		began := time.Now()
		var caller sync.WaitGroup
		var waiting error
		caller.Go(func() { waiting = client.Probe(t.Context(), shop) })
		synctest.Wait()
		client.Close()
		caller.Wait()
		if e := fails(t, waiting); !e.Unspent || e.Code != broker.Unavailable {
			t.Errorf("got %s (unspent %v)", e.Code, e.Unspent)
		}
		if e := fails(t, client.Probe(t.Context(), shop)); e.Code != broker.Unavailable {
			t.Errorf("got %s", e.Code)
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("it took %v", waited)
		}
	})
}
