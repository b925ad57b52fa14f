package broker

import (
	"sync"
	"time"
)

// latch keeps an account closed for as long as WeChat says that its quota is used up.
type latch struct {
	mu    sync.Mutex
	err   error
	ends  time.Time
	began time.Time
	probe time.Time // when it lets one call through
}

// probe is a call that a latch lets through to find out whether WeChat has changed its mind.
type probe struct {
	of     *latch
	before time.Time
}

// handBack gives a probe back that came to no call.
func (p probe) handBack() {
	if p.of == nil {
		return
	}
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	p.of.probe = p.before
}

// check lets one call through now and then, for somebody who waits.
func (l *latch) check(now time.Time, purpose Purpose) (probe, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !now.Before(l.ends):
		return probe{}, nil
	case purpose == Interactive && !now.Before(l.probe):
		p := probe{of: l, before: l.probe}
		l.probe = now.Add(probeInterval)
		return p, nil
	default:
		return probe{}, retryLater(l.err, l.ends.Sub(now))
	}
}

// closeUntil latches until the quota day ends, and reports whether it was open before.
func (l *latch) closeUntil(err error, until, now time.Time) (closed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	closed = !l.ends.Equal(until)
	if closed {
		l.probe, l.began = now.Add(probeInterval), now
	}
	l.err, l.ends = err, until
	return closed
}

// passed opens the latch, but for a day that was closed after the call was sent.
func (l *latch) passed(sent time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if sent.After(l.began) {
		l.err, l.ends = nil, time.Time{}
	}
}

// closedUntil gives its end, zero while it is open.
func (l *latch) closedUntil(now time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Before(l.ends) {
		return l.ends
	}
	return time.Time{}
}
