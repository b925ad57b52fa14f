package broker

import (
	"context"
	"sync"
	"time"
)

const (
	// burst is how far calls may run ahead of their even spacing.
	burst = 100 * time.Millisecond

	// recovery is the share of the full rate that a lowered one regains every second: half is back in 50 s.
	recovery = 0.01

	// slowestRate is the rate below which WeChat's complaints do not push us.
	slowestRate = 1.0
)

// pace spaces the calls to WeChat evenly (the generic cell rate algorithm). Those for whom somebody waits take the
// next slot in turn, pre-warming takes one only when nobody else does.
type pace struct {
	quiet onceLock // held by the first of those who wait for quiet: with each slot thousands would wake for one of them

	mu      sync.Mutex
	whole   float64   // calls a second, of all brokers together
	most    float64   // this one's part of that
	rate    float64   // the same at present, at the moment seen
	seen    time.Time // when rate was last brought up to date
	lowered time.Time
	next    time.Time // when the next slot begins
}

func newPace(rate float64) *pace {
	return &pace{quiet: newOnceLock(), whole: rate, most: rate, rate: rate}
}

// wait waits for the caller's turn. It does not begin to wait for a turn that comes too late.
func (p *pace) wait(ctx context.Context, clock Clock, latest time.Time, urgent <-chan struct{}) error {
	leave, err := p.waitForQuiet(ctx, clock, urgent)
	if err != nil {
		return err
	}
	delay, ok := p.reserve(clock(), latest)
	leave()
	if !ok || !sleep(ctx, delay) {
		err := Errorf(Busy, "WeChat's rate is used up by those who asked before")
		err.RetryAfter = max(delay, time.Second).Round(time.Second)
		return err
	}
	return nil
}

// waitForQuiet returns when no slot is taken ahead and it is the caller's turn, until he leaves; or as soon as the call is
// urgent.
func (p *pace) waitForQuiet(ctx context.Context, clock Clock, urgent <-chan struct{}) (leave func(), err error) {
	select {
	case <-urgent:
		return func() {}, nil
	default:
	}
	select {
	case p.quiet <- struct{}{}:
	case <-urgent:
		return func() {}, nil
	case <-ctx.Done():
		return nil, noQuiet(ctx)
	}
	for {
		ahead := p.ahead(clock())
		if ahead <= 0 {
			return p.quiet.unlock, nil
		}
		timer := time.NewTimer(ahead)
		select {
		case <-timer.C:
		case <-urgent:
			timer.Stop()
			return p.quiet.unlock, nil
		case <-ctx.Done():
			timer.Stop()
			p.quiet.unlock()
			return nil, noQuiet(ctx)
		}
	}
}

func noQuiet(ctx context.Context) error {
	return Errorf(Busy, "WeChat's rate is used up by those for whom somebody waits: %w", ctx.Err())
}

// ahead is how far in the future the next slot lies.
func (p *pace) ahead(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.next.Sub(now)
}

// reserve takes the next slot and says how long it is until then. It takes none after the latest moment.
func (p *pace) reserve(now, latest time.Time) (delay time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.recover(now)
	slot := p.next
	if earliest := now.Add(-burst); slot.Before(earliest) {
		slot = earliest
	}
	if delay = max(slot.Sub(now), 0); now.Add(delay).After(latest) {
		return delay, false
	}
	p.next = slot.Add(time.Duration(float64(time.Second) / p.rate))
	return delay, true
}

// slowDown halves the rate, once a second at most: calls in flight together bring one complaint together. It
// reports whether it did.
func (p *pace) slowDown(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.recover(now)
	if now.Sub(p.lowered) < time.Second {
		return false
	}
	p.lowered = now
	p.rate = max(p.rate/2, min(slowestRate, p.most))
	return true
}

// divide makes the rate a part of the whole, among so many. One that was lowered stays lowered.
func (p *pace) divide(among int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	most := p.whole / float64(max(among, 1))
	p.rate *= most / p.most
	p.most = most
}

// current gives the rate at present.
func (p *pace) current(now time.Time) float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.recover(now)
	return p.rate
}

func (p *pace) recover(now time.Time) {
	if elapsed := now.Sub(p.seen); elapsed > 0 && !p.seen.IsZero() {
		p.rate = min(p.most, p.rate+p.most*recovery*elapsed.Seconds())
	}
	p.seen = now
}

// retryBudget keeps retries a fraction of the calls that succeed, so that an outage is not answered with a storm.
type retryBudget struct {
	mu      sync.Mutex
	credits float64
}

const (
	retryCredits = 10.0 // the most that is saved up
	retryEarned  = 0.2  // a retry for every five good calls
)

func newRetryBudget() *retryBudget { return &retryBudget{credits: retryCredits} }

func (r *retryBudget) earn() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.credits = min(r.credits+retryEarned, retryCredits)
}

func (r *retryBudget) spend() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.credits < 1 {
		return false
	}
	r.credits--
	return true
}
