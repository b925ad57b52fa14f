package cache_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
	"linkbroker/cache/redistest"
)

// leaser opens a bare store of one broker more.
func leaser(t *testing.T, url string) *cache.Redis {
	t.Helper()
	r, err := cache.OpenRedis(t.Context(), url, cache.Options{Clock: time.Now, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	noErr(t, err)
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func takes(t *testing.T, r *cache.Redis, name string) broker.Turn {
	t.Helper()
	turn, err := r.Lease(t.Context(), name)
	noErr(t, err)
	if turn.Leave == nil {
		t.Fatalf("%s: somebody else has the turn", name)
	}
	return turn
}

func waits(t *testing.T, r *cache.Redis, name string) broker.Turn {
	t.Helper()
	turn, err := r.Lease(t.Context(), name)
	noErr(t, err)
	if turn.Leave != nil || turn.Note.Text != nil {
		t.Fatalf("%s: nobody else has the turn, or a note %q is left", name, turn.Note.Text)
	}
	return turn
}

// closesWithin waits for a channel, and says how long it took.
func closesWithin(t *testing.T, what string, c <-chan struct{}, bound time.Duration) time.Duration {
	t.Helper()
	begin := time.Now()
	select {
	case <-c:
	case <-time.After(bound):
		t.Fatalf("%s did not come within %v", what, bound)
	}
	return time.Since(begin)
}

// asksUntil asks for a turn again and again, as a broker does, until it is had.
func asksUntil(t *testing.T, r *cache.Redis, name string) broker.Turn {
	t.Helper()
	for {
		turn, err := r.Lease(t.Context(), name)
		noErr(t, err)
		if turn.Leave != nil {
			return turn
		}
		if turn.Note.Text != nil {
			<-time.After(turn.Note.Life)
			continue
		}
		closesWithin(t, "the end of "+name, turn.Over, 10*time.Second)
	}
}

var turnNames = []string{"jobs", "token/wx1", numbered(1).Key.String()}

func TestOneBrokerAtATimeHasATurn(t *testing.T) {
	t.Parallel()
	url := redistest.Start(t).URL()
	a, b := leaser(t, url), leaser(t, url)
	for _, name := range turnNames {
		turn := takes(t, a, name)
		waits(t, a, name)
		over := asking(t, b, name)
		<-time.After(50 * time.Millisecond)
		begin := time.Now()
		turn.Leave(t.Context(), broker.Note{})
		second := <-over
		if took := time.Since(begin); took > 500*time.Millisecond {
			t.Errorf("%s: he who waited had the turn %v after it was left", name, took)
		}
		second.Leave(t.Context(), broker.Note{})
		takes(t, a, name).Leave(t.Context(), broker.Note{})
	}
}

// asking has a broker ask until it has the turn.
func asking(t *testing.T, r *cache.Redis, name string) <-chan broker.Turn {
	t.Helper()
	got := make(chan broker.Turn, 1)
	go func() { got <- asksUntil(t, r, name) }()
	return got
}

func TestATurnIsKeptWhileItIsNotLeft(t *testing.T) {
	t.Parallel()
	url := redistest.Start(t).URL()
	a, b := leaser(t, url), leaser(t, url)
	turn := takes(t, a, "jobs")
	for deadline := time.Now().Add(4500 * time.Millisecond); time.Now().Before(deadline); {
		closesWithin(t, "a reason to ask again", waits(t, b, "jobs").Over, 4*time.Second)
	}
	select {
	case <-turn.Lost:
		t.Error("the turn was lost")
	default:
	}
	turn.Leave(t.Context(), broker.Note{})
}

func TestABrokerThatDiesIsFollowed(t *testing.T) {
	t.Parallel()
	url := redistest.Start(t).URL()
	a, b := leaser(t, url), leaser(t, url)
	turn := takes(t, a, "jobs")
	noErr(t, a.Close())
	closesWithin(t, "the loss", turn.Lost, time.Second)
	begin := time.Now()
	asksUntil(t, b, "jobs").Leave(t.Context(), broker.Note{})
	if took := time.Since(begin); took > 3500*time.Millisecond {
		t.Errorf("followed after %v", took)
	}
	if _, err := a.Lease(t.Context(), "jobs"); broker.CodeOf(err) != broker.StoreFailed {
		t.Errorf("a closed store gives turns: %v", err)
	}
}

func TestANoteIsReadByThoseWhoComeAfter(t *testing.T) {
	t.Parallel()
	url := redistest.Start(t).URL()
	a, b := leaser(t, url), leaser(t, url)
	for _, name := range turnNames {
		turn := takes(t, a, name)
		over := waits(t, b, name).Over
		turn.Leave(t.Context(), broker.Note{Text: []byte("no\x00t \xff now"), Life: 700 * time.Millisecond})
		closesWithin(t, "the end", over, 500*time.Millisecond)
		for _, r := range []*cache.Redis{a, b} {
			read, err := r.Lease(t.Context(), name)
			noErr(t, err)
			if string(read.Note.Text) != "no\x00t \xff now" || read.Note.Life <= 0 || read.Note.Life > 700*time.Millisecond || read.Leave != nil {
				t.Errorf("%s: note %q for %v", name, read.Note.Text, read.Note.Life)
			}
		}
		asksUntil(t, b, name).Leave(t.Context(), broker.Note{Text: nil, Life: time.Minute})
		takes(t, a, name).Leave(t.Context(), broker.Note{})
	}
}

func TestHeWhoLeavesLateTakesNothingAway(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a, b := leaser(t, server.URL()), leaser(t, server.URL())
	turn := takes(t, a, "jobs")
	_, err := server.Ask("FLUSHALL")
	noErr(t, err)
	other := takes(t, b, "jobs")
	closesWithin(t, "the loss", turn.Lost, 2*time.Second)
	turn.Leave(t.Context(), broker.Note{Text: []byte("x"), Life: time.Minute})
	waits(t, a, "jobs")
	other.Leave(t.Context(), broker.Note{})
	takes(t, a, "jobs")
}

func TestManyWaitForOneTurn(t *testing.T) {
	t.Parallel()
	url := redistest.Start(t).URL()
	a, b := leaser(t, url), leaser(t, url)
	first := takes(t, a, "jobs")
	var all sync.WaitGroup
	var mu sync.Mutex
	inside, had := 0, 0
	for n := range 200 {
		r := []*cache.Redis{a, b}[n%2]
		all.Go(func() {
			turn := asksUntil(t, r, "jobs")
			mu.Lock()
			if inside++; inside > 1 {
				t.Error("two have the turn")
			}
			had++
			mu.Unlock()
			mu.Lock()
			inside--
			mu.Unlock()
			turn.Leave(context.Background(), broker.Note{})
		})
	}
	<-time.After(100 * time.Millisecond)
	begin := time.Now()
	first.Leave(t.Context(), broker.Note{})
	all.Wait()
	t.Logf("200 turns in %v", time.Since(begin))
	if had != 200 {
		t.Errorf("%d had the turn", had)
	}
}

func TestATurnIsLostWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a := leaser(t, server.URL())
	turn := takes(t, a, "jobs")
	server.Kill()
	closesWithin(t, "the loss", turn.Lost, 3*time.Second)
	turn.Leave(t.Context(), broker.Note{})
}

func TestTheBrokersThatShareAreCounted(t *testing.T) {
	t.Parallel()
	url := redistest.Start(t).URL()
	a, b := leaser(t, url), leaser(t, url)
	for n, r := range []*cache.Redis{a, b, a, b} {
		brokers, err := r.Share(t.Context(), "rate/wx1")
		noErr(t, err)
		if want := min(n+1, 2); brokers != want {
			t.Errorf("%d brokers, want %d", brokers, want)
		}
	}
	if other, err := b.Share(t.Context(), "rate/wx2"); other != 1 || err != nil {
		t.Errorf("%d brokers use something else, %v", other, err)
	}
	eventually(t, 8*time.Second, "who says nothing any more does not count", func() bool {
		brokers, err := b.Share(t.Context(), "rate/wx1")
		noErr(t, err)
		return brokers == 1
	})
}

// A server that stands still has been sent the wish for a turn, and grants it once it goes on, to somebody who waits no more.
func TestATurnThatNobodyHeardOfIsGivenBack(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a, b := leaser(t, server.URL()), leaser(t, server.URL())
	takes(t, a, "warm").Leave(t.Context(), broker.Note{}) // the scripts are known
	server.Pause()
	if _, err := a.Lease(t.Context(), "jobs"); broker.CodeOf(err) != broker.StoreFailed {
		t.Errorf("a server that stands still gives turns: %v", err)
	}
	server.Resume()
	eventually(t, 2*time.Second, "the turn is to be had", func() bool {
		turn, err := b.Lease(t.Context(), "jobs")
		if err == nil && turn.Leave != nil {
			turn.Leave(t.Context(), broker.Note{})
			return true
		}
		return false
	})
}
