package broker_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"linkbroker/broker"
)

func (r *rig) prewarm(t *testing.T) broker.Counts {
	t.Helper()
	counts, err := r.Prewarm(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return counts
}

// TestAnAliasThatIsUsedUpIsNotKeptWarm: a hundred thousand personal links that lead on once each would cost a generation
// in 20 days each, for ever.
func TestAnAliasThatIsUsedUpIsNotKeptWarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := limited(t, 2)
		r.visit(t, "sale", "")
		time.Sleep(29 * day)
		if n := r.prewarm(t)["renewed"]; n != 1 {
			t.Fatalf("%d links are renewed while there is room, want 1", n)
		}
		r.visit(t, "sale", "")
		if _, err := r.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(29 * day)
		if n := r.prewarm(t)["renewed"]; n != 0 {
			t.Errorf("%d links are renewed for an alias that leads nowhere", n)
		}
	})
}

// TestAnAliasLeavesALinkThatCannotBeHandedOut: its host was taken off the list, and it would live for a month.
func TestAnAliasLeavesALinkThatCannotBeHandedOut(t *testing.T) {
	before := newRig(t, &wechat{host: "wxmpurl.cn"}, nil)
	before.put(t, alias("sale", nil))
	before.visit(t, "sale", "")
	r := rigOver(before.store, &wechat{}, func(a *broker.App) { a.LinkHosts = []string{"wxaurl.cn"} })
	if n := r.prewarm(t)["renewed"]; n != 1 {
		t.Errorf("%d links are renewed", n)
	}
	if d := r.visit(t, "sale", ""); d.Answer.Outcome != broker.Hit {
		t.Errorf("a visitor has a %s", d.Answer.Outcome)
	}
	if n := r.prewarm(t)["renewed"]; n != 0 {
		t.Errorf("%d links are renewed again", n)
	}
}

// TestADeletionStopsNoPrewarming of others.
func TestADeletionStopsNoPrewarming(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{}
		r := newRig(t, w, func(a *broker.App) { a.Rate = 1e6 })
		for i := range 100 {
			key := r.get(t, numbered(i), broker.Miss).Link.Key
			if _, err := r.Pin(t.Context(), key, true); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(25 * day)
		first := true
		r.store.beforeLink = func(key broker.Key) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if first { // it is due and about to be renewed
				first = false
				_ = r.store.DeleteLink(t.Context(), key)
			}
		}
		if n := r.prewarm(t)["renewed"]; n != 99 {
			t.Errorf("%d of 99 are renewed", n)
		}
	})
}

// TestAPageThatIsGoneHoldsUpNoOthers: WeChat is not asked for each of its aliases, every five minutes and for ever.
func TestAPageThatIsGoneHoldsUpNoOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{takes: 100 * time.Millisecond}
		w.answer = func(call int, target broker.Target) error {
			if target.Path == "pages/gone" || call == 1 { // 40165 is wrong now and then
				return says(broker.InvalidPath, 40165)
			}
			return nil
		}
		r := newRig(t, w, nil)
		for i := range 500 {
			r.put(t, alias(fmt.Sprint("a", i), func(a *broker.Alias) { a.Target.Path, a.Target.Query = "pages/gone", fmt.Sprint("n=", i) }))
			r.put(t, alias(fmt.Sprint("b", i), func(a *broker.Alias) { a.Target.Query = fmt.Sprint("n=", i) }))
		}
		counts := r.prewarm(t)
		if counts["renewed"] < 499 || w.called() > 550 {
			t.Errorf("%v after %d calls", counts, w.called())
		}
	})
}
