package broker_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"linkbroker/broker"
)

func TestAThousandCallersMakeOneCallThoughTheFirstHangsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{takes: time.Second}, nil)
		first, hangUp := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		callers.Go(func() {
			if _, err := r.Get(first, query("a=1")); !errors.Is(err, broker.Unavailable) {
				t.Errorf("the caller who hung up got %v", err)
			}
		})
		synctest.Wait()
		for i := range 1000 {
			callers.Go(func() {
				time.Sleep(time.Duration(i) * 500 * time.Microsecond)
				answer, err := r.Get(t.Context(), query("a=1"))
				if err != nil || answer.Outcome != broker.Miss || !answer.Collapsed || !answer.Stored {
					t.Errorf("got %v, collapsed %v, stored %v, %v", answer.Outcome, answer.Collapsed, answer.Stored, err)
				}
			})
		}
		time.Sleep(500 * time.Millisecond)
		hangUp()
		callers.Wait()
		if r.wechat.called() != 1 || r.used(t) != 1 {
			t.Errorf("%d calls, %d units, want 1 of each", r.wechat.called(), r.used(t))
		}
	})
}

func TestAFailureIsSharedByAllWhoWaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{takes: time.Second, answer: func(int, broker.Target) error { return says(broker.InvalidPath, 40165) }}
		r := newRig(t, w, nil)
		var callers sync.WaitGroup
		for range 100 {
			callers.Go(func() { r.fails(t, query("a=1"), broker.InvalidPath) })
		}
		callers.Wait()
		if r.wechat.called() != 1 || r.used(t) != 0 {
			t.Errorf("%d calls, %d units, want one call and its unit given back", r.wechat.called(), r.used(t))
		}
	})
}

func TestAPanicFailsItsFlightAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{answer: func(call int, _ broker.Target) error {
			if call == 1 {
				panic("out of order")
			}
			return nil
		}}
		r := newRig(t, w, nil)
		r.fails(t, query("a=1"), broker.Internal)
		r.get(t, query("a=1"), broker.Miss)
		if r.events.count(broker.Panicked) != 1 {
			t.Error("nobody was told of the panic")
		}
		if r.used(t) != 2 {
			t.Errorf("%d units, want 2: the panicked call may have generated", r.used(t))
		}
	})
}

func TestWaitingIsBoundedInKeysNotInCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{takes: time.Second}
		policy := broker.Policy{Apps: []broker.App{{ID: appid}}, MaxWaiting: 3}
		r := &rig{Broker: broker.New(newRig(t, w, nil).store, w, policy, time.Now), wechat: w}
		var callers sync.WaitGroup
		for i := range 300 {
			callers.Go(func() { r.get(t, query(fmt.Sprint("a=", i%3)), broker.Miss) })
		}
		synctest.Wait()
		if err := r.failure(t, query("a=4"), broker.Busy); err.RetryAfter == 0 {
			t.Error("the refusal does not say when to come back")
		}
		callers.Wait()
		r.get(t, query("a=4"), broker.Miss)
	})
}

func TestACallerWhoWantsMoreThanTheFlightFoundFliesItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{takes: time.Second}
		r := newRig(t, w, nil)
		link := r.get(t, query("a=1"), broker.Miss).Link
		time.Sleep(12 * day)
		if _, err := r.Renew(t.Context(), link.Key); err != nil {
			t.Fatal(err)
		}
		time.Sleep(12 * day)
		// 18 days are left: enough for the one, not for the other, who meets the one's flight.
		var callers sync.WaitGroup
		exacting := query("a=1")
		exacting.LeastLife = 20 * day
		for range 10 {
			callers.Go(func() {
				answer, err := r.Get(t.Context(), exacting)
				if err != nil || answer.TTL() < 20*day {
					t.Errorf("got a life of %s, %v", answer.TTL(), err)
				}
			})
			callers.Go(func() { _, _ = r.Get(t.Context(), query("a=1")) })
		}
		callers.Wait()
		if w.called() != 3 || w.crowded {
			t.Errorf("%d calls, two at once: %v", w.called(), w.crowded)
		}
	})
}

func TestRenewingTwiceAtOnceMakesOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{takes: time.Second}, nil)
		link := r.get(t, query("a=1"), broker.Miss).Link
		var callers sync.WaitGroup
		for range 10 {
			callers.Go(func() {
				answer, err := r.Renew(t.Context(), link.Key)
				if err != nil || answer.Link.URL == link.URL {
					t.Errorf("got %s, %v", answer.Link.URL, err)
				}
			})
		}
		callers.Wait()
		if r.wechat.called() != 2 {
			t.Errorf("%d calls, want the miss and one renewal", r.wechat.called())
		}
	})
}

func TestDrainWaitsForCallsAndKeepsTheirLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{takes: 3 * time.Second}, nil)
		ctx, hangUp := context.WithCancel(t.Context())
		var caller sync.WaitGroup
		caller.Go(func() { _, _ = r.Get(ctx, query("a=1")) })
		synctest.Wait()
		hangUp()
		if err := r.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		caller.Wait()
		if _, err := r.store.Link(t.Context(), normalizedKey(t, query("a=1"))); err != nil {
			t.Errorf("the link in flight was lost: %v", err)
		}
		r.fails(t, query("a=2"), broker.Unavailable)
		r.get(t, query("a=1"), broker.Hit)
		if reserved, err := r.store.ReservedQuota(t.Context(), appid, time.Now().Add(8*time.Hour).UTC().Format(time.DateOnly)); reserved != 1 || err != nil {
			t.Errorf("%d units stay reserved, want the one spent (%v)", reserved, err)
		}
	})
}

func TestDrainDoesNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{takes: 3 * time.Second}, nil)
		var caller sync.WaitGroup
		caller.Go(func() { _, _ = r.Get(t.Context(), query("a=1")) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.Drain(ctx); err == nil {
			t.Error("Drain says all is done while a call is in flight")
		}
		caller.Wait()
	})
}

func TestANeverShareAppMakesACallForEachCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{takes: time.Second}, func(a *broker.App) { a.NeverShare = true })
		var callers sync.WaitGroup
		var mu sync.Mutex
		links := map[string]bool{}
		for range 50 {
			callers.Go(func() {
				answer := r.get(t, query("a=1"), broker.Miss)
				mu.Lock()
				defer mu.Unlock()
				links[answer.Link.URL] = true
				if _, err := r.Renew(t.Context(), answer.Link.Key); !errors.Is(err, broker.InvalidArgument) {
					t.Errorf("a link that is never shared was renewed: %v", err)
				}
			})
		}
		callers.Wait()
		if len(links) != 50 || r.wechat.called() != 50 {
			t.Errorf("%d links by %d calls for 50 callers", len(links), r.wechat.called())
		}
		time.Sleep(25 * day)
		if counts, err := r.Prewarm(t.Context()); err != nil || counts["renewed"] != 0 {
			t.Errorf("pre-warmed %v, %v", counts, err)
		}
	})
}

func TestACallerHurriesAPrewarmingOfItsLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// One call a second, and others queue for it all the time: pre-warming alone would not get a turn.
		w := &wechat{}
		r := newRig(t, w, func(a *broker.App) { a.Rate = 1 })
		link := r.get(t, query("a=1"), broker.Miss).Link
		time.Sleep(25 * day)
		r.get(t, query("a=1"), broker.Hit)
		if _, err := r.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for i := range 3 {
			all.Go(func() { r.get(t, query(fmt.Sprint("b=", i)), broker.Miss) })
		}
		synctest.Wait()
		all.Go(func() { _, _ = r.Prewarm(t.Context()) })
		synctest.Wait()
		exacting := query("a=1")
		exacting.LeastLife = 20 * day
		answer := r.get(t, exacting, broker.Miss)
		if answer.Link.URL == link.URL || !answer.Collapsed {
			t.Errorf("got %s, collapsed %v", answer.Link.URL, answer.Collapsed)
		}
		all.Wait()
		if w.crowded {
			t.Error("two calls for one key were in flight at once")
		}
	})
}

func TestACallerIsNotHeldToThePatienceOfAPrewarming(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{takes: 100 * time.Millisecond}, func(a *broker.App) { a.Rate = 2 })
		link := r.get(t, query("a=1"), broker.Miss).Link
		if _, err := r.Pin(t.Context(), link.Key, true); err != nil {
			t.Fatal(err)
		}
		time.Sleep(28 * day)
		var all sync.WaitGroup
		for i := range 8 { // all turns of the next 4 s
			all.Go(func() { _, _ = r.Get(t.Context(), query(fmt.Sprint("b=", i))) })
		}
		synctest.Wait()
		all.Go(func() { _, _ = r.Prewarm(t.Context()) })
		time.Sleep(3700 * time.Millisecond)
		r.get(t, query("a=1"), broker.Miss)
		all.Wait()
	})
}

func TestALinkDeletedWhileItWaitsToBePrewarmedStaysDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{takes: 100 * time.Millisecond}, nil)
		links := make([]broker.Key, 50) // more than are renewed at once
		for i := range links {
			links[i] = r.get(t, query(fmt.Sprint("a=", i)), broker.Miss).Link.Key
			if _, err := r.Pin(t.Context(), links[i], true); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(24 * day)
		var prewarming sync.WaitGroup
		prewarming.Go(func() { _, _ = r.Prewarm(t.Context()) })
		synctest.Wait()
		deleted := 0
		for _, key := range links {
			if err := r.Delete(t.Context(), key); err != nil {
				t.Error(err)
			}
			deleted++
		}
		prewarming.Wait()
		page, err := r.Links(t.Context(), broker.Query{})
		if err != nil || len(page.Links) != 0 {
			t.Errorf("%d of %d deleted links are back (%v)", len(page.Links), deleted, err)
		}
	})
}

func TestRenewalsAreSharedAlsoAfterTheClockWasSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{takes: 100 * time.Millisecond, ahead: time.Hour}
		r := newRig(t, w, nil)
		key := r.get(t, query("a=1"), broker.Miss).Link.Key
		w.ahead = 0
		var callers sync.WaitGroup
		for range 20 {
			callers.Go(func() {
				if _, err := r.Renew(t.Context(), key); err != nil {
					t.Error(err)
				}
			})
		}
		callers.Wait()
		if w.called() != 2 {
			t.Errorf("%d calls, want the miss and one renewal", w.called())
		}
	})
}
