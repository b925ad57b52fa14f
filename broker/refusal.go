package broker

import (
	"errors"
	"sync"
	"time"
)

// How long what WeChat refused is remembered, so that asking again costs nothing. Short: WeChat has been seen to
// answer 40165 wrongly now and then, and an administrator who has released a page wants to see it work.
const (
	refusalMemory  = 10 * time.Second
	appMemory      = time.Minute
	tokenMemory    = 10 * time.Second
	awayMemory     = 2 * time.Second
	awayKeys       = 3 // so many targets have to go unanswered until WeChat counts as away
	probeInterval  = time.Hour
	maxRefusedKeys = 8192
)

// remember keeps what a failed flight taught: about the key, about the app, or that WeChat is away. It gives the error
// with the time for which it is remembered.
func (b *Broker) remember(w want, err error, began time.Time) error {
	now := b.clock()
	until := now
	switch CodeOf(err) { //nolint:exhaustive // the other classes teach nothing that outlasts the flight
	case InvalidPath, InvalidQuery, InvalidExpiry, InvalidEnv, InvalidArgument, Upstream:
		until = now.Add(refusalMemory)
		b.refusals.put(w.key, err, until, now)
	case AppNotReleased, AppForbidden:
		until = now.Add(appMemory)
		if w.target.CloudBase != nil || w.target.Extra != nil {
			b.refusals.put(w.key, err, until, now) // it may be about another's appid in them, and so about this target alone
			break
		}
		w.app.trouble.set(err, until)
	case TokenRefused:
		until = now.Add(tokenMemory)
		w.app.trouble.set(err, until)
	case Unavailable:
		b.refusals.put(w.key, err, now.Add(awayMemory), now)
		w.app.trouble.away(w.key, err, began, now)
	case QuotaExhausted:
		e, ok := errors.AsType[*Error](err)
		if !ok || e.ErrCode == 0 {
			break // our own ledger says so, and says until when
		}
		until = w.app.zone().nextDay(now)
		if w.app.trouble.closeUntil(err, until, now) {
			b.policy.Observe(Event{Name: QuotaClosed, App: w.app.ID, Err: err})
		}
	}
	if until.After(now) {
		return retryLater(err, until.Sub(now))
	}
	return err
}

// trouble is what stands between an app and WeChat at the moment: a short one of the app itself, and the day latch.
type trouble struct {
	mu     sync.Mutex
	err    error
	until  time.Time
	failed map[Key]bool // keys whose calls went unanswered since the last good one
	good   time.Time    // when the last call that succeeded was answered

	dayErr   error
	dayEnds  time.Time // WeChat says that the quota is used up until then
	dayBegan time.Time
	probe    time.Time // when the latch lets one call through
}

// probe is a call that the day latch lets through to find out whether WeChat has changed its mind.
type probe struct {
	of     *trouble
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

// check gives the trouble that lasts, with the time it is expected to last. Where WeChat seems to be away, or the day
// latch is closed, one call now and then is let through.
func (t *trouble) check(now time.Time, purpose Purpose) (probe, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case now.Before(t.until):
		return probe{}, retryLater(t.err, t.until.Sub(now))
	case !now.Before(t.dayEnds):
	case purpose == Interactive && !now.Before(t.probe):
		p := probe{of: t, before: t.probe}
		t.probe = now.Add(probeInterval)
		return p, nil
	default:
		return probe{}, retryLater(t.dayErr, t.dayEnds.Sub(now))
	}
	if len(t.failed) >= awayKeys {
		t.until = now.Add(awayMemory) // for all but this one
	}
	return probe{}, nil
}

func (t *trouble) set(err error, until time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err, t.until = err, until
}

// away remembers that WeChat does not answer. One target that it cannot answer says nothing of the others: it takes
// several, and nobody's success since the failed flight began.
func (t *trouble) away(key Key, err error, began, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.good.Before(began) {
		return
	}
	if t.failed == nil {
		t.failed = make(map[Key]bool, awayKeys)
	}
	if len(t.failed) < awayKeys {
		t.failed[key] = true
	}
	if len(t.failed) >= awayKeys && !now.Before(t.until) {
		t.err, t.until = err, now.Add(awayMemory)
	}
}

// closeUntil latches until the quota day ends, and reports whether it was open before.
func (t *trouble) closeUntil(err error, until, now time.Time) (closed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	closed = !t.dayEnds.Equal(until)
	if closed {
		t.probe, t.dayBegan = now.Add(probeInterval), now
	}
	t.dayErr, t.dayEnds = err, until
	return closed
}

// passed notes a call that succeeded: whatever the trouble was, it is over, but for a day that was closed after the
// call was sent.
func (t *trouble) passed(sent, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.good = now
	t.err, t.until, t.failed = nil, time.Time{}, nil
	if sent.After(t.dayBegan) {
		t.dayErr, t.dayEnds = nil, time.Time{}
	}
}

// closedUntil gives the end of the day latch, zero while it is open.
func (t *trouble) closedUntil(now time.Time) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Before(t.dayEnds) {
		return t.dayEnds
	}
	return time.Time{}
}

// retryLater gives the error with the time after which asking again makes sense.
func retryLater(err error, after time.Duration) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	later := *e
	later.RetryAfter = after
	return &later
}

// refusals remembers which keys WeChat refused. It is bounded: when full it forgets what is over, or else all.
type refusals struct {
	mu   sync.Mutex
	keys map[Key]refusal
}

type refusal struct {
	err   error
	until time.Time
}

func (r *refusals) check(key Key, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, ok := r.keys[key]; ok && now.Before(known.until) {
		return retryLater(known.err, known.until.Sub(now))
	}
	return nil
}

func (r *refusals) put(key Key, err error, until, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.keys) >= maxRefusedKeys {
		for k, known := range r.keys {
			if !now.Before(known.until) {
				delete(r.keys, k)
			}
		}
	}
	if r.keys == nil || len(r.keys) >= maxRefusedKeys {
		r.keys = make(map[Key]refusal)
	}
	r.keys[key] = refusal{err: err, until: until}
}
