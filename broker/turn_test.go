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

func TestBrokersThatShareAStoreMakeOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, brokers := fellows(t, 3, &wechat{takes: time.Second}, nil)
		var callers sync.WaitGroup
		for i := range 300 {
			callers.Go(func() {
				answer, err := brokers[i%3].Get(t.Context(), query("a=1"))
				if err != nil || !answer.Stored {
					t.Errorf("got %v, stored %v, %v", answer.Outcome, answer.Stored, err)
				}
			})
		}
		callers.Wait()
		if calls := brokers[0].wechat.called(); calls != 1 {
			t.Errorf("%d calls, want 1", calls)
		}
	})
}

func TestBrokersThatShareAStoreNeverCallForAKeyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, brokers := fellows(t, 3, &wechat{takes: 100 * time.Millisecond}, nil)
		link := brokers[0].get(t, query("a=1"), broker.Miss).Link
		var all sync.WaitGroup
		for i := range 60 {
			all.Go(func() {
				b := brokers[i%3]
				time.Sleep(time.Duration(i) * 17 * time.Millisecond)
				switch i % 4 {
				case 0:
					if err := b.Delete(t.Context(), link.Key); err != nil && !errors.Is(err, broker.NotFound) {
						t.Error(err)
					}
				case 1:
					if _, err := b.Renew(t.Context(), link.Key); err != nil && !errors.Is(err, broker.NotFound) {
						t.Error(err)
					}
				default:
					if _, err := b.Get(t.Context(), query("a=1")); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if brokers[0].wechat.crowded {
			t.Error("two calls for one key were in flight at once")
		}
	})
}

func TestABrokerThatDiesIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, brokers := fellows(t, 1, &wechat{takes: 500 * time.Millisecond}, nil)
		dying := store.join(1, &wechat{takes: time.Hour}, nil)
		dying.member.dead.Store(true)
		go dying.Get(t.Context(), query("a=1")) //nolint:errcheck // nobody hears it
		synctest.Wait()
		began := time.Now()
		brokers[0].get(t, query("a=1"), broker.Miss)
		if took := time.Since(began); took != leaseLife+500*time.Millisecond {
			t.Errorf("the next had a link after %s", took)
		}
		time.Sleep(10 * time.Second)
	})
}

func TestWhatWeChatRefusesIsToldToOtherBrokers(t *testing.T) {
	tests := map[string]struct {
		err   error
		calls int
	}{
		"a refusal is left behind":       {says(broker.InvalidPath, 40165), 1},
		"no answer is this broker's own": {errAway, 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wechat{answer: func(int, broker.Target) error { return test.err }}
				_, brokers := fellows(t, 2, w, nil)
				code := broker.CodeOf(test.err)
				first := brokers[0].failure(t, query("a=1"), code)
				calls := w.called()
				second := brokers[1].failure(t, query("a=1"), code)
				if again := w.called(); test.calls == 1 && (again != 1 || second.ErrCode != first.ErrCode || second.Message != first.Message) {
					t.Errorf("%d calls, %v and then %v", again, first, second)
				} else if test.calls > 1 && again == calls {
					t.Error("the second broker has not asked")
				}
				time.Sleep(11 * time.Second) // for which it is remembered
				w.answer = nil
				brokers[1].get(t, query("a=1"), broker.Miss)
			})
		})
	}
}

func TestABrokerThatIsCutOffGoesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, brokers := fellows(t, 2, &wechat{}, func(app *broker.App) { app.DailyQuota = 640 })
		alone := brokers[0]
		alone.get(t, query("warm"), broker.Miss) // reserves a block of ten
		alone.member.cutOff(true)

		links := map[string]bool{}
		for i := range 9 {
			answer := alone.get(t, numberedQuery(i), broker.Miss)
			if answer.Stored {
				t.Error("it is said to be stored")
			}
			links[answer.Link.URL] = true
		}
		if failed := alone.failure(t, numberedQuery(9), broker.StoreFailed); len(links) != 9 {
			t.Errorf("%d links of nine units, and then %v", len(links), failed)
		}
		alone.get(t, numberedQuery(3), broker.Hit)

		read := query("n=100")
		read.OnlyIfCached = true
		alone.fails(t, read, broker.StoreFailed)

		alone.member.cutOff(false)
		if counts, err := alone.Flush(t.Context()); err != nil || counts["stored"] != 9 {
			t.Errorf("flushed %v, %v", counts, err)
		}
		brokers[1].get(t, numberedQuery(3), broker.Hit)
	})
}

func TestNobodyGoesAloneForABatchOrToPrewarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, brokers := fellows(t, 1, &wechat{}, nil)
		brokers[0].get(t, query("warm"), broker.Miss)
		brokers[0].member.cutOff(true)
		batched := query("a=1")
		batched.Batched = true
		brokers[0].fails(t, batched, broker.StoreFailed)
	})
}

