package broker_test

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"linkbroker/broker"
)

func shop(grant broker.Grant) *broker.Client {
	return &broker.Client{Name: "shop", Role: broker.RoleGenerate, Grant: grant}
}

func TestAClientSpendsItsBudgetAndNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{takes: time.Millisecond}, func(a *broker.App) { a.Rate = 1e6 })
		var callers sync.WaitGroup
		for i := range 500 {
			callers.Go(func() {
				req := query(fmt.Sprint("a=", i))
				req.Client = shop(broker.Grant{GenerationsPerDay: 100})
				_, err := r.Get(t.Context(), req)
				if err != nil && broker.CodeOf(err) != broker.BudgetExhausted {
					t.Errorf("got %v", err)
				}
			})
		}
		callers.Wait()
		if r.wechat.called() != 100 || r.used(t) != 100 {
			t.Errorf("%d calls, %d units, want the budget of 100", r.wechat.called(), r.used(t))
		}
		if spent, err := r.Spent(t.Context(), *shop(broker.Grant{GenerationsPerDay: 100})); spent != 100 || err != nil {
			t.Errorf("said to have spent %d, %v", spent, err)
		}
		other := query("b=1")
		other.Client = &broker.Client{Name: "other", Grant: broker.Grant{GenerationsPerDay: 100}}
		r.get(t, other, broker.Miss)
		hit := query("b=1")
		hit.Client = shop(broker.Grant{GenerationsPerDay: 100})
		r.get(t, hit, broker.Hit)
		time.Sleep(16 * time.Hour) // to midnight in Shanghai
		fresh := query("c=1")
		fresh.Client = hit.Client
		r.get(t, fresh, broker.Miss)
	})
}

func TestABudgetOutlivesACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{}
		store := newRig(t, w, nil).store
		for crash := range 60 {
			r := rigOver(store, w, nil)
			for i := range 5 {
				req := query(fmt.Sprintf("a=%d-%d", crash, i))
				req.Client = shop(broker.Grant{GenerationsPerDay: 100})
				_, _ = r.Get(t.Context(), req)
			}
		}
		if w.called() > 100 {
			t.Errorf("%d calls on a budget of 100", w.called())
		}
	})
}

func TestGenerationsPerMinute(t *testing.T) {
	address := netip.MustParsePrefix("192.0.2.1/32")
	tests := []struct {
		claim string
		by    func(*broker.Request)
	}{
		{"of a client", func(r *broker.Request) { r.Client = shop(broker.Grant{GenerationsPerMinute: 10}) }},
		{"of an address", func(r *broker.Request) { r.Address = address }},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wechat{}
				policy := broker.Policy{Apps: []broker.App{{ID: appid}}, AddressGenerations: 10}
				r := &rig{Broker: broker.New(newRig(t, w, nil).store, w, policy, time.Now), wechat: w}
				ask := func(q string) broker.Request {
					req := query(q)
					test.by(&req)
					return req
				}
				for i := range 10 {
					r.get(t, ask(fmt.Sprint("a=", i)), broker.Miss)
				}
				if err := r.failure(t, ask("b=1"), broker.RateLimited); err.RetryAfter != 6*time.Second {
					t.Errorf("retry after %s, want a tenth of a minute", err.RetryAfter)
				}
				r.get(t, ask("a=1"), broker.Hit)
				r.get(t, query("b=1"), broker.Miss) // another's request is none of this one's
				time.Sleep(6 * time.Second)
				r.get(t, ask("c=1"), broker.Miss)
				r.fails(t, ask("d=1"), broker.RateLimited)
			})
		})
	}
}

func TestTheLimitOfAddressesCanBeChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{}
		policy := broker.Policy{Apps: []broker.App{{ID: appid}}, AddressGenerations: 1}
		r := &rig{Broker: broker.New(newRig(t, w, nil).store, w, policy, time.Now), wechat: w}
		ask := func(q string) broker.Request {
			req := query(q)
			req.Address = netip.MustParsePrefix("192.0.2.1/32")
			return req
		}
		r.get(t, ask("a=1"), broker.Miss)
		r.fails(t, ask("a=2"), broker.RateLimited)
		r.LimitAddresses(0)
		r.get(t, ask("a=2"), broker.Miss)
		r.LimitAddresses(1)
		r.fails(t, ask("a=3"), broker.RateLimited)
	})
}

