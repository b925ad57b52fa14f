package broker_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"linkbroker/broker"
)

func TestCallsKeepTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{}, func(a *broker.App) { a.Rate = 100 })
		began := time.Now()
		var callers sync.WaitGroup
		for i := range 310 {
			callers.Go(func() { r.get(t, query(fmt.Sprint("a=", i)), broker.Miss) })
		}
		callers.Wait()
		// 310 calls at 100 a second, of which the first 10 may come at once.
		if took := time.Since(began); took < 2900*time.Millisecond || took > 3100*time.Millisecond {
			t.Errorf("took %s, want 3 s", took)
		}
	})
}

func TestWhoWouldWaitBeyondTheDeadlineIsToldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{}, func(a *broker.App) { a.Rate = 1 })
		began := time.Now()
		var callers sync.WaitGroup
		var mu sync.Mutex
		busy := 0
		for i := range 100 {
			callers.Go(func() {
				_, err := r.Get(t.Context(), query(fmt.Sprint("a=", i)))
				mu.Lock()
				defer mu.Unlock()
				if broker.CodeOf(err) == broker.Busy && time.Since(began) < time.Second {
					busy++
				}
			})
		}
		callers.Wait()
		if busy != 96 || r.used(t) != 4 {
			t.Errorf("%d told at once, %d units: want 96 and the 4 calls that fit into the deadline", busy, r.used(t))
		}
	})
}

func TestTheRateIsHalvedOnAComplaintAndComesBackSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{answer: func(int, broker.Target) error { return says(broker.Busy, 44990) }}
		r := newRig(t, w, func(a *broker.App) { a.Rate = 100 })
		rate := func() float64 {
			quotas, err := r.Quotas(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return quotas[0].Rate
		}
		r.fails(t, query("a=1"), broker.Busy)
		if lowered := rate(); lowered > 55 || r.events.count(broker.RateLowered) == 0 {
			t.Errorf("the rate is %.0f after a complaint, want about half of 100", lowered)
		}
		w.answer = nil
		time.Sleep(10 * time.Second)
		if slow := rate(); slow >= 90 {
			t.Errorf("the rate is back at %.0f after 10 s", slow)
		}
		time.Sleep(90 * time.Second)
		if full := rate(); full != 100 {
			t.Errorf("the rate is %.0f after 100 s, want 100", full)
		}
	})
}

func TestPrewarmingWaitsUntilNobodyElseDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var order []string
		w := &wechat{}
		r := newRig(t, w, func(a *broker.App) { a.Rate = 10 })
		for i := range 5 {
			r.get(t, query(fmt.Sprint("warm=", i)), broker.Miss)
			time.Sleep(time.Second)
		}
		time.Sleep(24 * day)
		for i := range 5 {
			r.get(t, query(fmt.Sprint("warm=", i)), broker.Hit)
		}
		if _, err := r.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.answer = func(_ int, target broker.Target) error {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, target.Query[:4])
			return nil
		}
		var all sync.WaitGroup
		for i := range 30 {
			all.Go(func() { r.get(t, query(fmt.Sprint("miss=", i)), broker.Miss) })
		}
		synctest.Wait()
		counts, err := r.Prewarm(t.Context())
		if err != nil || counts["renewed"] != 5 {
			t.Fatalf("%v, %v", counts, err)
		}
		all.Wait()
		for i, who := range order[:30] {
			if who != "miss" {
				t.Fatalf("call %d of %d was for pre-warming while somebody waited", i, len(order))
			}
		}
	})
}

// TestThoseWhoStandBackDoNotAllWakeForEachSlot counts how often the time is asked for: a thousand lines that wait behind
// others must not look up with each call that those make.
func TestThoseWhoStandBackDoNotAllWakeForEachSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		clock := func() time.Time {
			asked.Add(1)
			return time.Now()
		}
		policy := broker.Policy{Apps: []broker.App{{ID: appid, Rate: 100}}}
		links := broker.New(newRig(t, &wechat{}, nil).store, &wechat{}, policy, clock)
		var callers sync.WaitGroup
		const standingBack = 1000
		for i := range standingBack {
			callers.Go(func() {
				req := query(fmt.Sprint("batched=", i))
				req.Batched = true
				_, _ = links.Get(t.Context(), req)
			})
		}
		callers.Wait()
		if perCaller := asked.Load() / standingBack; perCaller > 30 {
			t.Errorf("each of them asked %d times for the time", perCaller)
		}
	})
}
