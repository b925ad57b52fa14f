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

// today is the quota day that it is, and stays for 16 hours from a bubble's beginning.
func today() string { return time.Now().Add(8 * time.Hour).UTC().Format(time.DateOnly) }

// reservedToday is how many units the store has set aside, spent or not.
func (r *rig) reservedToday(t *testing.T) int64 {
	t.Helper()
	reserved, err := r.store.ReservedQuota(t.Context(), appid, today())
	if err != nil {
		t.Fatal(err)
	}
	return reserved
}

// miss has so many links generated, one after the other.
func (r *rig) miss(t *testing.T, name string, n int) {
	t.Helper()
	for i := range n {
		r.get(t, query(fmt.Sprintf("%s=%d", name, i)), broker.Miss)
	}
}

func (r *rig) drain(t *testing.T) {
	t.Helper()
	if err := r.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestTheNextBlockIsThereBeforeTheLastUnitIsSpent(t *testing.T) {
	shop := &broker.Client{Name: "shop", Grant: broker.Grant{GenerationsPerDay: 100_000}}
	for claim, client := range map[string]*broker.Client{"of an app's quota": nil, "of a client's budget": shop} {
		t.Run(claim, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, &wechat{takes: 100 * time.Millisecond}, nil)
				r.store.reserving = func() { time.Sleep(time.Second) }
				for i := range 500 {
					began, req := time.Now(), query(fmt.Sprint("a=", i))
					req.Client = client
					r.get(t, req, broker.Miss)
					if took := time.Since(began); i > 0 && took > 100*time.Millisecond {
						t.Errorf("call %d waited %s for a unit", i, took-100*time.Millisecond)
					}
				}
				r.drain(t)
			})
		})
	}
}

func TestBlocksGrowWhereTheyAreSpentFasterThanReserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{takes: time.Millisecond}, func(a *broker.App) { a.Rate = 1e6 })
		r.store.reserving = func() { time.Sleep(3 * time.Millisecond) }
		for wave := range 60 {
			began := time.Now()
			var callers sync.WaitGroup
			for caller := range 64 {
				callers.Go(func() { r.get(t, query(fmt.Sprintf("a=%d-%d", wave, caller)), broker.Miss) })
			}
			callers.Wait()
			if waited := time.Since(began) - time.Millisecond; waited > 0 && wave >= 20 {
				t.Errorf("wave %d waited %s for units", wave, waited)
			}
		}
		if waste := r.reservedToday(t) - 60*64; waste > 512+256 {
			t.Errorf("a crash would waste %d units", waste)
		}
		time.Sleep(16 * time.Hour)
		r.miss(t, "b", 1)
		if reserved := r.reservedToday(t); reserved != 64 {
			t.Errorf("the next day begins with a block of %d", reserved)
		}
		r.drain(t)
	})
}

func TestOneBlockIsReservedAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{takes: 10 * time.Millisecond}, func(a *broker.App) { a.Rate = 1e6 })
		var mu sync.Mutex
		under, most, all := 0, 0, 0
		r.store.reserving = func() {
			mu.Lock()
			under, all = under+1, all+1
			most = max(most, under)
			mu.Unlock()
			time.Sleep(time.Millisecond)
		}
		r.store.reserved = func() {
			mu.Lock()
			defer mu.Unlock()
			under--
		}
		var callers sync.WaitGroup
		for caller := range 64 {
			callers.Go(func() { r.miss(t, fmt.Sprint("c", caller), 30) })
		}
		callers.Wait()
		r.drain(t)
		if most != 1 || all > 64*30/64+3 {
			t.Errorf("%d reservations at once, and %d in all for 1,920 units", most, all)
		}
	})
}

func TestACrashWastesAtMostABlockAndAHalf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, quota := range []int64{500_000, 1000, 200, 100} {
			r := newRig(t, &wechat{}, func(a *broker.App) { a.DailyQuota, a.Rate = quota, 1e6 })
			for spent := int64(1); spent <= min(quota, 300); spent++ {
				r.get(t, query(fmt.Sprint("a=", spent)), broker.Miss)
				synctest.Wait()
				waste, block := r.reservedToday(t)-spent, min(64, max(1, quota/64))
				if left := quota - spent; waste > block+block/2 || left < 64 && waste > 0 {
					t.Fatalf("of a quota of %d a crash after %d calls wastes %d units", quota, spent, waste)
				}
			}
		}
	})
}

