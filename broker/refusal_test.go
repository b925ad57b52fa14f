package broker_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"linkbroker/broker"
)

func TestARefusedTargetIsRememberedForSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{answer: func(_ int, target broker.Target) error {
			if target.Path == "pages/gone" {
				return says(broker.InvalidPath, 40165)
			}
			return nil
		}}
		r := newRig(t, w, nil)
		gone := query("a=1")
		gone.Path = "pages/gone"
		for range 100 {
			err := r.failure(t, gone, broker.InvalidPath)
			if err.ErrCode != 40165 {
				t.Fatalf("errcode %d", err.ErrCode)
			}
		}
		if w.called() != 1 {
			t.Errorf("%d calls for one refused target", w.called())
		}
		r.get(t, query("a=1"), broker.Miss)
		w.answer = nil
		time.Sleep(10 * time.Second)
		r.get(t, gone, broker.Miss)
	})
}

func TestWhatWeChatRefusesOfOneTargetIsRememberedForItAlone(t *testing.T) {
	for claim, err := range map[string]error{
		"an argument": says(broker.InvalidArgument, 40097), "a code of its own": says(broker.Upstream, 99999), "a permission": says(broker.AppForbidden, 48001),
	} {
		t.Run(claim, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wechat{answer: func(_ int, target broker.Target) error {
					if target.CloudBase != nil {
						return err
					}
					return nil
				}}
				r := newRig(t, w, nil)
				odd := query("a=1")
				odd.CloudBase = &broker.CloudBase{Env: "nonsense"}
				for range 40 {
					_, _ = r.Get(t.Context(), odd)
				}
				if w.called() != 1 {
					t.Errorf("%d calls for one refused target", w.called())
				}
				r.get(t, query("a=1"), broker.Miss)
			})
		})
	}
}

func TestARefusalEndsHoweverOftenItIsAskedFor(t *testing.T) {
	for claim, test := range map[string]struct {
		err   error
		lasts time.Duration
	}{
		"of a path":                 {says(broker.InvalidPath, 40165), 10 * time.Second},
		"of an app":                 {says(broker.AppNotReleased, 85079), time.Minute},
		"of a token":                {broker.Errorf(broker.TokenRefused, "no"), 10 * time.Second},
		"a connection that was cut": {errAway, 10 * time.Second},
	} {
		t.Run(claim, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wechat{answer: func(int, broker.Target) error { return test.err }}
				r := newRig(t, w, nil)
				for i := range 3 {
					_, _ = r.Get(t.Context(), query(fmt.Sprint("a=", i)))
				}
				w.answer = nil
				for range test.lasts / (100 * time.Millisecond) {
					if _, err := r.Get(t.Context(), query("a=0")); err == nil {
						return
					}
					time.Sleep(100 * time.Millisecond)
				}
				r.get(t, query("a=0"), broker.Miss)
			})
		})
	}
}

func TestTroubleOfTheAppIsRememberedForTheApp(t *testing.T) {
	tests := []struct {
		claim string
		err   error
		code  broker.Code
		lasts time.Duration
	}{
		{"an app without a released version", says(broker.AppNotReleased, 85079), broker.AppNotReleased, time.Minute},
		{"an app without the permission", says(broker.AppForbidden, 48001), broker.AppForbidden, time.Minute},
		{"a machine that gets no token", broker.Errorf(broker.TokenRefused, "no"), broker.TokenRefused, 10 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wechat{answer: func(int, broker.Target) error { return test.err }}
				r := newRig(t, w, nil)
				r.fails(t, query("a=1"), test.code)
				for i := range 100 {
					if err := r.failure(t, query(fmt.Sprint("b=", i)), test.code); err.RetryAfter != test.lasts {
						t.Fatalf("retry after %s, want %s", err.RetryAfter, test.lasts)
					}
				}
				w.answer = nil
				time.Sleep(test.lasts)
				r.get(t, query("a=1"), broker.Miss)
				if w.called() != 2 {
					t.Errorf("%d calls, want the first and the last", w.called())
				}
			})
		})
	}
}

func TestTheDayLatchClosesUntilTheQuotaDayEndsAndProbesHourly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{}
		r := newRig(t, w, nil)
		r.get(t, query("a=1"), broker.Miss)
		w.answer = func(int, broker.Target) error { return says(broker.QuotaExhausted, 44993) }
		before := w.called()
		for minute := range 16 * 60 { // until midnight in Shanghai
			err := r.failure(t, query(fmt.Sprint("b=", minute)), broker.QuotaExhausted)
			if left := 16*time.Hour - time.Duration(minute)*time.Minute; err.RetryAfter != left {
				t.Fatalf("in minute %d: retry after %s, want the rest of the day, %s", minute, err.RetryAfter, left)
			}
			r.get(t, query("a=1"), broker.Hit)
			time.Sleep(time.Minute)
		}
		if probes := w.called() - before; probes != 16 {
			t.Errorf("%d calls in 16 hours, want the one that closed it and one an hour", probes)
		}
		if closings := r.events.count(broker.QuotaClosed); closings != 1 {
			t.Errorf("told of %d closings", closings)
		}
		w.answer = nil
		r.get(t, query("b=1"), broker.Miss)
		quotas, err := r.Quotas(t.Context())
		if err != nil || !quotas[0].ClosedUntil.IsZero() {
			t.Errorf("still closed until %s, %v", quotas[0].ClosedUntil, err)
		}
	})
}

func TestAProbeThatSucceedsOpensTheLatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{answer: func(int, broker.Target) error { return says(broker.QuotaExhausted, 44993) }}
		r := newRig(t, w, nil)
		r.fails(t, query("a=1"), broker.QuotaExhausted)
		w.answer = nil
		time.Sleep(59 * time.Minute)
		r.fails(t, query("a=1"), broker.QuotaExhausted)
		time.Sleep(time.Minute)
		r.get(t, query("a=1"), broker.Miss)
		r.get(t, query("a=2"), broker.Miss)
	})
}

func TestWhatPassesIsTriedAgainWithinTheDeadline(t *testing.T) {
	tests := []struct {
		claim string
		err   error
	}{
		{"WeChat is busy (-1)", says(broker.Unavailable, -1)},
		{"WeChat says too fast (44990)", says(broker.Busy, 44990)},
		{"the connection is cut", errAway},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wechat{answer: func(call int, _ broker.Target) error {
					if call <= 2 {
						return test.err
					}
					return nil
				}}
				r := newRig(t, w, nil)
				r.get(t, query("a=1"), broker.Miss)
				if w.called() != 3 {
					t.Errorf("%d calls, want 3", w.called())
				}
			})
		})
	}
}

func TestAnOutageIsNotAnsweredWithAStormOfRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{answer: func(int, broker.Target) error { return errAway }}
		r := newRig(t, w, nil)
		var callers sync.WaitGroup
		for i := range 100 {
			callers.Go(func() {
				if _, err := r.Get(t.Context(), query(fmt.Sprint("a=", i))); !errors.Is(err, broker.Unavailable) {
					t.Errorf("got %v", err)
				}
			})
		}
		callers.Wait()
		if w.called() > 111 {
			t.Errorf("%d calls for 100 requests: the retry budget is 10", w.called())
		}
		for range 100 {
			r.fails(t, query("b=1"), broker.Unavailable)
		}
		if w.called() > 111 {
			t.Errorf("%d calls: that WeChat is away is not remembered", w.called())
		}
	})
}

func TestTheDayLatchIsNeitherReplacedNorOpenedByOtherTrouble(t *testing.T) {
	for _, other := range []broker.Code{broker.TokenRefused, broker.AppNotReleased, broker.Unavailable} {
		t.Run(string(other), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wechat{answer: func(call int, _ broker.Target) error {
					if call == 1 {
						return says(broker.QuotaExhausted, 45009)
					}
					return says(other, 40125)
				}}
				r := newRig(t, w, nil)
				r.fails(t, query("a=1"), broker.QuotaExhausted)
				time.Sleep(time.Hour)
				r.fails(t, query("a=2"), other) // the probe
				time.Sleep(2 * time.Minute)
				probes := w.called()
				r.fails(t, query("a=3"), broker.QuotaExhausted)
				if w.called() != probes {
					t.Error("WeChat was called within an hour of the probe")
				}
			})
		})
	}
}

func TestACallSentBeforeTheLatchClosedDoesNotOpenIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{answer: func(call int, _ broker.Target) error {
			if call == 1 {
				time.Sleep(time.Second)
				return nil
			}
			return says(broker.QuotaExhausted, 45009)
		}}
		r := newRig(t, w, nil)
		var slow sync.WaitGroup
		slow.Go(func() { r.get(t, query("slow=1"), broker.Miss) })
		time.Sleep(500 * time.Millisecond)
		r.fails(t, query("a=1"), broker.QuotaExhausted)
		slow.Wait()
		r.fails(t, query("a=2"), broker.QuotaExhausted)
		if w.called() != 2 {
			t.Errorf("%d calls, want 2", w.called())
		}
	})
}

func TestAProbeIsNotUsedUpByWhoMayNotCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{}
		r := newRig(t, w, nil)
		poor := query("a=1")
		poor.Client = shop(broker.Grant{GenerationsPerDay: 1})
		r.get(t, poor, broker.Miss)
		w.answer = func(int, broker.Target) error { return says(broker.QuotaExhausted, 45009) }
		r.fails(t, query("a=2"), broker.QuotaExhausted)
		w.answer = nil
		time.Sleep(time.Hour)
		poor.Query = "a=3"
		r.fails(t, poor, broker.BudgetExhausted)
		if _, err := r.Prewarm(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.get(t, query("a=4"), broker.Miss)
	})
}

func TestATargetThatWeChatCannotAnswerIsNoOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		poison := normalizedKey(t, query("poison=1"))
		w := &wechat{takes: 50 * time.Millisecond, answer: func(_ int, target broker.Target) error {
			if target.Key() == poison {
				return errAway
			}
			return nil
		}}
		r := newRig(t, w, nil)
		var poisoner sync.WaitGroup
		poisoner.Go(func() {
			for range 600 {
				_, _ = r.Get(t.Context(), query("poison=1"))
				time.Sleep(50 * time.Millisecond)
			}
		})
		for i := range 30 {
			time.Sleep(730 * time.Millisecond)
			r.get(t, query(fmt.Sprint("a=", i)), broker.Miss)
		}
		poisoner.Wait()
	})
}

func TestAnOutageIsProbedAndItsEndNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{answer: func(int, broker.Target) error { return errAway }}
		r := newRig(t, w, nil)
		for i := range 20 {
			r.fails(t, query(fmt.Sprint("a=", i)), broker.Unavailable)
		}
		calls := w.called()
		for i := range 100 { // ten seconds
			r.fails(t, query(fmt.Sprint("b=", i)), broker.Unavailable)
			time.Sleep(100 * time.Millisecond)
		}
		if probes := w.called() - calls; probes < 1 || probes > 10 {
			t.Errorf("%d calls in ten seconds of an outage", probes)
		}
		w.answer = nil
		time.Sleep(2 * time.Second)
		for i := range 10 {
			r.get(t, query(fmt.Sprint("c=", i)), broker.Miss)
		}
	})
}
