package broker_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"linkbroker/broker"
)

func TestASecondRequestForTheSameTargetIsAHit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{takes: 100 * time.Millisecond}, nil)
		first := r.get(t, query("a=1&b=2"), broker.Miss)
		if !first.Stored || first.Collapsed || first.Age() != 100*time.Millisecond {
			t.Errorf("got stored %v, collapsed %v, age %s", first.Stored, first.Collapsed, first.Age())
		}
		if want := 30*day - time.Minute; first.Link.ExpiresAt.Sub(first.Link.GeneratedAt) != want {
			t.Errorf("the link lives %s, want WeChat's 30 days less the margin, %s", first.Link.Life(), want)
		}
		second := r.get(t, query("?b=2&&a=1"), broker.Hit)
		if second.Link.URL != first.Link.URL || r.wechat.called() != 1 {
			t.Errorf("got %s after %s with %d calls", second.Link.URL, first.Link.URL, r.wechat.called())
		}
	})
}

func TestHowLongALinkIsReused(t *testing.T) {
	in := func(d time.Duration) func(*broker.Request) {
		return func(r *broker.Request) { r.Expiry.At = time.Now().Add(d) }
	}
	days := func(n int) func(*broker.Request) { return func(r *broker.Request) { r.Expiry.Days = n } }
	least := func(d time.Duration) func(*broker.Request) { return func(r *broker.Request) { r.LeastLife = d } }
	tests := []struct {
		claim   string
		ask     func(*broker.Request)
		hit     time.Duration // after this long it is still a hit
		miss    time.Duration // and after this long no longer
		refused bool          // because the moment asked for has come
	}{
		{claim: "the living link until a tenth of its life is left", hit: 26 * day, miss: 27 * day},
		{claim: "a link of eight days until a quarter is left", ask: days(8), hit: 5*day + 23*time.Hour, miss: 6 * day},
		{claim: "a link that ends at a moment until the margin before it", ask: in(47 * time.Hour), hit: 47*time.Hour - 61*time.Second, miss: 47*time.Hour - time.Minute, refused: true},
		{claim: "with a least life of 20 days for ten days", ask: least(20 * day), hit: 9 * day, miss: 10 * day},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, &wechat{}, nil)
				req := query("a=1")
				if test.ask != nil {
					test.ask(&req)
				}
				r.get(t, req, broker.Miss)
				time.Sleep(test.hit)
				r.get(t, req, broker.Hit)
				time.Sleep(test.miss - test.hit)
				if test.refused {
					r.fails(t, req, broker.InvalidExpiry)
					return
				}
				r.get(t, req, broker.Miss)
			})
		})
	}
}

func TestWhatSharesALink(t *testing.T) {
	ask := func(change func(*broker.Request)) broker.Request {
		req := query("a=1")
		if change != nil {
			change(&req)
		}
		return req
	}
	soon := func(d time.Duration) func(*broker.Request) {
		// The virtual clock starts at midnight UTC.
		return func(r *broker.Request) { r.Expiry.At = time.Now().Add(d) }
	}
	tests := []struct {
		claim    string
		app      func(*broker.App)
		one, two func(*broker.Request)
		shares   bool
	}{
		{claim: "30 days and nothing asked share", two: func(r *broker.Request) { r.Expiry.Days = 30 }, shares: true},
		{claim: "a moment beyond 30 days and nothing asked share", two: soon(31 * day), shares: true},
		{claim: "a moment in milliseconds and nothing asked share", two: func(r *broker.Request) { r.Expiry.At = time.Unix(time.Now().UnixMilli(), 0) }, shares: true},
		{claim: "7 days and 30 do not share", two: func(r *broker.Request) { r.Expiry.Days = 7 }},
		{claim: "7 days and 8 do not share", one: func(r *broker.Request) { r.Expiry.Days = 7 }, two: func(r *broker.Request) { r.Expiry.Days = 8 }},
		{claim: "far moments in one hour share", one: soon(7*day + time.Minute), two: soon(7*day + 59*time.Minute), shares: true},
		{claim: "far moments in two hours do not", one: soon(7*day + 59*time.Minute), two: soon(7*day + 61*time.Minute)},
		{claim: "near moments share to the second only", one: soon(24 * time.Hour), two: soon(24*time.Hour + time.Second)},
		{
			claim: "with exact expiry far moments do not share either",
			app:   func(a *broker.App) { a.ExactExpiry = true },
			one:   soon(7*day + time.Minute), two: soon(7*day + 2*time.Minute),
		},
		{
			claim: "with expiry at_least 7 days are the living link",
			app:   func(a *broker.App) { a.AtLeast = true },
			two:   func(r *broker.Request) { r.Expiry.Days = 7 }, shares: true,
		},
		{claim: "two environments do not share", two: func(r *broker.Request) { r.Env = broker.Trial }},
		{claim: "two scopes do not share", one: func(r *broker.Request) { r.Scope = "a" }, two: func(r *broker.Request) { r.Scope = "b" }},
		{claim: "%31 and 1 do not share", two: func(r *broker.Request) { r.Query = "a=%31" }},
		{claim: "one target whose askers want different lives shares", two: func(r *broker.Request) { r.LeastLife = 20 * day }, shares: true},
		{claim: "an app that never shares does not share", app: func(a *broker.App) { a.NeverShare = true }},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, &wechat{}, test.app)
				r.get(t, ask(test.one), broker.Miss)
				want := broker.Miss
				if test.shares {
					want = broker.Hit
				}
				r.get(t, ask(test.two), want)
			})
		})
	}
}