func TestReservationsAheadNeverPassTheLimit(t *testing.T) {
	for _, quota := range []int64{1, 2, 63, 64, 65, 127, 128, 129, 200, 1000, 5000} {
		t.Run(fmt.Sprint(quota), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wechat{takes: 10 * time.Millisecond}
				r := newRig(t, w, func(a *broker.App) { a.DailyQuota, a.Rate = quota, 1e6 })
				r.store.reserving = func() { time.Sleep(3 * time.Millisecond) }
				var callers sync.WaitGroup
				for caller := range 40 {
					callers.Go(func() {
						for i := range quota/40 + 10 {
							_, err := r.Get(t.Context(), query(fmt.Sprintf("a=%d-%d", caller, i)))
							if err != nil && !errors.Is(err, broker.QuotaExhausted) {
								t.Errorf("got %v", err)
							}
							if reserved := r.reservedToday(t); reserved > quota {
								t.Errorf("%d units are reserved of %d", reserved, quota)
							}
						}
					})
				}
				callers.Wait()
				if int64(w.called()) != quota || r.used(t) != quota {
					t.Errorf("%d calls, %d units, want %d of each", w.called(), r.used(t), quota)
				}
			})
		})
	}
}

func TestAStopGivesBothBlocksBack(t *testing.T) {
	for claim, slow := range map[string]time.Duration{"both are there": 0, "the second is being reserved": time.Minute} {
		t.Run(claim, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, &wechat{}, nil)
				r.miss(t, "a", 32)
				r.store.reserving = func() { time.Sleep(slow) }
				r.miss(t, "b", 1) // begins to reserve ahead
				synctest.Wait()
				r.store.reserving = nil
				if reserved := r.reservedToday(t); slow == 0 && reserved != 128 {
					t.Fatalf("%d units are reserved, want two blocks", reserved)
				}
				r.drain(t)
				if reserved := r.reservedToday(t); reserved != 33 {
					t.Errorf("%d units stay reserved, want the 33 spent", reserved)
				}
			})
		})
	}
}

func TestAReservationAheadThatFailsIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{}, nil)
		r.miss(t, "a", 1)
		r.store.ledgerFails.Store(true)
		r.miss(t, "b", 62)
		synctest.Wait()
		r.store.ledgerFails.Store(false)
		r.miss(t, "c", 1) // the last of the block
		synctest.Wait()
		r.store.ledgerFails.Store(true)
		r.miss(t, "d", 64)
		r.fails(t, query("e=1"), broker.StoreFailed)
	})
}

func TestWhatIsUsedIsKnownWhileABlockIsReserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{}, nil)
		r.miss(t, "a", 32)
		r.store.reserving = func() { time.Sleep(time.Second) }
		r.store.reserved = r.store.reserving
		r.miss(t, "b", 1)
		for range 8 { // before the store has counted the block, and after
			synctest.Wait()
			if used := r.used(t); used != 33 {
				t.Errorf("%d units are used, want 33", used)
			}
			time.Sleep(300 * time.Millisecond)
		}
	})
}

func TestABlockThatIsReservedOverMidnightIsYesterdays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &wechat{}, func(a *broker.App) { a.DailyQuota, a.Rate = 10_000, 1e6 })
		time.Sleep(16*time.Hour - time.Second)
		r.miss(t, "a", 32)
		r.store.reserving = func() { time.Sleep(2 * time.Second) }
		r.miss(t, "b", 1)
		time.Sleep(time.Second)
		if used := r.used(t); used != 0 {
			t.Errorf("%d units at midnight, want 0", used)
		}
		r.miss(t, "c", 5)
		synctest.Wait()
		if used, reserved := r.used(t), r.reservedToday(t); used != 5 || reserved != 64 {
			t.Errorf("%d units used and %d reserved on the new day, want 5 and a block", used, reserved)
		}
	})
}
