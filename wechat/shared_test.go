package wechat_test

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"linkbroker/broker"
	"linkbroker/wechat"
	"linkbroker/wechat/sandbox"
)

// turns are taken by the brokers on a store.
type turns struct {
	broker.Leaser // nil: nothing else is asked of it

	mu   sync.Mutex
	held map[string]chan struct{}
	away atomic.Bool
}

func (l *turns) Lease(_ context.Context, name string) (broker.Turn, error) {
	if l.away.Load() {
		return broker.Turn{}, broker.Errorf(broker.StoreFailed, "the store is away")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if over := l.held[name]; over != nil {
		return broker.Turn{Over: over}, nil
	}
	if l.held == nil {
		l.held = make(map[string]chan struct{})
	}
	over := make(chan struct{})
	l.held[name] = over
	return broker.Turn{Leave: func(context.Context, broker.Note) {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.held, name)
		close(over)
	}}, nil
}

// fellows are brokers with one store that ask one WeChat.
type fellows struct {
	*sandbox.WeChat

	turns   *turns
	store   *blobs
	clients []*wechat.Client
	flying  atomic.Int64 // token calls under way
	crowded atomic.Bool  // two were
}

// tokenRoutes are where each mode asks for tokens.
var tokenRoutes = map[wechat.TokenMode]string{wechat.TokenStable: "/cgi-bin/stable_token", wechat.TokenLegacy: legacyRoute}

// fellowsInBubble makes three brokers, whose token calls take a second.
func fellowsInBubble(t *testing.T, mode wechat.TokenMode) *fellows {
	t.Helper()
	f := &fellows{turns: &turns{}, store: &blobs{}}
	f.WeChat = sandbox.New(t.Context(), sandbox.Config{Apps: []sandbox.App{{ID: shop, Secret: secret, Rate: 1 << 20}}, Clock: time.Now})
	if err := f.SetFault(sandbox.Fault{Name: "slow", Route: tokenRoutes[mode], Delay: time.Second}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		f.clients = append(f.clients, bubbleOf(t, f, wechat.App{Secret: secret, Token: mode, Blobs: f.store, Leases: f.turns}))
	}
	return f
}

func (f *fellows) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if r.URL.Path == legacyRoute || r.URL.Path == "/cgi-bin/stable_token" {
		f.crowded.CompareAndSwap(false, f.flying.Add(1) > 1)
		defer f.flying.Add(-1)
	}
	f.WeChat.ServeHTTP(rw, r)
}

// generate has each broker make a link, all at once, and waits for what they do beside that.
func (f *fellows) generate(t *testing.T) {
	t.Helper()
	asked := target(t, broker.Target{})
	var all sync.WaitGroup
	for _, client := range f.clients {
		all.Go(func() {
			if _, err := client.Generate(t.Context(), asked); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	time.Sleep(5 * time.Second)
	synctest.Wait()
}

// wantCalls says how many token calls there must have been in all.
func (f *fellows) wantCalls(t *testing.T, mode wechat.TokenMode, want int) {
	t.Helper()
	if calls := f.Stats().Calls[tokenRoutes[mode]]; calls != want || f.crowded.Load() {
		t.Errorf("%d token calls, two at once: %v; want %d, one after another", calls, f.crowded.Load(), want)
	}
}

func TestATokenIsFetchedOnceForAllBrokersOnAStore(t *testing.T) {
	for mode := range tokenRoutes {
		t.Run(string(mode), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := fellowsInBubble(t, mode)
				f.generate(t)
				f.wantCalls(t, mode, 1) // at the start
				time.Sleep(2*time.Hour - 4*time.Minute)
				f.generate(t)
				if mode == wechat.TokenLegacy {
					f.wantCalls(t, mode, 1) // it is used to its end: the next one would end it
					time.Sleep(4 * time.Minute)
					f.generate(t)
				}
				f.wantCalls(t, mode, 2) // to renew it
				f.Steal(shop, false)
				f.generate(t)
				f.wantCalls(t, mode, 3) // since it was dead
				late := bubbleOf(t, f, wechat.App{Secret: secret, Token: mode, Blobs: f.store, Leases: f.turns})
				if err := late.Probe(t.Context(), shop); err != nil {
					t.Error(err)
				}
				f.wantCalls(t, mode, 3) // nor one for who comes late
			})
		})
	}
}

func TestOneBrokerForcesAnotherTokenForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fellowsInBubble(t, wechat.TokenStable)
		f.generate(t)
		f.Steal(shop, true)
		f.generate(t)
		f.wantCalls(t, wechat.TokenStable, 3) // one that was given the dead one again, and one that forced another
		first := f.clients[0].Tokens()[0].ExpiresAt
		for _, client := range f.clients {
			if status := client.Tokens()[0]; status.Err != nil || !status.ExpiresAt.Equal(first) {
				t.Errorf("a broker has another token: it ends at %v, the first's at %v", status.ExpiresAt, first)
			}
		}
	})
}

func TestLegacyTokensOfBrokersThatAreRobbedAreFetchedOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fellowsInBubble(t, wechat.TokenLegacy)
		for round := range 20 {
			f.generate(t)
			f.wantCalls(t, wechat.TokenLegacy, round+1)
			f.Steal(shop, false)
			time.Sleep(10 * time.Second)
		}
	})
}

func TestTheTurnOfABrokerThatDiedIsTakenOver(t *testing.T) {
	for mode := range tokenRoutes {
		t.Run(string(mode), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := fellowsInBubble(t, mode)
				turn, err := f.turns.Lease(t.Context(), "token/"+shop)
				if err != nil {
					t.Fatal(err)
				}
				time.AfterFunc(3*time.Second, func() { turn.Leave(t.Context(), broker.Note{}) })
				f.generate(t)
				f.wantCalls(t, mode, 1)
			})
		})
	}
}

func TestABrokerThatKeepsItsTurnTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for mode, goesAlone := range map[wechat.TokenMode]bool{wechat.TokenStable: true, wechat.TokenLegacy: false} {
			f := fellowsInBubble(t, mode)
			if _, err := f.turns.Lease(t.Context(), "token/"+shop); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			err := f.clients[0].Probe(t.Context(), shop)
			if goesAlone != (err == nil) || time.Since(began) > 7*time.Second {
				t.Errorf("%s: after %v %v", mode, time.Since(began), err)
			}
			if !goesAlone && fails(t, err).Code != broker.Unavailable {
				t.Errorf("%s: %v", mode, err)
			}
		}
	})
}

func TestWithoutItsStoreABrokerHasATokenAllTheSame(t *testing.T) {
	for mode := range tokenRoutes {
		t.Run(string(mode), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := fellowsInBubble(t, mode)
				f.turns.away.Store(true)
				if err := f.clients[0].Probe(t.Context(), shop); err != nil {
					t.Error(err)
				}
				f.turns.away.Store(false)
				f.generate(t)
				f.wantCalls(t, mode, 1)
			})
		})
	}
}

func TestTokensInCommonAreSealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fellowsInBubble(t, wechat.TokenStable)
		f.generate(t)
		other := bubbleOf(t, f, wechat.App{Secret: "another", Token: wechat.TokenStable, Blobs: f.store, Leases: f.turns})
		if err := other.Probe(t.Context(), shop); err == nil {
			t.Error("a broker with another AppSecret has the token")
		}
	})
}
