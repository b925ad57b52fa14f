package broker_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"linkbroker/broker"
)

// TestSixtyDays lives through sixty days of one app: links in use are renewed before anybody waits, idle ones are
// left to die and purged, an outage of three days is bridged with what is stored, and the ledger agrees with the
// calls over every midnight in Shanghai.
func TestSixtyDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{takes: 50 * time.Millisecond}
		r := newRig(t, w, func(a *broker.App) { a.DailyQuota = 1000 })
		busy, idle := queries("busy", 20), queries("idle", 20)
		for _, req := range append(busy, idle...) {
			r.get(t, req, broker.Miss)
		}
		pinned, err := r.Pin(t.Context(), normalizedKey(t, idle[0]), true)
		if err != nil {
			t.Fatal(err)
		}
		weekly := query("weekly=1")
		weekly.Expiry.Days = 7
		r.get(t, weekly, broker.Miss)

		ledger := newLedgerCheck(t, r)
		outageBegins, outageEnds := time.Now().Add(21*day), time.Now().Add(24*day)
		w.answer = func(int, broker.Target) error {
			if now := time.Now(); now.After(outageBegins) && now.Before(outageEnds) {
				return errAway
			}
			return nil
		}
		for hour := range 60 * 24 {
			time.Sleep(time.Hour)
			for i, req := range append(busy, weekly) {
				if hour%12 == i%12 { // each twice a day
					r.get(t, req, broker.Hit)
				}
			}
			r.upkeep(t)
			ledger.check(t)
		}
		r.checkAfterSixtyDays(t, busy, idle, pinned)
	})
}

// upkeep is what the jobs do.
func (r *rig) upkeep(t *testing.T) {
	t.Helper()
	if _, err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Prewarm(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) checkAfterSixtyDays(t *testing.T, busy, idle []broker.Request, pinned broker.Link) {
	t.Helper()
	for _, req := range busy {
		key := normalizedKey(t, req)
		if n := r.wechat.generated(key); n < 3 || n > 3+1 {
			t.Errorf("%s was generated %d times in 60 days, want one in 20 to 24 days", req.Query, n)
		}
		link, err := r.Link(t.Context(), key)
		if err != nil || link.Uses < 110 {
			t.Errorf("%s: %d uses are counted, want all (%v)", req.Query, link.Uses, err)
		}
	}
	for _, req := range idle[1:] {
		if n := r.wechat.generated(normalizedKey(t, req)); n != 1 {
			t.Errorf("%s was generated %d times although nobody asked again", req.Query, n)
		}
		if _, err := r.Link(t.Context(), normalizedKey(t, req)); !errors.Is(err, broker.NotFound) {
			t.Errorf("%s is dead and was not purged: %v", req.Query, err)
		}
	}
	if link, err := r.Link(t.Context(), pinned.Key); err != nil || !link.Outlives(time.Now()) || !link.Pinned {
		t.Errorf("the pinned link did not stay warm: %v", err)
	}
	if r.wechat.crowded {
		t.Error("two calls for one key were in flight at once")
	}
}

// generated says how many links were made for a target.
func (w *wechat) generated(key broker.Key) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.byTarget[key]
}

// ledgerCheck compares the ledger with the calls, day by day in Shanghai.
type ledgerCheck struct {
	r     *rig
	zone  *time.Location
	today string
	calls int // made before today
}

func newLedgerCheck(t *testing.T, r *rig) *ledgerCheck {
	t.Helper()
	return &ledgerCheck{r: r, zone: time.FixedZone("Asia/Shanghai", 8*60*60), today: ""}
}