func TestAFarMomentIsNeverAnsweredWithALaterEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{}, nil)
		for _, ahead := range []time.Duration{2 * time.Minute, 5 * time.Hour, 49*time.Hour + 59*time.Minute, 29*day + 7*time.Second} {
			req := query("a=1")
			req.Expiry.At = time.Now().Add(ahead)
			answer := r.get(t, req, broker.Miss)
			if answer.Link.ExpiresAt.After(req.Expiry.At) {
				t.Errorf("asked for an end at %s, got %s", req.Expiry.At, answer.Link.ExpiresAt)
			}
			if answer.Link.ExpiresAt.Before(req.Expiry.At.Add(-time.Hour - 2*time.Minute)) {
				t.Errorf("asked for an end at %s, got %s: too early", req.Expiry.At, answer.Link.ExpiresAt)
			}
		}
	})
}

func TestAtLeastIsAtLeast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{}, func(a *broker.App) { a.AtLeast = true })
		req := query("a=1")
		for _, asked := range []int{1, 29, 7, 20, 3} {
			req.Expiry.Days = asked
			answer, err := r.Get(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			if least := time.Duration(asked)*day - time.Minute; answer.TTL() < least {
				t.Errorf("asked for %d days, got %s", asked, answer.TTL())
			}
			time.Sleep(9 * day)
		}
	})
}

func TestRequestsThatAreRefusedWithoutACall(t *testing.T) {
	tests := []struct {
		claim string
		app   func(*broker.App)
		ask   func(*broker.Request)
		code  broker.Code
	}{
		{claim: "an app that is not configured", ask: func(r *broker.Request) { r.App = "wxffffffffffffffff" }, code: broker.UnknownApp},
		{claim: "a moment less than a minute away", ask: func(r *broker.Request) { r.Expiry.At = time.Now().Add(59 * time.Second) }, code: broker.InvalidExpiry},
		{claim: "a moment in the past", ask: func(r *broker.Request) { r.Expiry.At = time.Unix(1, 0) }, code: broker.InvalidExpiry},
		{claim: "a least life of more than two thirds", ask: func(r *broker.Request) { r.LeastLife = 20*day + time.Second }, code: broker.InvalidLeastLife},
		{claim: "a least life of more than two thirds of 3 days", ask: func(r *broker.Request) { r.Expiry.Days, r.LeastLife = 3, 49*time.Hour }, code: broker.InvalidLeastLife},
		{claim: "a negative least life", ask: func(r *broker.Request) { r.LeastLife = -1 }, code: broker.InvalidLeastLife},
		{claim: "a scope where nothing is shared", app: func(a *broker.App) { a.NeverShare = true }, ask: func(r *broker.Request) { r.Scope = "s" }, code: broker.InvalidArgument},
		{claim: "a path with a query", ask: func(r *broker.Request) { r.Path = "p?a=1" }, code: broker.InvalidPath},
		{claim: "a miss of who may only read", ask: func(r *broker.Request) { r.OnlyIfCached = true }, code: broker.NotCached},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, &wechat{}, test.app)
				req := query("a=1")
				test.ask(&req)
				r.fails(t, req, test.code)
				if r.wechat.called() != 0 || r.used(t) != 0 {
					t.Errorf("%d calls, %d units", r.wechat.called(), r.used(t))
				}
			})
		})
	}
}

