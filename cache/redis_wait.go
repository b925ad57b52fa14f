package cache

import (
	"sync"
	"time"
)

// waiters are those of this broker who wait for a turn that somebody else has. All who wait for the same share one place.
type waiters struct {
	mu     sync.Mutex
	places map[string]*place // by the turn's key in Redis
}

// place is where one turn is waited for.
type place struct {
	over   chan struct{} // closed when asking again makes sense
	asking int           // who would wait here after an answer that is still on its way
	end    *time.Timer   // of the turn; nil = nobody waits yet
}

// mostWaiters is how many turns are waited for at the same time.
const mostWaiters = 1 << 14

func newWaiters() *waiters { return &waiters{places: make(map[string]*place)} }

// expect is called before the turn is asked for: its end may be told of ahead of the answer.
func (w *waiters) expect(key string) *place {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.places[key]
	if p == nil {
		p = &place{over: make(chan struct{})}
		if len(w.places) < mostWaiters {
			w.places[key] = p // else it only hears of the turn's end in time
		}
	}
	p.asking++
	return p
}

// wait follows an answer by which the turn ends within a bound. Not everything that ends is told of at once, and not everything
// that is told arrives.
func (w *waiters) wait(key string, p *place, bound time.Duration) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	p.asking--
	if p.isOver() {
		return p.over
	}
	if p.end == nil {
		p.end = time.AfterFunc(bound, func() { w.close(key, p) })
	} else {
		p.end.Reset(bound)
	}
	return p.over
}

// forgo follows an answer after which there is nothing to wait for.
func (w *waiters) forgo(key string, p *place) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.asking--; p.asking == 0 && p.end == nil && w.places[key] == p {
		delete(w.places, key)
	}
}

// wake sends those away who wait for one turn.
func (w *waiters) wake(key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p := w.places[key]; p != nil {
		w.end(key, p)
	}
}

func (w *waiters) wakeAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, p := range w.places {
		w.end(key, p)
	}
}

func (w *waiters) close(key string, p *place) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.end(key, p)
}

// end may come twice: the timer may have rung while somebody else was faster.
func (w *waiters) end(key string, p *place) {
	if p.isOver() {
		return
	}
	close(p.over)
	if p.end != nil {
		p.end.Stop()
	}
	if w.places[key] == p {
		delete(w.places, key)
	}
}

func (p *place) isOver() bool {
	select {
	case <-p.over:
		return true
	default:
		return false
	}
}
