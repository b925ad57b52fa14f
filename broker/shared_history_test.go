package broker_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"linkbroker/broker"
)

const (
	nodesOf    = 3 // brokers in a history
	clientsOf  = 2 // of each broker
	asksOf     = 7 // of each client
	keysOf     = 2
	shortDelay = 50 * time.Millisecond // that a notice of a change takes at most where nothing else runs
)

// histories is how many are played: a hundred at a desk, what HISTORIES says in the long proof.
func histories() int {
	if n, err := strconv.Atoi(os.Getenv("HISTORIES")); err == nil {
		return n
	}
	return 100
}

// node is one of several brokers on one store, and how it was cut off from it.
type node struct {
	*broker.Broker

	name  string
	store sharedStore
	way   way

	mu       sync.Mutex
	troubles []trouble
}

// sharedStore is one that several brokers share.
type sharedStore interface {
	broker.Store
	broker.Leaser
}

// way is the way from a broker to the store.
type way interface {
	cut()     // nothing passes, and what is open is closed
	stall()   // nothing passes, and nobody is told
	restore() // of either
}

// trouble is a time in which a broker could not ask the store, or perhaps not; without an end it has not ended.
type trouble struct{ from, to time.Time }

// troubled reports whether the broker was in trouble at some time between two moments.
func (n *node) troubled(from, to time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.ContainsFunc(n.troubles, func(t trouble) bool { return t.from.Before(to) && (t.to.IsZero() || from.Before(t.to)) })
}

// asOld is how old what the broker says at a moment may be.
func (n *node) asOld(at time.Time, delay time.Duration) time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	oldest := at.Add(-delay)
	for _, t := range slices.Backward(n.troubles) {
		if t.from.Before(at) && (t.to.IsZero() || oldest.Before(t.to)) && t.from.Add(-delay).Before(oldest) {
			oldest = t.from.Add(-delay)
		}
	}
	return oldest
}

// begin notes that a trouble begins, end that it is over.
func (n *node) begin(from time.Time) (number int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.troubles = append(n.troubles, trouble{from: from})
	return len(n.troubles) - 1
}

func (n *node) end(number int, at time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.troubles[number].to = at
}

// history is what three brokers and their clients did.
type history struct {
	began time.Time
	nodes []*node
	keys  []broker.Key
	lag   func() time.Duration // how late things come on this machine at present

	calls atomic.Int64

	mu         sync.Mutex
	operations []*operation
	made       []*made
	flying     []*made
	crowded    [][2]*made // calls for one key that were in flight at once
	slow       time.Duration
}

func (h *history) at(t time.Time) int64 { return t.Sub(h.began).Nanoseconds() }

// delay is how much later than it happens a broker may hear of a change. On a machine that is busy all takes longer, which
// is no fault of the brokers'.
func (h *history) delay() time.Duration { return shortDelay + 4*h.slow }

// newHistory has brokers on stores that are one, with ways to them.
func newHistory(stores []sharedStore, ways []way, lag func() time.Duration) *history {
	h := &history{began: time.Now(), lag: lag}
	for i := range keysOf {
		target, _ := numberedQuery(i).Normalize() // is sound
		h.keys = append(h.keys, target.Key())
	}
	for i, store := range stores {
		n := &node{name: fmt.Sprint("broker ", i), store: store, way: ways[i]}
		n.Broker = broker.New(store, generating{h, n}, broker.Policy{
			Apps: []broker.App{{ID: appid, Rate: 1e6}}, Deadline: 2 * time.Second, Observe: n.observe,
		}, time.Now)
		h.nodes = append(h.nodes, n)
	}
	return h
}

// observe notes the troubles that nobody has caused: the machine may be so busy that a command takes too long.
func (n *node) observe(event broker.Event) {
	if event.Name == broker.WentAlone || event.Name == broker.StoreFailing {
		now := time.Now()
		n.end(n.begin(now.Add(-commandTimeout)), now.Add(commandTimeout))
	}
}

// generating stands for WeChat, and knows by whose request it is called.
type generating struct {
	h *history
	n *node
}

type ofOperation struct{}

