package broker

import (
	"errors"
	"slices"
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
		w.trouble().set(err, until)
	case TokenRefused:
		until = now.Add(tokenMemory)
		w.trouble().set(err, until)
	case Unavailable:
		b.refusals.put(w.key, err, now.Add(awayMemory), now)
		w.trouble().away(w.key, err, began, now)
	case QuotaExhausted:
		e, ok := errors.AsType[*Error](err)
		if !ok || e.ErrCode == 0 {
			break // our own ledger says so, and says until when
		}
		until = w.app.zone().nextDay(now)
		if w.latches()[0].closeUntil(err, until, now) {
			b.policy.Observe(Event{Name: QuotaClosed, App: w.app.ID, Err: err})
		}
	}
	if until.After(now) {
		return retryLater(err, until.Sub(now))
	}
	return err
}

// trouble is what stands between an app and one of WeChat's calls at the moment. Each kind of link has its own: an app
// that may not make one may make another.
type trouble struct {
	mu     sync.Mutex
	err    error
	until  time.Time
	failed map[Key]bool // keys whose calls went unanswered since the last good one
	good   time.Time    // when the last call that succeeded was answered
}

func (w want) trouble() *trouble { return w.app.troubles[w.target.Kind] }

// latches are those of the accounts that a generation is taken from, the narrowest first: if WeChat says that the quota
// of permanent links is used up, there may still be others.
func (w want) latches() []*latch {
	var all []*latch
	for _, name := range slices.Backward(w.target.Accounts()) {
		all = append(all, &w.app.accounts[name].latch)
	}
	return all
}

// unhindered gives what is known to stand between a target and WeChat, with the time it is expected to last. The probe
// is to be handed back if it comes to no call.
func (w want) unhindered(now time.Time) (probe, error) {
	if err := w.trouble().check(now); err != nil {
		return probe{}, err
	}
	for _, latch := range w.latches() {
		if p, err := latch.check(now, w.purpose); err != nil || p.of != nil {
			return p, err
		}
	}
	return probe{}, nil
}

// passed notes a call that succeeded: whatever the trouble was, it is over.
func (w want) passed(sent, now time.Time) {
	w.trouble().passed(now)
	for _, latch := range w.latches() {
		latch.passed(sent)
	}
}

// check gives the trouble that lasts. Where WeChat seems to be away, one call now and then is let through.
func (t *trouble) check(now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Before(t.until) {
		return retryLater(t.err, t.until.Sub(now))
	}
	if len(t.failed) >= awayKeys {
		t.until = now.Add(awayMemory) // for all but this one
	}
	return nil
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

// passed notes a call that succeeded.
func (t *trouble) passed(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.good = now
	t.err, t.until, t.failed = nil, time.Time{}, nil
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

// refusals remembers which keys WeChat refused. It is bounded: when full it forgets what is over, and all if that is less
// than half. So a flood of refusals does not have each miss wait while every key is looked at.
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
	before := len(r.keys)
	if before >= maxRefusedKeys {
		for k, known := range r.keys {
			if !now.Before(known.until) {
				delete(r.keys, k)
			}
		}
	}
	if r.keys == nil || before >= maxRefusedKeys && len(r.keys) > maxRefusedKeys/2 {
		r.keys = make(map[Key]refusal)
	}
	r.keys[key] = refusal{err: err, until: until}
}
