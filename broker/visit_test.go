package broker_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"linkbroker/broker"
)

func (r *rig) total(t *testing.T, slug, what string) uint64 {
	t.Helper()
	stats, err := r.Visits(t.Context(), slug, broker.Total, time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if len(stats) == 0 {
		return 0
	}
	return stats[0].Counts[what]
}

func TestVisitsAreKeptWhileTheyCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{}, nil)
		r.put(t, alias("sale", nil))
		r.visit(t, "sale", "")
		r.store.writesFail.Store(true)
		for range 3 {
			time.Sleep(time.Hour)
			r.visit(t, "sale", "")
			if _, err := r.Flush(t.Context()); !errors.Is(err, broker.StoreFailed) {
				t.Fatalf("flushed onto a full disk: %v", err)
			}
		}
		r.store.writesFail.Store(false)
		for range 2 { // and once
			if _, err := r.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if n := r.total(t, "sale", string(broker.Elsewhere)); n != 4 {
			t.Errorf("%d visits are counted, want 4", n)
		}
	})
}

func TestADayOfVisitsBeginsInShanghai(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // begins at midnight UTC
		r := newRig(t, &wechat{}, nil)
		r.put(t, alias("sale", nil))
		for range 48 {
			r.visit(t, "sale", "")
			time.Sleep(time.Hour)
		}
		if _, err := r.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		stats, err := r.Visits(t.Context(), "sale", broker.Daily, time.Unix(0, 0), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		var days []uint64
		for _, s := range stats {
			days = append(days, s.Counts[string(broker.Elsewhere)])
			if s.At.UTC().Hour() != 16 {
				t.Errorf("a day begins at %s", s.At)
			}
		}
		if len(days) != 3 || days[0] != 16 || days[1] != 24 || days[2] != 8 {
			t.Errorf("the days have %v visits, want 16, 24, 8", days)
		}
	})
}

func TestVisitsDieWithTheirAlias(t *testing.T) {
	r := newRig(t, &wechat{}, nil)
	r.put(t, alias("sale", nil))
	r.visit(t, "sale", "")
	if _, err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.visit(t, "sale", "") // one that is not written yet
	if err := r.DeleteAlias(t.Context(), "sale", broker.Precondition{}); err != nil {
		t.Fatal(err)
	}
	r.put(t, alias("sale", nil))
	if _, err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := r.total(t, "sale", string(broker.Elsewhere)); n != 0 {
		t.Errorf("a new alias begins with %d visits", n)
	}
	if _, err := r.Visits(t.Context(), "sale", "week", time.Time{}, time.Now()); !errors.Is(err, broker.InvalidArgument) {
		t.Errorf("visits by the week: %v", err)
	}
}

func TestWhoIsSentToTheFallbackIsNoVisitor(t *testing.T) {
	r := newRig(t, &wechat{}, withFallback)
	r.put(t, alias("sale", func(a *broker.Alias) {
		a.VisitLimit, a.FallbackURL = 2, "https://shop.example.com/full"
	}))
	for range 5 {
		r.visit(t, "sale", "")
	}
	if _, err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if visits, others := r.total(t, "sale", string(broker.Elsewhere)), r.total(t, "sale", broker.FellBack); visits != 2 || others != 3 {
		t.Errorf("%d visits and %d sent to the fallback, want 2 and 3", visits, others)
	}
	if n := r.events.count(broker.Visited); n != 5 {
		t.Errorf("%d visits are observed", n)
	}
}

// limited is a broker with an alias that leads on so many visitors.
func limited(t *testing.T, most uint64) *rig {
	t.Helper()
	r := newRig(t, &wechat{}, nil)
	r.put(t, alias("sale", func(a *broker.Alias) { a.VisitLimit = most }))
	return r
}

// TestNobodySlipsThroughWhileVisitsAreWritten: between reading what is written and counting the visit, another visitor
// takes the last place, and a flush moves him from memory to the store.
func TestNobodySlipsThroughWhileVisitsAreWritten(t *testing.T) {
	r := limited(t, 1)
	r.store.afterStats = func() {
		r.store.afterStats = nil
		r.visit(t, "sale", "")
		if _, err := r.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Resolve(t.Context(), broker.Visit{Slug: "sale", Visitor: broker.InWeChat}); !errors.Is(err, broker.NotFound) {
		t.Errorf("a second visitor is led on: %v", err)
	}
}

// TestNobodyIsTurnedAwayWhileVisitsAreWritten: for a moment the store knows of visits that memory still counts as
// unwritten.
func TestNobodyIsTurnedAwayWhileVisitsAreWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := limited(t, 3)
		r.visit(t, "sale", "")
		r.visit(t, "sale", "")
		third := make(chan error, 1)
		r.store.afterAdd = func() {
			r.store.afterAdd = nil
			go func() {
				_, err := r.Resolve(t.Context(), broker.Visit{Slug: "sale", Visitor: broker.InWeChat})
				third <- err
			}()
			synctest.Wait()
		}
		if _, err := r.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-third; err != nil {
			t.Errorf("the third of three visitors is turned away: %v", err)
		}
	})
}