func TestWhatWeChatRefusesCostsTheClientNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{answer: func(int, broker.Target) error { return says(broker.InvalidPath, 40165) }}
		r := newRig(t, w, nil)
		client := shop(broker.Grant{GenerationsPerDay: 3, GenerationsPerMinute: 3})
		for i := range 10 {
			req := query(fmt.Sprint("a=", i))
			req.Client = client
			r.fails(t, req, broker.InvalidPath)
		}
	})
}

func TestAStrangerPaysForRefusalsAndForOneCallOnly(t *testing.T) {
	address := netip.MustParsePrefix("192.0.2.1/32")
	stranger := func(q string) broker.Request {
		req := query(q)
		req.Client, req.Address = shop(broker.Grant{GenerationsPerDay: 5}), address
		return req
	}
	t.Run("refusals", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := &wechat{answer: func(int, broker.Target) error { return says(broker.InvalidPath, 40165) }}
			r := newRig(t, w, nil)
			for i := range 40 {
				_, _ = r.Get(t.Context(), stranger(fmt.Sprint("a=", i)))
			}
			if w.called() != 5 || r.used(t) != 0 {
				t.Errorf("%d calls, %d units, want the budget's 5 and none", w.called(), r.used(t))
			}
		})
	})
	t.Run("calls that time out", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := &wechat{answer: func(int, broker.Target) error { return errAway }}
			r := newRig(t, w, nil)
			for i := range 40 {
				_, _ = r.Get(t.Context(), stranger(fmt.Sprint("a=", i)))
				time.Sleep(time.Minute)
			}
			if w.called() != 5 || r.used(t) != 5 {
				t.Errorf("%d calls, %d units, want the budget's 5 of each", w.called(), r.used(t))
			}
		})
	})
}

func TestOneClientsEmptyBudgetIsNotAnothersFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{takes: time.Second}, nil)
		poor := query("a=1")
		poor.Client = shop(broker.Grant{GenerationsPerDay: 1})
		r.get(t, poor, broker.Miss)
		var callers sync.WaitGroup
		for i := range 20 {
			callers.Go(func() {
				req := query("b=1")
				if i%2 == 0 {
					req.Client = poor.Client
				} else {
					req.Client = &broker.Client{Name: "rich"}
				}
				if _, err := r.Get(t.Context(), req); err != nil && i%2 == 1 {
					t.Errorf("the other client got %v", err)
				}
			})
		}
		callers.Wait()
		if r.wechat.called() != 2 {
			t.Errorf("%d calls, want 2", r.wechat.called())
		}
	})
}

func TestTheLimiterIsBoundedAndStillLimits(t *testing.T) {
	l := broker.NewLimiter[int](100)
	now := time.Unix(0, 0)
	limit := broker.Limit{Events: 2, Per: time.Second}
	passed := 0
	for key := range 100_000 {
		if ok, _, _ := l.Take(key, limit, now); ok {
			passed++
		}
	}
	if passed != 102 {
		t.Errorf("%d passed at one moment, want one of each of 100 places and 2 of the crowd", passed)
	}
	now = now.Add(time.Second)
	if ok, left, _ := l.Take(100_001, limit, now); !ok || left != 1 {
		t.Errorf("after a second: %v, %d left", ok, left)
	}
}

// TestAFullLimiterIsNotSweptForEachNewKey would take minutes if it were.
func TestAFullLimiterIsNotSweptForEachNewKey(t *testing.T) {
	const places = 1 << 16
	l := broker.NewLimiter[int](places)
	limit := broker.Limit{Events: 1, Per: time.Hour}
	now := time.Unix(0, 0)
	begin := time.Now()
	for key := range 4 * places {
		l.Take(key, limit, now.Add(time.Duration(key)))
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestTheLimiterSaysWhatIsLeftAndWhenToComeBack(t *testing.T) {
	l := broker.NewLimiter[string](10)
	now := time.Unix(1000, 0)
	limit := broker.Limit{Events: 3, Per: 3 * time.Second}
	for want := 2; want >= 0; want-- {
		if ok, left, _ := l.Take("a", limit, now); !ok || left != want {
			t.Errorf("got %v, %d left, want %d", ok, left, want)
		}
	}
	if ok, _, after := l.Take("a", limit, now); ok || after != time.Second {
		t.Errorf("got %v, another after %s, want 1 s", ok, after)
	}
	if ok, _, _ := l.Take("b", broker.Limit{Events: 1 << 40, Per: time.Minute}, now); !ok {
		t.Error("a limit beyond any clock's resolution refuses")
	}
	l.Undo("a", limit)
	if ok, _, _ := l.Take("a", limit, now); !ok {
		t.Error("what was undone is not given again")
	}
}
