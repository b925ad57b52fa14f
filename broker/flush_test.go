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
	"linkbroker/cache"
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
		if counts, err := r.Purge(t.Context()); err != nil || counts["purged"] != 0 {
			t.Errorf("%v, %v: the dead are kept for an hour, for clocks that ran ahead", counts, err)
		}
		time.Sleep(time.Hour)
		counts, err := r.Purge(t.Context())
		if err != nil || counts["purged"] != 450 {
			t.Errorf("%v, %v", counts, err)
		}
		r.get(t, query("long=1"), broker.Hit)
	})
}

func TestALinkWhoseStoringHangsIsDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{takes: 100 * time.Millisecond}, nil)
		r.store.beforePut = func(ctx context.Context) error { <-ctx.Done(); return errDisk }
		began := time.Now()
		if miss := r.get(t, query("a=1"), broker.Miss); miss.Stored || time.Since(began) > 4*time.Second {
			t.Errorf("stored %v after %s", miss.Stored, time.Since(began))
		}
		if hit := r.get(t, query("a=1"), broker.Hit); hit.Stored {
			t.Error("a link that is in memory alone is answered as stored")
		}
		time.Sleep(time.Minute) // the write is given up
	})
}

func TestALinkThatIsStoredLateIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{}, nil)
		r.store.beforePut = func(context.Context) error { time.Sleep(6 * time.Second); return nil }
		r.get(t, query("a=1"), broker.Miss)
		time.Sleep(10 * time.Second)
		if hit := r.get(t, query("a=1"), broker.Hit); !hit.Stored {
			t.Error("it does not count as stored")
		}
	})
}

func TestAFlushComesBeforeOrAfterAChangeOfItsLinkButNotBetween(t *testing.T) {
	tests := []struct {
		claim  string
		change func(t *testing.T, r *rig, key broker.Key)
		check  func(t *testing.T, link broker.Link, err error)
	}{
		{
			"a renewal",
			func(t *testing.T, r *rig, key broker.Key) {
				t.Helper()
				if answer, err := r.Renew(t.Context(), key); err != nil || !answer.Stored {
					t.Errorf("stored %v, %v", answer.Stored, err)
				}
			},
			func(t *testing.T, link broker.Link, err error) {
				t.Helper()
				if err != nil || link.URL != "https://wxaurl.cn/2" {
					t.Errorf("found %s, %v", link.URL, err)
				}
			},
		},
		{
			"a deletion",
			func(t *testing.T, r *rig, key broker.Key) {
				t.Helper()
				if err := r.Delete(t.Context(), key); err != nil {
					t.Error(err)
				}
			},
			func(t *testing.T, link broker.Link, err error) {
				t.Helper()
				if !errors.Is(err, broker.NotFound) {
					t.Errorf("it is back: %s, %v", link.URL, err)
				}
			},
		},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, &wechat{}, nil)
				r.store.writesFail.Store(true)
				key := r.get(t, query("a=1"), broker.Miss).Link.Key
				time.Sleep(time.Hour)
				r.store.writesFail.Store(false)
				r.store.beforePut = func(context.Context) error { time.Sleep(time.Second); return nil }
				var both sync.WaitGroup
				both.Go(func() {
					if _, err := r.Flush(t.Context()); err != nil {
						t.Error(err)
					}
				})
				synctest.Wait() // the flush is about to write
				both.Go(func() { test.change(t, r, key) })
				both.Wait()
				link, err := r.Link(t.Context(), key)
				test.check(t, link, err)
			})
		})
	}
}

func TestAFlushThatIsGivenUpCountsNothingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &moody{Store: cache.NewMemory(), beforeTouch: func() { time.Sleep(time.Second) }}
		layer := cache.NewLayer(store, 100)
		r := rigOver(&moody{Store: layer}, &wechat{}, nil)
		key := r.get(t, query("a=1"), broker.Miss).Link.Key
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		_, _ = r.Flush(ctx) // as at a stop
		if err := r.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if link, err := r.Link(t.Context(), key); err != nil || link.Uses != 1 {
			t.Errorf("used once, counted %d times (%v)", link.Uses, err)
		}
		if err := layer.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestDrainEndsThoughTheDiskHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{}, nil)
		r.store.writesFail.Store(true)
		r.get(t, query("a=1"), broker.Miss)
		r.store.writesFail.Store(false)
		r.store.beforePut = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		began := time.Now()
		if err := r.Drain(ctx); err == nil || time.Since(began) > time.Minute {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

func TestALinkThatIsNotStoredYetCanBePinned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{}, nil)
		r.store.writesFail.Store(true)
		key := r.get(t, query("a=1"), broker.Miss).Link.Key
		if link, err := r.Pin(t.Context(), key, true); err != nil || !link.Pinned {
			t.Errorf("pinned %v, %v", link.Pinned, err)
		}
		r.store.writesFail.Store(false)
		if _, err := r.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if link, err := r.store.Link(t.Context(), key); err != nil || !link.Pinned {
			t.Errorf("stored as pinned %v, %v", link.Pinned, err)
		}
	})
}
