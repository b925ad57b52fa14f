package wechat_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/wechat"
	"linkbroker/wechat/sandbox"
)

func TestGenerate(t *testing.T) {
	clock := newClock()
	w, url := serveSandbox(t, clock.Now)
	client := newClient(t, url, clock.Now, wechat.TokenStable)
	for range 3 {
		made, err := client.Generate(t.Context(), target(t, broker.Target{Path: "pages/item", Query: "id=7"}))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(made.URL, "https://wxaurl.cn/") || !made.SentAt.Equal(clock.Now()) {
			t.Errorf("got %+v", made)
		}
		clock.pass(time.Minute)
	}
	if seen := w.Stats(); seen.Generated != 3 || seen.Tokens != 1 {
		t.Errorf("3 links took %d generations and %d tokens", seen.Generated, seen.Tokens)
	}
}

// TestWhatIsSpent holds each fault of the sandbox against what the error says about quota: where a link was made, it
// must never say unspent.
func TestWhatIsSpent(t *testing.T) {
	tests := []struct {
		fault   sandbox.Fault
		code    broker.Code
		unspent bool
	}{
		{sandbox.Fault{Name: "busy"}, broker.Unavailable, true},
		{sandbox.Fault{Name: "rate"}, broker.Busy, true},
		{sandbox.Fault{Name: "quota"}, broker.QuotaExhausted, true},
		{sandbox.Fault{Name: "flaky_path", Every: 1}, broker.InvalidPath, true},
		{sandbox.Fault{Name: "not_released"}, broker.AppNotReleased, true},
		{sandbox.Fault{Name: "errcode", ErrCode: 85999}, broker.Upstream, true},
		{sandbox.Fault{Name: "html"}, broker.Unavailable, false},
		{sandbox.Fault{Name: "empty"}, broker.Unavailable, false},
		{sandbox.Fault{Name: "bad_gateway"}, broker.Unavailable, false},
		{sandbox.Fault{Name: "redirect"}, broker.Unavailable, false},
		{sandbox.Fault{Name: "cut"}, broker.Unavailable, false},
		{sandbox.Fault{Name: "endless"}, broker.Unavailable, false},
		{sandbox.Fault{Name: "down"}, broker.Unavailable, false},
		{sandbox.Fault{Name: "slow", Delay: time.Hour}, broker.Unavailable, false},
	}
	for _, test := range tests {
		t.Run(test.fault.Name, func(t *testing.T) {
			clock := newClock()
			w, url := serveSandbox(t, clock.Now)
			client := newClient(t, url, clock.Now, wechat.TokenStable)
			if err := client.Probe(t.Context(), shop); err != nil {
				t.Fatal(err)
			}
			if err := w.SetFault(test.fault); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := client.Generate(ctx, target(t, broker.Target{Path: "pages/item"}))
			e := fails(t, err)
			if e.Code != test.code || e.Unspent != test.unspent {
				t.Errorf("got %s (unspent %v), want %s (%v): %v", e.Code, e.Unspent, test.code, test.unspent, e)
			}
			seen := w.Stats()
			if calls := seen.Calls["/wxa/generate_urllink"]; calls != 1 {
				t.Errorf("%d attempts were made, want 1", calls)
			}
			if e.Unspent && seen.Generated != 0 {
				t.Error("a link was made by a call that says unspent")
			}
			if seen.Redirected != 0 {
				t.Error("a redirect was followed")
			}
		})
	}
}

func TestAnswersThatLookOddAreGood(t *testing.T) {
	for name, host := range map[string]string{
		"string_errcode": "https://wxaurl.cn/",
		"foreign_host":   "https://wxaurl.cn.example.net/", // which hosts are accepted is the domain's to say
	} {
		clock := newClock()
		w, url := serveSandbox(t, clock.Now)
		if err := w.SetFault(sandbox.Fault{Name: name}); err != nil {
			t.Fatal(err)
		}
		made, err := newClient(t, url, clock.Now, wechat.TokenStable).Generate(t.Context(), target(t, broker.Target{}))
		if err != nil || !strings.HasPrefix(made.URL, host) {
			t.Errorf("%s: got %+v, %v", name, made, err)
		}
	}
}

