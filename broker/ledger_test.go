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

func TestTheQuotaIsSpentToTheLastUnitAndNoFurther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{takes: 10 * time.Millisecond}
		r := newRig(t, w, func(a *broker.App) { a.DailyQuota, a.Rate = 1000, 1e6 })
		var callers sync.WaitGroup
		for i := range 1500 {
			callers.Go(func() {
				_, err := r.Get(t.Context(), query(fmt.Sprint("a=", i)))
				if e, ok := errors.AsType[*broker.Error](err); err != nil && (!ok || e.Code != broker.QuotaExhausted || e.RetryAfter <= 0) {
					t.Errorf("got %v", err)
				}
			})
		}
		callers.Wait()
		if w.called() != 1000 || r.used(t) != 1000 {
			t.Errorf("%d calls, %d units, want 1,000 of each", w.called(), r.used(t))
		}
		// The virtual clock starts at 08:00 in Shanghai.
		time.Sleep(16*time.Hour - time.Second)
		r.fails(t, query("b=1"), broker.QuotaExhausted)
		time.Sleep(time.Second)
		r.get(t, query("b=1"), broker.Miss)
		if r.used(t) != 1 {
			t.Errorf("%d units of the new day are used, want 1", r.used(t))
		}
	})
}

func TestNoCrashOverspends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{}
		store := newRig(t, w, nil).store
		for crash := range 200 {
			// A new broker over the same store, without a Drain before it, is what a crash leaves.
			r := rigOver(store, w, func(a *broker.App) { a.DailyQuota, a.Rate = 500, 1e6 })
			for i := range 7 {
				_, _ = r.Get(t.Context(), query(fmt.Sprintf("a=%d-%d", crash, i)))
			}
			if used := r.used(t); int64(w.called()) > used {
				t.Fatalf("after %d crashes %d calls were made and %d units counted", crash, w.called(), used)
			}
		}
		if w.called() > 500 {
			t.Errorf("%d calls on a quota of 500", w.called())
		}
		if w.called() < 150 {
			t.Errorf("only %d calls on a quota of 500: crashes waste too much", w.called())
		}
	})
}

func TestUnitsComeBackOnlyWhenWeChatCertainlyGeneratedNothing(t *testing.T) {
	tests := []struct {
		claim string
		err   error
		calls int64 // each costs a unit unless it comes back
		code  broker.Code
		used  int64
	}{
		{claim: "an errcode gives its unit back", err: says(broker.InvalidPath, 40165), code: broker.InvalidPath},
		{claim: "an unknown errcode gives its unit back", err: says(broker.Upstream, 99999), code: broker.Upstream},
		{claim: "garbage does not", err: broker.Errorf(broker.Upstream, "HTML"), code: broker.Upstream, used: 1},
		{claim: "an error of another make does not", err: errors.New("odd"), code: broker.Internal, used: 1},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, &wechat{answer: func(int, broker.Target) error { return test.err }}, nil)
				if _, err := r.Get(t.Context(), query("a=1")); broker.CodeOf(err) != test.code {
					t.Fatalf("got %v, want code %s", err, test.code)
				}
				if used := r.used(t); used != test.used {
					t.Errorf("%d units used, want %d", used, test.used)
				}
			})
		})
	}
}

func TestEachRetryOfWhatMayHaveGeneratedCostsAUnit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{answer: func(call int, _ broker.Target) error {
			if call < 3 {
				return errAway
			}
			return nil
		}}
		r := newRig(t, w, nil)
		r.get(t, query("a=1"), broker.Miss)
		if w.called() != 3 || r.used(t) != 3 {
			t.Errorf("%d calls, %d units, want 3 of each", w.called(), r.used(t))
		}
	})
}

func TestWhenNoUnitCanBeReservedTheBlockIsUsedUpAndThenNothingIsSpent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{}, nil)
		r.get(t, query("a=0"), broker.Miss)
		r.store.ledgerFails.Store(true)
		failed := 0
		for i := range 100 {
			_, err := r.Get(t.Context(), query(fmt.Sprint("b=", i)))
			if err != nil && !errors.Is(err, broker.StoreFailed) {
				t.Fatal(err)
			}
			if err != nil {
				failed++
			}
		}
		if r.wechat.called() != 64 || failed != 37 {
			t.Errorf("%d calls and %d failures, want the 64 of the block and 37", r.wechat.called(), failed)
		}
		r.get(t, query("a=0"), broker.Hit)
		r.store.ledgerFails.Store(false)
		r.get(t, query("c=1"), broker.Miss)
	})
}

func TestPrewarmingLeavesTheReserveUntouched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{}, func(a *broker.App) { a.DailyQuota, a.Rate = 100, 1e6 })
		for i := range 90 {
			r.get(t, query(fmt.Sprint("a=", i)), broker.Miss)
		}
		time.Sleep(24 * day)
		for i := range 90 {
			r.get(t, query(fmt.Sprint("a=", i)), broker.Hit)
		}
		if _, err := r.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		counts, err := r.Prewarm(t.Context())
		if err != nil || counts["renewed"] != 50 {
			t.Errorf("%v, %v: want 50 renewed, the half that is not kept back", counts, err)
		}
		if counts, err := r.Prewarm(t.Context()); err != nil || counts["renewed"] != 0 {
			t.Errorf("a second run renewed more: %v, %v", counts, err)
		}
		r.get(t, query("b=1"), broker.Miss)
		if used := r.used(t); used != 51 {
			t.Errorf("%d units used, want 51", used)
		}
	})
}

func TestAfterARestoreHalfTheDayCountsAsSpent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{}
		store := newRig(t, w, nil).store
		small := func(a *broker.App) { a.DailyQuota, a.Rate = 100, 1e6 }
		r := rigOver(store, w, small)
		for range 2 { // doing it twice changes nothing
			if err := r.AssumeSpent(t.Context(), 0.5); err != nil {
				t.Fatal(err)
			}
		}
		if used := r.used(t); used != 50 {
			t.Errorf("%d units count as used, want 50", used)
		}
		for i := range 100 {
			_, _ = r.Get(t.Context(), query(fmt.Sprint("a=", i)))
		}
		if w.called() != 50 {
			t.Errorf("%d calls, want the other 50", w.called())
		}
	})
}
