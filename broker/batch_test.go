package broker_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"linkbroker/broker"
)

// lines gives n requests, made by their number.
func lines(n int, request func(i int) broker.Request) iter.Seq2[broker.Request, error] {
	return func(yield func(broker.Request, error) bool) {
		for i := range n {
			if !yield(request(i), nil) {
				return
			}
		}
	}
}

func numbered(i int) broker.Request { return query(fmt.Sprint("n=", i)) }

func TestABatchIsAnsweredInItsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{}
		w.answer = func(call int, target broker.Target) error {
			time.Sleep(time.Duration(1+call*7919%100) * time.Millisecond)
			if target.Query == "n=13" {
				return says(broker.InvalidPath, 40165)
			}
			return nil
		}
		r := newRig(t, w, func(a *broker.App) { a.Rate = 1e6 })
		i := 0
		for answer, err := range r.Batch(t.Context(), lines(1000, numbered)) {
			switch want := fmt.Sprint("n=", i); {
			case i == 13:
				if !errors.Is(err, broker.InvalidPath) {
					t.Fatalf("line 13: %v", err)
				}
			case err != nil || answer.Link.Target.Query != want:
				t.Fatalf("line %d: %s, %v", i, answer.Link.Target.Query, err)
			}
			i++
		}
		if i != 1000 {
			t.Errorf("%d lines are answered", i)
		}
	})
}

func TestALineThatCannotBeReadIsItsOwnError(t *testing.T) {
	r := newRig(t, &wechat{}, nil)
	broken := errors.New("no JSON")
	requests := func(yield func(broker.Request, error) bool) {
		_ = yield(query("a=1"), nil) && yield(broker.Request{}, broken) && yield(query("a=2"), nil)
	}
	var got []error
	for _, err := range r.Batch(t.Context(), requests) {
		got = append(got, err)
	}
	if len(got) != 3 || got[0] != nil || !errors.Is(got[1], broken) || got[2] != nil {
		t.Errorf("got %v", got)
	}
}

func TestDuplicatesInABatchCostOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{takes: 100 * time.Millisecond}
		r := newRig(t, w, func(a *broker.App) { a.Rate = 1e6 })
		same := func(i int) broker.Request { return numbered(i % 70) }
		planned := 0
		for plan, err := range r.PlanBatch(t.Context(), lines(1000, same)) {
			if err != nil {
				t.Fatal(err)
			}
			if plan.Outcome == broker.Miss {
				planned++
			}
		}
		if planned != 70 || w.called() != 0 || r.used(t) != 0 {
			t.Errorf("the plan is %d generations and made %d", planned, w.called())
		}
		for _, err := range r.Batch(t.Context(), lines(1000, same)) {
			if err != nil {
				t.Fatal(err)
			}
		}
		if w.called() != 70 || w.crowded {
			t.Errorf("%d generations of 70 links", w.called())
		}
	})
}

func TestABatchReadsOnlySoFarAhead(t *testing.T) {
	r := newRig(t, &wechat{}, nil)
	var read atomic.Int64
	endless := func(yield func(broker.Request, error) bool) {
		for yield(query("a=1"), nil) {
			read.Add(1)
		}
	}
	answered := 0
	for _, err := range r.Batch(t.Context(), endless) {
		if err != nil {
			t.Fatal(err)
		}
		if answered++; answered == 10_000 {
			break
		}
	}
	if ahead := read.Load() - int64(answered); ahead > 512 {
		t.Errorf("%d lines were read ahead", ahead)
	}
}

func TestABatchEndsWithItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{takes: time.Second}, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		began := time.Now()
		for _, err := range r.Batch(ctx, lines(1_000_000, numbered)) {
			if err != nil {
				break
			}
		}
		if took := time.Since(began); took > 15*time.Second {
			t.Errorf("it went on for %s", took)
		}
		if err := r.Drain(t.Context()); err != nil { // what was in flight belongs to the door
			t.Error(err)
		}
	})
}

func TestABatchLeavesItsShareOfTheQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{takes: time.Millisecond}
		r := newRig(t, w, func(a *broker.App) { a.DailyQuota, a.BatchReserve = 100, 0.3 })
		failed := 0
		for _, err := range r.Batch(t.Context(), lines(200, numbered)) {
			if errors.Is(err, broker.QuotaExhausted) {
				failed++
			}
		}
		if w.called() != 70 || failed != 130 {
			t.Errorf("%d generations and %d lines without, want 70 and 130", w.called(), failed)
		}
		r.get(t, query("somebody=waits"), broker.Miss)
	})
}

// TestABatchStandsBack: who waits for one link is served while a batch takes all of WeChat's rate.
func TestABatchStandsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{takes: 50 * time.Millisecond}, func(a *broker.App) { a.Rate = 10 })
		ended := make(chan int)
		go func() {
			good := 0
			for _, err := range r.Batch(t.Context(), lines(600, numbered)) {
				if err == nil {
					good++
				} else {
					t.Log(err)
				}
			}
			ended <- good
		}()
		for i := range 20 {
			time.Sleep(time.Second)
			began := time.Now()
			r.get(t, query(fmt.Sprint("single=", i)), broker.Miss)
			if took := time.Since(began); took > 300*time.Millisecond {
				t.Errorf("somebody waited %s behind a batch", took)
			}
		}
		if good := <-ended; good != 600 {
			t.Errorf("%d of 600 lines have a link", good)
		}
	})
}

// TestAPanicInABatchIsItsCallers: nobody recovers in a goroutine, so it would end the program.
func TestAPanicInABatchIsItsCallers(t *testing.T) {
	recovered := func(r *rig, requests iter.Seq2[broker.Request, error]) (p any) {
		defer func() { p = recover() }()
		for _, err := range r.Batch(t.Context(), requests) {
			t.Errorf("a line is answered: %v", err)
		}
		return nil
	}
	t.Run("of a line", func(t *testing.T) {
		r := newRig(t, &wechat{}, nil)
		r.store.beforeLink = func(broker.Key) { panic("a damaged page") }
		if p := recovered(r, lines(1000, numbered)); p == nil {
			t.Error("it is kept secret")
		}
	})
	t.Run("of who reads the lines", func(t *testing.T) {
		r := newRig(t, &wechat{}, nil)
		if p := recovered(r, func(func(broker.Request, error) bool) { panic("a defect") }); p == nil {
			t.Error("it is kept secret")
		}
	})
}

func TestALineThatWaitsIsOneAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{}, nil)
		client := &broker.Client{Name: "shop", Grant: broker.Grant{GenerationsPerMinute: 1}}
		asked := func(i int) broker.Request {
			req := numbered(i)
			req.Client = client
			return req
		}
		for _, err := range r.Batch(t.Context(), lines(3, asked)) {
			if err != nil {
				t.Fatal(err)
			}
		}
		if n := r.events.count(broker.Answered); n != 3 {
			t.Errorf("%d answers of 3 lines are observed", n)
		}
		if _, err := r.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := r.history(t, broker.AnswersOf+appid, broker.Daily); got[string(broker.Miss)] != 3 || got[broker.CountFailed] != 0 {
			t.Errorf("counted is %v, want 3 misses", got)
		}
	})
}
