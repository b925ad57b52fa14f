package broker_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
	"linkbroker/cache/redistest"
)

// commandTimeout is how long a command of a broker's may take before the store is held to be away.
const commandTimeout = 500 * time.Millisecond

// TestHistoriesOverRedis plays histories of three brokers on a real Redis, to which each has a way of its own that is cut
// and stalled, and holds them against the model.
func TestHistoriesOverRedis(t *testing.T) {
	redis := redistest.Start(t, "--appendonly", "no").Addr
	lag := lateness(t, pinging(t, redis))
	var number atomic.Int64
	playHistories(t, histories(), func() *history {
		prefix := fmt.Sprint("h", number.Add(1))
		var stores []sharedStore
		var ways []way
		for range nodesOf {
			wire := newWire(t, redis)
			stores, ways = append(stores, openRedis(t, wire.listener.Addr().String(), prefix)), append(ways, wire)
		}
		return newHistory(stores, ways, lag)
	})
}

func openRedis(t *testing.T, addr, prefix string) sharedStore {
	t.Helper()
	store, err := cache.Open(t.Context(), fmt.Sprintf("redis://%s?prefix=%s&timeout=%s", addr, prefix, commandTimeout), cache.Options{Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	shared, ok := store.Served().(sharedStore)
	if !ok {
		t.Fatal("a store in Redis gives no turns")
	}
	return shared
}

// TestTheModelFindsWhatIsBroken plays histories over stores that are broken on purpose: what the proof above would miss, it
// does not prove.
func TestTheModelFindsWhatIsBroken(t *testing.T) {
	lag := lateness(t, func() {})
	for claim, broken := range map[string]func(sharedStore) sharedStore{
		"turns that everybody is given":      func(s sharedStore) sharedStore { return generous{s} },
		"memory that hears of nothing":       func(s sharedStore) sharedStore { return &deaf{sharedStore: s} },
		"links that are lost":                func(s sharedStore) sharedStore { return &losing{sharedStore: s} },
		"deletions that are only said to be": func(s sharedStore) sharedStore { return keeping{s} },
	} {
		t.Run(claim, func(t *testing.T) {
			for n := range 50 {
				h := historyInProcess(lag, broken)
				h.play(func() {})
				h.close(t)
				if found := h.violations(); len(found) > 0 {
					t.Logf("found in history %d: %.60s", n+1, found[0])
					return
				}
			}
			t.Error("it was not found in 50 histories")
		})
	}
}

// TestHistoriesInOneProcess plays them over a store of the tests' own: what fails here is the brokers', not Redis'.
func TestHistoriesInOneProcess(t *testing.T) {
	lag := lateness(t, func() {})
	asItIs := func(s sharedStore) sharedStore { return s }
	playHistories(t, histories()/4, func() *history { return historyInProcess(lag, asItIs) })
}

// historyInProcess has brokers on one store of the tests' own, as each is given it.
func historyInProcess(lag func() time.Duration, given func(sharedStore) sharedStore) *history {
	var stores []sharedStore
	var ways []way
	shared := newShared()
	for i := range nodesOf {
		m := shared.member(i)
		stores, ways = append(stores, given(m)), append(ways, memberWay{m})
	}
	return newHistory(stores, ways, lag)
}

// memberWay is the way to a store in the same process, which fails at once where it is stalled.
type memberWay struct{ *member }

func (w memberWay) cut()     { w.cutOff(true) }
func (w memberWay) stall()   { w.cutOff(true) }
func (w memberWay) restore() { w.cutOff(false) }

// playHistories plays so many, some at a time.
func playHistories(t *testing.T, n int, begin func() *history) {
	t.Helper()
	began := time.Now()
	var figures struct{ operations, calls, failed, troubles, delay, wrong atomic.Int64 }
	var all sync.WaitGroup
	turns := make(chan struct{}, 8)
	for range n {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			h := begin()
			h.play(faults(t, h))
			h.close(t)
			for _, found := range h.violations() {
				if figures.wrong.Add(1) <= 3 {
					t.Error(found)
				}
			}
			for _, o := range h.operations {
				figures.operations.Add(1)
				if o.err != nil && !isMissing(o.err) && !errors.Is(o.err, broker.NotCached) {
					figures.failed.Add(1)
				}
			}
			figures.calls.Add(h.calls.Load())
			figures.delay.Add(h.delay().Nanoseconds() / int64(n))
			for _, n := range h.nodes {
				figures.troubles.Add(int64(len(n.troubles)))
			}
		})
	}
	all.Wait()
	t.Logf("%d histories in %v: %d operations (%d failed), %d calls, %d troubles, notices within %v, %d violations",
		n, time.Since(began).Round(time.Millisecond), figures.operations.Load(), figures.failed.Load(), figures.calls.Load(),
		figures.troubles.Load(), time.Duration(figures.delay.Load()).Round(time.Millisecond), figures.wrong.Load())
}

// faults draws what happens to a history: nothing, or a broker is cut off, stalled, or lost.
func faults(t *testing.T, h *history) func() {
	n := h.nodes[rand.IntN(nodesOf)]
	begins := rand.N(300 * time.Millisecond)
	switch rand.IntN(8) {
	case 0, 1:
		return func() {}
	case 2, 3, 4:
		return func() { <-time.After(begins); n.suffer(t, h, n.way.cut, rand.N(200*time.Millisecond)) }
	case 5, 6:
		return func() { <-time.After(begins); n.suffer(t, h, n.way.stall, rand.N(time.Second)) }
	default:
		return func() { <-time.After(begins); n.begin(time.Now()); n.way.cut() }
	}
}

// suffer has a broker suffer for a while, until it reaches the store again.
func (n *node) suffer(t *testing.T, h *history, fault func(), length time.Duration) {
	number := n.begin(time.Now())
	fault()
	<-time.After(length)
	n.way.restore()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := n.reach(ctx, h); err != nil {
		t.Errorf("%s does not reach the store again", n.name)
	}
	n.end(number, time.Now())
}

func isMissing(err error) bool { return errors.Is(err, broker.NotFound) }

// generous gives every turn to everybody.
type generous struct{ sharedStore }

func (generous) Lease(context.Context, string) (broker.Turn, error) {
	return broker.Turn{Leave: func(context.Context, broker.Note) {}, Lost: make(chan struct{})}, nil
}

// deaf remembers what it has read until it writes itself.
type deaf struct {
	sharedStore

	known sync.Map
}

func (d *deaf) Link(ctx context.Context, key broker.Key) (broker.Link, error) {
	known, _ := d.known.Load(key)
	if link, ok := known.(broker.Link); ok {
		return link, nil
	}
	link, err := d.sharedStore.Link(ctx, key)
	if err == nil {
		d.known.Store(key, link)
	}
	return link, err
}

func (d *deaf) PutLink(ctx context.Context, link broker.Link) error {
	d.known.Delete(link.Key)
	return d.sharedStore.PutLink(ctx, link)
}

func (d *deaf) DeleteLink(ctx context.Context, key broker.Key) error {
	d.known.Delete(key)
	return d.sharedStore.DeleteLink(ctx, key)
}

// losing loses each fourth link.
type losing struct {
	sharedStore

	puts atomic.Int64
}

func (l *losing) PutLink(ctx context.Context, link broker.Link) error {
	if l.puts.Add(1)%4 == 0 {
		return nil
	}
	return l.sharedStore.PutLink(ctx, link)
}

// keeping deletes nothing.
type keeping struct{ sharedStore }

func (k keeping) DeleteLink(ctx context.Context, key broker.Key) error {
	_, err := k.Link(ctx, key)
	return err
}