func (g generating) Generate(ctx context.Context, target broker.Target) (broker.Generated, error) {
	o, _ := ctx.Value(ofOperation{}).(*operation)
	h, m := g.h, &made{node: g.n, key: target.Key(), of: o, began: time.Now()}
	m.url = fmt.Sprintf("https://wxaurl.cn/%d", h.calls.Add(1))
	h.mu.Lock()
	for _, other := range h.flying {
		if other.key == m.key {
			h.crowded = append(h.crowded, [2]*made{other, m})
		}
	}
	h.flying = append(h.flying, m)
	h.mu.Unlock()
	<-time.After(time.Duration(1+rand.IntN(15)) * time.Millisecond)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.flying = slices.DeleteFunc(h.flying, func(other *made) bool { return other == m })
	m.ended = time.Now()
	h.made = append(h.made, m)
	return broker.Generated{URL: m.url, SentAt: m.began}, nil
}

// ask has a client ask a broker, and notes what he is told.
func (h *history) ask(n *node, kind operationKind, number int) error {
	o := &operation{node: n, key: h.keys[number], kind: kind, call: time.Now()}
	ctx := context.WithValue(context.Background(), ofOperation{}, o)
	var answer broker.Answer
	switch kind {
	case gets, looks:
		req := numberedQuery(number)
		req.OnlyIfCached = kind == looks
		answer, o.err = n.Get(ctx, req)
	case renews:
		answer, o.err = n.Renew(ctx, o.key)
	case deletes:
		o.err = n.Delete(ctx, o.key)
	}
	o.end, o.url, o.stored = time.Now(), answer.Link.URL, answer.Stored
	lag := h.lag()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.operations = append(h.operations, o)
	h.slow = max(h.slow, lag)
	return o.err
}

// play has clients ask all brokers at once, while there may be a fault, and then asks all once more in peace.
func (h *history) play(fault func()) {
	kinds := []operationKind{gets, gets, gets, gets, looks, renews, renews, deletes, deletes}
	var all sync.WaitGroup
	all.Go(fault)
	for i := range nodesOf * clientsOf {
		all.Go(func() {
			for range asksOf {
				<-time.After(rand.N(80 * time.Millisecond))
				_ = h.ask(h.nodes[i%nodesOf], kinds[rand.IntN(len(kinds))], rand.IntN(keysOf)) // is noted
			}
		})
	}
	all.Wait()
	<-time.After(2 * h.delay())
	for key := range h.keys {
		for _, n := range h.nodes {
			for range 20 { // whoever has died may still have the turn
				if n.lost() || !errors.Is(h.ask(n, gets, key), broker.Unavailable) {
					break
				}
			}
		}
	}
}

// lost reports whether the broker is cut off for good.
func (n *node) lost() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.ContainsFunc(n.troubles, func(t trouble) bool { return t.to.IsZero() })
}

// violations says what in the history cannot be.
func (h *history) violations() (found []string) {
	for _, pair := range h.crowded {
		if a, b := pair[0], pair[1]; !a.node.troubled(a.began.Add(-commandTimeout), a.ended) && !b.node.troubled(b.began.Add(-commandTimeout), b.ended) {
			found = append(found, fmt.Sprintf("%s and %s were called for at the same time", a.url, b.url))
		}
	}
	for i, key := range h.keys {
		if result := isPossible(h.deedsOf(key)); result != porcupine.Ok {
			found = append(found, fmt.Sprintf("what happened to key %d cannot be (%s), with a delay of %v:\n%s", i, result, h.delay(), h.describe(key)))
		}
	}
	return found
}

// describe tells what happened to a key.
func (h *history) describe(key broker.Key) string {
	type line struct {
		at   time.Time
		text string
	}
	var lines []line
	for _, o := range h.operations {
		if o.key == key {
			lines = append(lines, line{o.call, fmt.Sprintf("%s %s: %s, stored %v, %v, until %v", o.node.name, o.kind, o.url, o.stored, o.err, o.end.Sub(h.began))})
		}
	}
	for _, m := range h.made {
		if m.key == key {
			lines = append(lines, line{m.began, fmt.Sprintf("%s calls WeChat for a %s: %s, until %v", m.node.name, m.of.kind, m.url, m.ended.Sub(h.began))})
		}
	}
	for _, n := range h.nodes {
		for _, t := range n.troubles {
			lines = append(lines, line{t.from, fmt.Sprintf("%s is in trouble until %v", n.name, t.to.Sub(h.began))})
		}
	}
	slices.SortFunc(lines, func(a, b line) int { return a.at.Compare(b.at) })
	var text strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&text, "%12v %s\n", l.at.Sub(h.began), l.text)
	}
	return text.String()
}

// close ends the brokers, of which some may be cut off.
func (h *history) close(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for _, n := range h.nodes {
		if err := n.Drain(ctx); err != nil && !n.lost() {
			t.Logf("%s: %v", n.name, err)
		}
		_ = n.store.Close() // what was to be stored was looked at
	}
}