func TestALinkThatCouldNotBeStoredDoesNotReplaceALaterOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, brokers := fellows(t, 2, &wechat{}, nil)
		alone, other := brokers[0], brokers[1]
		alone.get(t, query("warm"), broker.Miss)
		alone.member.cutOff(true)
		alone.get(t, query("a=1"), broker.Miss)
		time.Sleep(time.Second)
		later := other.get(t, query("a=1"), broker.Miss).Link
		alone.member.cutOff(false)
		synctest.Wait() // until the turn is given back
		if counts, err := alone.Flush(t.Context()); err != nil || counts["stored"] != 0 {
			t.Errorf("flushed %v, %v", counts, err)
		}
		if link := alone.get(t, query("a=1"), broker.Hit).Link; link.URL != later.URL {
			t.Errorf("the store has %s, want the later %s", link.URL, later.URL)
		}
	})
}

// inDoubt has a broker make a link which is stored, though the broker does not know.
func inDoubt(t *testing.T, store *shared, one fellow) broker.Link {
	t.Helper()
	one.member.beforePut = func(context.Context) error { return errDisk }
	link := one.get(t, query("a=1"), broker.Miss).Link
	if err := store.PutLink(t.Context(), link); err != nil {
		t.Fatal(err)
	}
	synctest.Wait() // until the turn is given back
	one.member.beforePut = nil
	return link
}

func TestALinkWhoseStoringWasInDoubtStaysDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, brokers := fellows(t, 2, &wechat{}, nil)
		one, other := brokers[0], brokers[1]
		link := inDoubt(t, store, one)
		other.get(t, query("a=1"), broker.Hit)
		if err := other.Delete(t.Context(), link.Key); err != nil {
			t.Fatal(err)
		}
		if counts, err := one.Flush(t.Context()); err != nil || counts["stored"] != 0 {
			t.Errorf("flushed %v, %v", counts, err)
		}
		other.get(t, query("a=1"), broker.Miss)
	})
}

func TestADeletedLinkStaysDeletedThoughItWasRenewedBetween(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, brokers := fellows(t, 2, &wechat{}, nil)
		one, other := brokers[0], brokers[1]
		link := inDoubt(t, store, one)
		time.Sleep(time.Second)
		if _, err := other.Renew(t.Context(), link.Key); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := other.Delete(t.Context(), link.Key); err != nil {
			t.Fatal(err)
		}
		if counts, err := one.Flush(t.Context()); err != nil || counts["stored"] != 0 {
			t.Errorf("flushed %v, %v", counts, err)
		}
		if back, err := other.Link(t.Context(), link.Key); !errors.Is(err, broker.NotFound) {
			t.Errorf("the deleted target has %s again", back.URL)
		}
	})
}

func TestACorrectedEndStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, brokers := fellows(t, 2, &wechat{}, nil)
		one, other := brokers[0], brokers[1]
		corrected := inDoubt(t, store, one)
		corrected.ExpiresAt = time.Now().Add(time.Minute).UTC().Truncate(time.Second) // as the other broker is told by WeChat
		if err := store.PutLink(t.Context(), corrected); err != nil {
			t.Fatal(err)
		}
		if _, err := one.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if back, err := other.Link(t.Context(), corrected.Key); err != nil || !back.ExpiresAt.Equal(corrected.ExpiresAt) {
			t.Errorf("it ended at %v, and now at %v: %v", corrected.ExpiresAt, back.ExpiresAt, err)
		}
	})
}

func TestWhatIsChangedInTurnIsTheLinkAsItIsByThen(t *testing.T) {
	for claim, change := range map[string]func(context.Context, *broker.Broker, broker.Link) error{
		"an end that is corrected": func(ctx context.Context, b *broker.Broker, link broker.Link) error {
			_, err := b.Verify(ctx, link.Key)
			return err
		},
		"a link that is imported": func(ctx context.Context, b *broker.Broker, link broker.Link) error {
			link.URL = "https://wxaurl.cn/imported"
			link.GeneratedAt, link.ExpiresAt = link.GeneratedAt.Add(time.Minute), link.ExpiresAt.Add(time.Minute)
			_, err := b.ImportLink(ctx, link, false)
			return err
		},
	} {
		t.Run(claim, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, brokers := fellows(t, 1, &wechat{}, nil)
				a := &askable{wechat: brokers[0].wechat, ask: endsAt(time.Now().Add(day))}
				policy := broker.Policy{Apps: []broker.App{{ID: appid}}}
				late := broker.New(&deaf{sharedStore: store.member(1)}, a, policy, time.Now) // hears late of what the other does
				brokers[0].get(t, query("a=1"), broker.Miss)
				known, err := late.Get(t.Context(), query("a=1"))
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Hour)
				renewed, err := brokers[0].Renew(t.Context(), known.Link.Key)
				if err != nil {
					t.Fatal(err)
				}
				synctest.Wait() // until the turn is given back
				if err := change(t.Context(), late, known.Link); err != nil {
					t.Fatal(err)
				}
				if link, err := brokers[0].Link(t.Context(), known.Link.Key); err != nil || link.URL != renewed.Link.URL {
					t.Errorf("the renewed %s made room for %s: %v", renewed.Link.URL, link.URL, err)
				}
			})
		})
	}
}

func TestAPanicGivesTheTurnBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wechat{answer: func(call int, _ broker.Target) error {
			if call == 1 {
				panic("out of order")
			}
			return nil
		}}
		_, brokers := fellows(t, 2, w, nil)
		brokers[0].fails(t, query("a=1"), broker.Internal)
		synctest.Wait()
		brokers[1].get(t, query("a=1"), broker.Miss)
	})
}

func TestADeletionWaitsForTheOtherBrokersGeneration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, brokers := fellows(t, 2, &wechat{takes: time.Second}, nil)
		target, err := query("a=1").Normalize()
		if err != nil {
			t.Fatal(err)
		}
		key := target.Key()
		go brokers[0].Get(t.Context(), query("a=1")) //nolint:errcheck // looked at below
		time.Sleep(time.Millisecond)
		if err := brokers[1].Delete(t.Context(), key); err != nil {
			t.Error(err)
		}
		if link, err := brokers[0].Link(t.Context(), key); !errors.Is(err, broker.NotFound) {
			t.Errorf("the link outlived its deletion: %v, %v", link.URL, err)
		}
	})
}

func TestTheQuotaHoldsOverAllBrokers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, brokers := fellows(t, 3, &wechat{}, func(app *broker.App) { app.DailyQuota, app.Rate = 100, 1e6 })
		var callers sync.WaitGroup
		for i := range 300 {
			callers.Go(func() { _, _ = brokers[i%3].Get(t.Context(), numberedQuery(i)) })
		}
		callers.Wait()
		if calls := brokers[0].wechat.called(); calls != 100 {
			t.Errorf("%d calls, want all 100 units and no more", calls)
		}
	})
}

func TestTheRateIsDividedAmongThoseWhoCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, brokers := fellows(t, 3, &wechat{}, func(app *broker.App) { app.Rate = 60 })
		rate := func(b fellow) string {
			quotas, err := b.Quotas(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return fmt.Sprintf("%.0f", quotas[0].Rate)
		}
		brokers[0].get(t, numberedQuery(0), broker.Miss)
		if got := rate(brokers[0]); got != "60" {
			t.Errorf("who calls alone has a rate of %s", got)
		}
		for i := 1; i < 4; i++ { // each looks once more after the last has joined
			time.Sleep(1100 * time.Millisecond)
			for n, b := range brokers {
				b.get(t, numberedQuery(10*i+n), broker.Miss)
			}
			synctest.Wait()
		}
		for _, b := range brokers {
			if got := rate(b); got != "20" {
				t.Errorf("one of three has a rate of %s, want 20", got)
			}
		}
		time.Sleep(6 * time.Second)
		brokers[2].get(t, numberedQuery(100), broker.Miss)
		if got := rate(brokers[2]); got != "60" {
			t.Errorf("the last who calls has a rate of %s, want all of it", got)
		}
	})
}

// slow is a shared store that takes its time over a turn.
type slow struct{ *member }

func (s slow) Lease(ctx context.Context, name string) (broker.Turn, error) {
	time.Sleep(time.Millisecond)
	return s.member.Lease(ctx, name)
}

func TestJobsThatAreDueAtOnceAllLead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := broker.New(slow{newShared().member(0)}, &wechat{}, broker.Policy{}, time.Now)
		var due sync.WaitGroup
		for range 3 {
			due.Go(func() {
				if leads, err := b.Leads(t.Context()); !leads || err != nil {
					t.Errorf("a job of the only broker there is runs elsewhere: %v, %v", leads, err)
				}
			})
		}
		due.Wait()
	})
}

func TestUpkeepIsLedByOneBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, brokers := fellows(t, 3, &wechat{}, nil)
		leads := func(want ...bool) {
			t.Helper()
			for i, b := range brokers {
				if got, err := b.Leads(t.Context()); got != want[i] || err != nil {
					t.Errorf("broker %d leads: %v, %v", i, got, err)
				}
			}
		}
		leads(true, false, false)
		if err := brokers[0].Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, err := brokers[1].Leads(t.Context()); !got || err != nil {
			t.Errorf("nobody follows who has stopped: %v, %v", got, err)
		}
		store.lose("jobs")
		if got, err := brokers[2].Leads(t.Context()); !got || err != nil {
			t.Errorf("nobody follows who has lost his turn: %v, %v", got, err)
		}
		if got, err := brokers[1].Leads(t.Context()); got || err != nil {
			t.Errorf("who has lost his turn leads on: %v, %v", got, err)
		}
		brokers[0].member.cutOff(true)
		if got, err := brokers[0].Leads(t.Context()); got || !errors.Is(err, broker.StoreFailed) {
			t.Errorf("who cannot ask leads: %v, %v", got, err)
		}
	})
}