func TestATokenCallDoesNotFollowARedirect(t *testing.T) {
	clock := newClock()
	w, url := serveSandbox(t, clock.Now)
	if err := w.SetFault(sandbox.Fault{Name: "redirect", Route: "/cgi-bin/stable_token"}); err != nil {
		t.Fatal(err)
	}
	_, err := newClient(t, url, clock.Now, wechat.TokenStable).Generate(t.Context(), target(t, broker.Target{}))
	if e := fails(t, err); e.Code != broker.Unavailable || !e.Unspent {
		t.Errorf("got %s (unspent %v), want %s (true)", e.Code, e.Unspent, broker.Unavailable)
	}
	if n := w.Stats().Redirected; n != 0 {
		t.Errorf("the secret was posted to another address %d times", n)
	}
}

func TestACallThatNeverLeftIsUnspent(t *testing.T) {
	clock := newClock()
	w, url := serveSandbox(t, clock.Now)
	client := newClient(t, url, clock.Now, wechat.TokenNone)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := client.Generate(gone, target(t, broker.Target{}))
	if e := fails(t, err); !e.Unspent || e.Code != broker.Unavailable || !errors.Is(err, context.Canceled) {
		t.Errorf("a caller who has gone: %s (unspent %v), %v", e.Code, e.Unspent, err)
	}
	_, err = client.Generate(t.Context(), broker.Target{App: "wxnone"})
	if e := fails(t, err); !e.Unspent || e.Code != broker.UnknownApp {
		t.Errorf("an unknown app: %s (unspent %v)", e.Code, e.Unspent)
	}
	if calls := w.Stats().Calls["/wxa/generate_urllink"]; calls != 0 {
		t.Errorf("%d calls left", calls)
	}
}

func TestWithoutTokenTheOperatorIsToldWhereItWorks(t *testing.T) {
	clock := newClock()
	_, url := serveSandbox(t, clock.Now)
	client := newClient(t, url, clock.Now, wechat.TokenNone)
	_, err := client.Generate(t.Context(), target(t, broker.Target{}))
	e := fails(t, err)
	if e.Code != broker.TokenRefused || e.ErrCode != 0 || !e.Unspent || !strings.Contains(e.Message, "cloud hosting") {
		t.Errorf("got %+v", e)
	}
	if tokens := client.Tokens(); len(tokens) != 0 {
		t.Errorf("an app without token has the tokens %v", tokens)
	}
	if err := client.Probe(t.Context(), shop); err != nil {
		t.Errorf("there is nothing to fetch, yet %v", err)
	}
}

func TestProbeTellsOfAWrongSecret(t *testing.T) {
	clock := newClock()
	_, url := serveSandbox(t, clock.Now)
	client, err := wechat.New([]wechat.App{{ID: shop, Secret: "guess", BaseURL: url}}, clock.Now, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	if err := client.Probe(t.Context(), shop); !errors.Is(err, broker.TokenRefused) {
		t.Errorf("got %v, want %s", err, broker.TokenRefused)
	}
	if status := client.Tokens(); !errors.Is(status[0].Err, broker.TokenRefused) || !status[0].ExpiresAt.IsZero() {
		t.Errorf("got %+v", status)
	}
	if err := client.Probe(t.Context(), "wxnone"); !errors.Is(err, broker.UnknownApp) {
		t.Errorf("got %v, want %s", err, broker.UnknownApp)
	}
}

func TestEachTokenCallIsObserved(t *testing.T) {
	clock := newClock()
	w, url := serveSandbox(t, clock.Now)
	seen := make(chan wechat.TokenFetch, 1)
	client, err := wechat.New([]wechat.App{{ID: shop, Secret: secret, BaseURL: url}}, clock.Now, func(f wechat.TokenFetch) { seen <- f })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	if err := w.SetFault(sandbox.Fault{Name: "frozen", Route: "/cgi-bin/stable_token", Times: 1}); err != nil {
		t.Fatal(err)
	}
	if err := client.Probe(t.Context(), shop); err == nil {
		t.Fatal("a frozen secret is no error")
	}
	if f := <-seen; f.App != shop || f.ErrCode != 40243 || !errors.Is(f.Err, broker.TokenRefused) {
		t.Errorf("got %+v", f)
	}
	clock.pass(time.Minute)
	if err := client.Probe(t.Context(), shop); err != nil {
		t.Fatal(err)
	}
	if f := <-seen; f != (wechat.TokenFetch{App: shop}) {
		t.Errorf("got %+v", f)
	}
}
