package broker_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"linkbroker/broker"
)

func TestASpentCallIsDeliveredThoughTheStoreCannotTakeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{}, nil)
		r.store.writesFail.Store(true)
		miss := r.get(t, query("a=1"), broker.Miss)
		if miss.Stored {
			t.Error("the answer says that the link is stored")
		}
		hit := r.get(t, query("a=1"), broker.Hit)
		if hit.Link.URL != miss.Link.URL || r.wechat.called() != 1 {
			t.Errorf("got %s after %s by %d calls", hit.Link.URL, miss.Link.URL, r.wechat.called())
		}
		if _, err := r.Flush(t.Context()); err == nil {
			t.Error("Flush says nothing of the failing store")
		}
		r.store.writesFail.Store(false)
		counts, err := r.Flush(t.Context())
		if err != nil || counts["stored"] != 1 {
			t.Fatalf("%v, %v", counts, err)
		}
		link, err := r.store.Link(t.Context(), miss.Link.Key)
		if err != nil || link.URL != miss.Link.URL || link.Uses != 2 {
			t.Errorf("stored is %s with %d uses, %v", link.URL, link.Uses, err)
		}
		if r.events.count(broker.StoreFailing) != 1 {
			t.Error("nobody was told that the store fails")
		}
	})
}

func TestUsesAreNotLostToAFailingStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{}, nil)
		key := r.get(t, query("a=1"), broker.Miss).Link.Key
		r.store.writesFail.Store(true)
		for range 10 {
			time.Sleep(time.Second)
			r.get(t, query("a=1"), broker.Hit)
			if _, err := r.Flush(t.Context()); !errors.Is(err, broker.StoreFailed) {
				t.Fatal(err)
			}
		}
		last := time.Now()
		r.store.writesFail.Store(false)
		if _, err := r.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		link, err := r.Link(t.Context(), key)
		if err != nil || link.Uses != 11 || !link.UsedAt.Equal(last) {
			t.Errorf("%d uses, the last at %s, want 11 and %s (%v)", link.Uses, link.UsedAt, last, err)
		}
	})
}

func TestWhatDiedBeforeItCouldBeStoredIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{}, nil)
		r.store.writesFail.Store(true)
		r.get(t, query("a=1"), broker.Miss)
		time.Sleep(31 * day)
		r.store.writesFail.Store(false)
		if counts, err := r.Flush(t.Context()); err != nil || counts["stored"] != 0 {
			t.Errorf("%v, %v", counts, err)
		}
		r.get(t, query("a=1"), broker.Miss)
	})
}

func TestADeletedLinkStaysDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, failing := range []bool{false, true} {
			r := newRig(t, &wechat{}, nil)
			r.store.writesFail.Store(failing)
			link := r.get(t, query("a=1"), broker.Miss).Link
			if err := r.Delete(t.Context(), link.Key); err != nil {
				t.Fatal(err)
			}
			r.store.writesFail.Store(false)
			if _, err := r.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Link(t.Context(), link.Key); !errors.Is(err, broker.NotFound) {
				t.Errorf("it is back: %v", err)
			}
			if err := r.Delete(t.Context(), link.Key); !errors.Is(err, broker.NotFound) {
				t.Errorf("deleting it again: %v", err)
			}
		}
	})
}

func TestPurgeTakesTheDeadAndLeavesTheLiving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{}, func(a *broker.App) { a.Rate = 1e6 })
		for i := range 450 {
			req := query(fmt.Sprint("short=", i))
			req.Expiry.Days = 1
			r.get(t, req, broker.Miss)
		}
		r.get(t, query("long=1"), broker.Miss)
		time.Sleep(day)
		counts, err := r.Purge(t.Context())
		if err != nil || counts["purged"] != 450 {
			t.Errorf("%v, %v", counts, err)
		}
		r.get(t, query("long=1"), broker.Hit)
	})
}
