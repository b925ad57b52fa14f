package wechat

import (
	"context"
	"slices"
	"sync"
	"time"

	"linkbroker/broker"
)

const (
	// renewEarly: WeChat renews a token five minutes before its end, and then both are good. Asked a little after
	// that moment it has the next one ready.
	renewEarly = 4*time.Minute + 30*time.Second

	// tokenMargin is taken off a token's end, for the time a call is under way.
	tokenMargin = 10 * time.Second

	// refusalMemory is how long WeChat's word that a token is dead outweighs its word that it is the present one.
	// Not for ever: WeChat may have been wrong, and forced refreshes are few.
	refusalMemory = time.Minute

	// What a failed fetch is remembered: doubled from the least to the most.
	leastPause = time.Second
	mostPause  = 10 * time.Second

	// mostUntaken is how many tokens in a row may be refused that WeChat never took at all, until the next is waited
	// for: a source that gives new bad ones for ever is not asked with each call. Then from 1 s to a minute.
	mostUntaken    = 3
	mostUntakenFor = time.Minute
)

// token is an access token and how long it is good.
type token struct {
	value     Secret
	fetchedAt time.Time
	renewAt   time.Time // from here the next one is fetched, while this one goes on being used
	expiresAt time.Time // from here it is not sent any more
}

// newToken gives a token that was asked for at a moment and lives so long from there.
func newToken(value Secret, asked time.Time, life time.Duration) token {
	return token{
		value:     value,
		fetchedAt: asked,
		renewAt:   asked.Add(max(life-renewEarly, life/2)),
		expiresAt: asked.Add(max(life-tokenMargin, life/2)),
	}
}

// tokenSource is where tokens come from.
type tokenSource interface {
	// fetch asks for the app's token. With force it asks for another one than the present, which dies of it.
	fetch(ctx context.Context, force bool) (token, error)

	// rules say what may be asked of the source.
	rules() sourceRules
}

// sourceRules are what may be asked of a source when WeChat does not take the token that it gives.
type sourceRules struct {
	forcedSpacing time.Duration // between two forced fetches
	forcedPerDay  int           // 0 = nothing can be forced
	refused       refusal       // that WeChat refuses its tokens, and what to do
}

// keeper keeps an app's token: one fetch at a time for however many wait, on a context of its own, so that a caller
// who hangs up fails nobody.
type keeper struct {
	source  tokenSource
	clock   broker.Clock
	life    context.Context // ends with close
	end     context.CancelFunc
	fetches sync.WaitGroup

	mu      sync.Mutex // never held during a call
	current token      // zero if there is none
	pending *fetch     // the one under way; nil if there is none
	taken   bool       // WeChat has taken it
	untaken int        // how many were refused in a row that it never took
	dead    Secret     // the token that WeChat refused last
	deadAt  time.Time
	forced  []time.Time // the forced fetches of the last day

	failed   error // why the last fetch failed; nil if it did not
	failures int   // in a row
	retryAt  time.Time
}

// fetch is one fetch under way.
type fetch struct {
	done  chan struct{} // closed at the end; token and err may be read from then on
	token token
	err   error
}

func newKeeper(source tokenSource, clock broker.Clock) *keeper {
	life, end := context.WithCancel(context.Background())
	return &keeper{source: source, clock: clock, life: life, end: end}
}

// get gives a token that is good at the moment, and waits for one no longer than ctx. Its errors are *broker.Error.
func (k *keeper) get(ctx context.Context) (Secret, error) {
	tok, pending, err := k.look()
	if pending == nil {
		return tok.value, err
	}
	select {
	case <-pending.done:
		return pending.token.value, pending.err
	case <-ctx.Done():
		return "", unspent(broker.Unavailable, "no access token came in time: %w", ctx.Err())
	}
}

// look gives the current token, or the fetch to wait for, or why there is neither. It begins a fetch where one is
// due.
func (k *keeper) look() (token, *fetch, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.clock()
	if k.pending == nil && !now.Before(k.current.renewAt) && !now.Before(k.retryAt) && k.life.Err() == nil {
		f := &fetch{done: make(chan struct{})}
		k.pending = f
		k.fetches.Go(func() { k.run(f) })
	}
	switch {
	case now.Before(k.current.expiresAt):
		return k.current, nil, nil
	case k.pending != nil:
		return token{}, k.pending, nil
	case k.failed != nil:
		return token{}, nil, k.failed
	default:
		return token{}, nil, unspent(broker.Unavailable, "linkbroker is stopping")
	}
}

// run fetches a token. Asked plainly the source may hand out again the very token that WeChat refuses: then another is
// forced, where that can be done.
func (k *keeper) run(f *fetch) {
	for _, force := range []bool{false, true} {
		if force && !k.mayForce() {
			break
		}
		tok, err := k.source.fetch(k.life, force)
		if err != nil {
			k.fail(f, err)
			return
		}
		if k.land(f, tok) {
			return
		}
	}
	k.fail(f, k.source.rules().refused.err(answer{}))
}

// mayForce reports whether a fetch may be forced now, and counts it.
func (k *keeper) mayForce() bool {
	rules := k.source.rules()
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.clock()
	k.forced = slices.DeleteFunc(k.forced, func(t time.Time) bool { return now.Sub(t) >= 24*time.Hour })
	n := len(k.forced)
	if n >= rules.forcedPerDay || n > 0 && now.Sub(k.forced[n-1]) < rules.forcedSpacing {
		return false
	}
	k.forced = append(k.forced, now)
	return true
}

// land ends a fetch with a token, unless it is the one that WeChat refused just now.
func (k *keeper) land(f *fetch, tok token) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if tok.value == k.dead && k.clock().Sub(k.deadAt) < refusalMemory {
		return false
	}
	k.taken = k.taken && tok.value == k.current.value
	k.current, k.pending = tok, nil
	k.failed, k.failures, k.retryAt = nil, 0, time.Time{}
	f.token = tok
	close(f.done)
	return true
}

// fail ends a fetch without a token. The error is remembered for a while, so that a wrong secret is not tried with
// every request.
func (k *keeper) fail(f *fetch, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	pause := min(leastPause<<min(k.failures, 8), mostPause)
	k.failures++
	k.retryAt = k.clock().Add(pause)
	k.failed, k.pending = err, nil
	f.err = err
	close(f.done)
}

// accept notes that WeChat took a token, be it the present one or one before: the source is good.
func (k *keeper) accept(value Secret) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.untaken = 0
	k.taken = k.taken || k.current.value == value
}

// drop notes that WeChat refused a token. Only that one goes: whoever comes late with an old one does not cost the
// others the new one.
func (k *keeper) drop(value Secret) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.current.value != value {
		return
	}
	now := k.clock()
	if !k.taken && value != k.dead {
		k.untaken++
		if n := k.untaken - mostUntaken; n >= 0 {
			k.failed = k.source.rules().refused.err(answer{})
			k.retryAt = now.Add(min(leastPause<<min(n, 8), mostUntakenFor))
		}
	}
	k.current, k.taken = token{}, false
	k.dead, k.deadAt = value, now
}

// status says how the app stands with its token.
func (k *keeper) status(app string) TokenStatus {
	k.mu.Lock()
	defer k.mu.Unlock()
	return TokenStatus{App: app, FetchedAt: k.current.fetchedAt, ExpiresAt: k.current.expiresAt, Err: k.failed}
}

// close ends the fetch under way and begins no other.
func (k *keeper) close() {
	k.mu.Lock()
	k.end()
	k.mu.Unlock()
	k.fetches.Wait()
}