func TestALinkBelowItsLeastLifeIsServedStaleWhileWeChatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{}
		r := newRig(t, w, nil)
		first := r.get(t, query("a=1"), broker.Miss)
		w.answer = func(int, broker.Target) error { return errAway }
		time.Sleep(28 * day)
		began := time.Now()
		stale := r.get(t, query("a=1"), broker.Stale)
		if stale.Link.URL != first.Link.URL || !errors.Is(stale.Reason, broker.Unavailable) {
			t.Errorf("got %s because of %v", stale.Link.URL, stale.Reason)
		}
		if waited := time.Since(began); waited > 4*time.Second {
			t.Errorf("the answer took %s, longer than the deadline", waited)
		}
		began = time.Now()
		r.get(t, query("a=1"), broker.Stale)
		if waited := time.Since(began); waited != 0 {
			t.Errorf("the next caller waited %s although WeChat is known to be away", waited)
		}
		reader := query("a=1")
		reader.OnlyIfCached = true
		r.get(t, reader, broker.Stale)
		time.Sleep(2 * day)
		r.fails(t, query("a=1"), broker.Unavailable)
		w.answer = nil
		time.Sleep(time.Minute)
		r.get(t, query("a=1"), broker.Miss)
	})
}

func TestAStoreThatCannotBeReadIsAnErrorAndNoCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{}, nil)
		r.store.readsFail.Store(true)
		r.fails(t, query("a=1"), broker.StoreFailed)
		if r.wechat.called() != 0 {
			t.Error("WeChat was called for a link that may be stored")
		}
	})
}

func TestALinkOnAForeignHostIsNotHandedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{}, func(a *broker.App) { a.LinkHosts = []string{"example.com"} })
		r.fails(t, query("a=1"), broker.Upstream)
		for i := range 100 {
			r.fails(t, query(fmt.Sprint("b=", i)), broker.Upstream)
		}
		if r.wechat.called() != 1 || r.events.count(broker.LinkRefused) != 1 {
			t.Errorf("%d units are spent on links that nobody gets, told of %d", r.wechat.called(), r.events.count(broker.LinkRefused))
		}
		if _, err := r.Link(t.Context(), normalizedKey(t, query("a=1"))); !errors.Is(err, broker.NotFound) {
			t.Errorf("it was stored: %v", err)
		}
	})
}

func TestAcceptedLinks(t *testing.T) {
	app := broker.App{LinkHosts: []string{"wxaurl.cn"}}
	for link, want := range map[string]bool{
		"https://wxaurl.cn/x":             true,
		"http://wxaurl.cn/x":              false,
		"https://wxaurl.cn.evil.com/x":    false,
		"https://evil.com/wxaurl.cn":      false,
		"https://wxaurl.cn@evil.com/":     false,
		"https://user@wxaurl.cn/":         false,
		"https://wxaurl.cn:8443/x":        false,
		"javascript:alert(1)//wxaurl.cn/": false,
		"//wxaurl.cn/x":                   false,
		"":                                false,
		"https://wxaurl.cn/\nx":           false,
	} {
		if got := app.Accepts(broker.URLLink, link); got != want {
			t.Errorf("Accepts(%q) = %v, want %v", link, got, want)
		}
	}
}

func normalizedKey(t *testing.T, req broker.Request) broker.Key {
	t.Helper()
	n, err := req.Normalize()
	if err != nil {
		t.Fatal(err)
	}
	return n.Key()
}