// TestADiskThatHangsHoldsUpNoVisitor: but for the last ones under a limit, of whom nobody can say now whether there is
// room.
func TestADiskThatHangsHoldsUpNoVisitor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := limited(t, 10)
		r.visit(t, "sale", "")
		hangs := make(chan struct{})
		r.store.beforeAdd = func() { <-hangs }
		flushed := make(chan error)
		go func() {
			_, err := r.Flush(t.Context())
			flushed <- err
		}()
		synctest.Wait()
		began := time.Now()
		for range 9 {
			r.visit(t, "sale", "")
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("visitors waited %s", waited)
		}
		if _, err := r.Resolve(t.Context(), broker.Visit{Slug: "sale", Visitor: broker.InWeChat}); !errors.Is(err, broker.Unavailable) {
			t.Errorf("one too many is told %v", err)
		}
		close(hangs)
		if err := <-flushed; err != nil {
			t.Error(err)
		}
	})
}

func TestWhoIsToldTheLinkTakesAPlace(t *testing.T) {
	r := limited(t, 1)
	if d, err := r.Resolve(t.Context(), broker.Visit{Slug: "sale", Peek: true}); err != nil || d.URL != "" {
		t.Errorf("a look before the only visit gives %q, %v", d.URL, err)
	}
	if d, err := r.Resolve(t.Context(), broker.Visit{Slug: "sale"}); err != nil || d.URL == "" { // a browser that reads ahead
		t.Fatalf("the only visit leads to %q, %v", d.URL, err)
	}
	for _, v := range []broker.Visit{{}, {Peek: true}, {Visitor: broker.InWeChat}} {
		v.Slug = "sale"
		if d, err := r.Resolve(t.Context(), v); !errors.Is(err, broker.NotFound) {
			t.Errorf("beyond the limit %+v is given %q, %v", v, d.URL, err)
		}
	}
}

func TestAVisitBeingWrittenDiesWithItsAlias(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := limited(t, 2)
		r.visit(t, "sale", "")
		deleted := make(chan error, 1)
		r.store.beforeAdd = func() {
			r.store.beforeAdd = nil
			go func() { deleted <- r.DeleteAlias(t.Context(), "sale", broker.Precondition{}) }()
			synctest.Wait()
		}
		if _, err := r.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-deleted; err != nil {
			t.Fatal(err)
		}
		r.put(t, alias("sale", nil))
		if n := r.total(t, "sale", string(broker.Elsewhere)); n != 0 {
			t.Errorf("a new alias begins with %d visits", n)
		}
	})
}

// TestAVisitLimitIsExact however often visits are written meanwhile, and however often that fails.
func TestAVisitLimitIsExact(t *testing.T) {
	const most = 300
	r := limited(t, most)
	r.visit(t, "sale", "")
	var led atomic.Int64
	led.Add(1)
	var visitors, flushers sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		flushers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				r.store.writesFail.Store(i%3 == 0)
				_, _ = r.Flush(t.Context())
			}
		})
	}
	for range 16 {
		visitors.Go(func() {
			for range most/16 + 10 {
				switch _, err := r.Resolve(t.Context(), broker.Visit{Slug: "sale", Visitor: broker.OnIOS}); {
				case err == nil:
					led.Add(1)
				case !errors.Is(err, broker.NotFound):
					t.Error(err)
				case led.Load() < most-16: // those under way may have the rest
					t.Error("a visitor is turned away although there is room")
				}
			}
		})
	}
	visitors.Wait()
	close(stop)
	flushers.Wait()
	r.store.writesFail.Store(false)
	if _, err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := r.total(t, "sale", string(broker.OnIOS)) + r.total(t, "sale", string(broker.Elsewhere)); led.Load() != most || n != most {
		t.Errorf("%d visitors were led on and %d counted, want %d", led.Load(), n, most)
	}
}

func TestBrokersThatShareAStoreCountVisitorsTogether(t *testing.T) {
	const most = 30
	_, all := fellows(t, 3, &wechat{}, nil)
	all[0].put(t, alias("sale", func(a *broker.Alias) { a.VisitLimit = most }))
	led := 0
	for i := range 2 * most {
		switch _, err := all[i%len(all)].Resolve(t.Context(), broker.Visit{Slug: "sale", Visitor: broker.OnIOS}); {
		case err == nil:
			led++
		case !errors.Is(err, broker.NotFound):
			t.Fatal(err)
		}
	}
	if led != most {
		t.Errorf("%d visitors are led on, want %d", led, most)
	}
}

func TestVisitsThatOneBrokerCountsDieWithTheAliasThatAnotherDeletes(t *testing.T) {
	_, all := fellows(t, 2, &wechat{}, nil)
	all[0].put(t, alias("sale", nil))
	all[1].visit(t, "sale", "")
	if err := all[0].DeleteAlias(t.Context(), "sale", broker.Precondition{}); err != nil {
		t.Fatal(err)
	}
	if _, err := all[1].Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	all[0].put(t, alias("sale", nil))
	if _, err := all[1].Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := all[0].total(t, "sale", string(broker.Elsewhere)); n != 0 {
		t.Errorf("a new alias begins with %d visits", n)
	}
}
