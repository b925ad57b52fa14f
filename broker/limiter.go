package broker

import (
	"sync"
	"time"
)

// Limiter holds each of many keys to a rate (the generic cell rate algorithm: one moment a key). Its memory is
// bounded: when it is full, those who are within their rate are forgotten, which costs them nothing, and if all are
// beyond theirs, new keys share one place.
type Limiter[K comparable] struct {
	mu     sync.Mutex
	places map[K]time.Time // when the key has used up nothing
	most   int
	crowd  time.Time // of those for whom there was no place
	swept  time.Time // when a place was last looked for
}

// NewLimiter makes a limiter that remembers so many keys.
func NewLimiter[K comparable](most int) *Limiter[K] {
	return &Limiter[K]{places: make(map[K]time.Time), most: most}
}

// Limit is a number of events in a time, which may also come at once.
type Limit struct {
	Events int
	Per    time.Duration
}

// spacing is the time that one event uses up.
func (l Limit) spacing() time.Duration { return max(l.Per/time.Duration(max(l.Events, 1)), 1) }

// Take counts an event of the key, and says how many are left and when there will be another.
func (l *Limiter[K]) Take(key K, limit Limit, now time.Time) (ok bool, left int, after time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	full, known := l.places[key]
	if !known && len(l.places) >= l.most && now.Sub(l.swept) >= time.Second {
		l.forget(now) // once a second: it looks at every key, and a flood of new ones must not make each wait for that
		l.swept = now
	}
	crowded := !known && len(l.places) >= l.most
	if crowded {
		full = l.crowd
	}
	if full.Before(now) {
		full = now
	}
	next := full.Add(limit.spacing())
	if wait := next.Sub(now) - limit.Per; wait > 0 {
		return false, 0, wait
	}
	if crowded {
		l.crowd = next
	} else {
		l.places[key] = next
	}
	left = int((limit.Per - next.Sub(now)) / limit.spacing())
	return true, left, 0
}

// Undo takes an event back.
func (l *Limiter[K]) Undo(key K, limit Limit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if full, known := l.places[key]; known {
		l.places[key] = full.Add(-limit.spacing())
	}
}

// forget drops the keys that have used up nothing.
func (l *Limiter[K]) forget(now time.Time) {
	for key, full := range l.places {
		if !full.After(now) {
			delete(l.places, key)
		}
	}
}