func (l *ledgerCheck) check(t *testing.T) {
	t.Helper()
	quotas, err := l.r.Quotas(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	q := quotas[0]
	today := time.Now().In(l.zone).Format(time.DateOnly)
	if q.Day != today {
		t.Fatalf("the ledger's day is %s, Shanghai's %s", q.Day, today)
	}
	if l.today == "" {
		l.today = today
	}
	if l.today != today {
		l.today = today
		l.calls = l.r.wechat.called() - int(q.Used)
	}
	if made := l.r.wechat.called() - l.calls; int64(made) != q.Used {
		t.Fatalf("%s: %d calls were made and %d units counted", today, made, q.Used)
	}
}

func TestACallOfYesterdayAndOneOfTodayAreCountedOnTheirDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{}, nil)
		time.Sleep(16*time.Hour - time.Nanosecond) // one moment before midnight in Shanghai
		for i := range 3 {
			r.get(t, query(fmt.Sprint("a=", i)), broker.Miss)
		}
		if used := r.used(t); used != 3 {
			t.Errorf("%d units before midnight, want 3", used)
		}
		time.Sleep(time.Nanosecond)
		if used := r.used(t); used != 0 {
			t.Errorf("%d units at midnight, want 0", used)
		}
		r.get(t, query("b=1"), broker.Miss)
		if used := r.used(t); used != 1 {
			t.Errorf("%d units after midnight, want 1", used)
		}
	})
}

func TestPrewarmingWhileARequestAsksForTheSameKeyMakesOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{takes: time.Second}
		r := newRig(t, w, nil)
		r.get(t, query("a=1"), broker.Miss)
		time.Sleep(24 * day)
		r.get(t, query("a=1"), broker.Hit)
		if _, err := r.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		exacting := query("a=1")
		exacting.LeastLife = 15 * day
		go func() { _, _ = r.Get(t.Context(), exacting) }()
		go func() { _, _ = r.Prewarm(t.Context()) }()
		r.get(t, exacting, broker.Miss)
		synctest.Wait()
		if w.called() != 2 {
			t.Errorf("%d calls, want the first and one renewal", w.called())
		}
	})
}

func TestPrewarmingDoesNotKeepItselfWarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{}
		r := newRig(t, w, nil)
		r.get(t, query("a=1"), broker.Miss)
		time.Sleep(22 * day)
		r.get(t, query("a=1"), broker.Hit) // the last time anybody asks
		for range 100 * 24 {
			time.Sleep(time.Hour)
			r.upkeep(t)
		}
		if w.called() != 2 {
			t.Errorf("%d calls, want the miss and one renewal", w.called())
		}
		if _, err := r.Link(t.Context(), normalizedKey(t, query("a=1"))); !errors.Is(err, broker.NotFound) {
			t.Errorf("the idle link is still there: %v", err)
		}
	})
}

func TestPrewarmingStopsForAnAppThatIsAwayAndGoesOnForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const other = "wxfedcba9876543210"
		w := &wechat{}
		store := newRig(t, w, nil).store
		policy := broker.Policy{Apps: []broker.App{{ID: appid}, {ID: other}}}
		r := &rig{Broker: broker.New(store, w, policy, time.Now), wechat: w, store: store}
		for i := range 100 {
			for _, id := range []string{appid, other} {
				req := query(fmt.Sprint("a=", i))
				req.App = id
				r.get(t, req, broker.Miss)
			}
		}
		time.Sleep(24 * day)
		for i := range 100 {
			for _, id := range []string{appid, other} {
				req := query(fmt.Sprint("a=", i))
				req.App = id
				r.get(t, req, broker.Hit)
			}
		}
		if _, err := r.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.answer = func(_ int, target broker.Target) error {
			if target.App == other {
				return says(broker.AppForbidden, 48001)
			}
			return nil
		}
		before := w.called()
		counts, err := r.Prewarm(t.Context())
		if err != nil || counts["renewed"] != 100 {
			t.Errorf("%v, %v: want the 100 of the good app renewed", counts, err)
		}
		if calls := w.called() - before; calls > 100+16 {
			t.Errorf("%d calls: the refused app was asked again and again", calls)
		}
	})
}

func queries(name string, n int) (requests []broker.Request) {
	for i := range n {
		requests = append(requests, query(fmt.Sprintf("%s=%d", name, i)))
	}
	return requests
}
