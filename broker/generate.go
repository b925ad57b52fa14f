package broker

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// storePatience is how long a link that WeChat has made may take to be stored: longer than a caller's deadline,
// because the call is spent.
const storePatience = 10 * time.Second

// generate is a flight: it looks again, and if there is still no link that does, has WeChat make one and stores it.
func (b *Broker) generate(ctx context.Context, w want, urgent <-chan struct{}) (result, error) {
	began := b.clock()
	if !w.app.NeverShare {
		switch link, err := b.find(ctx, w.key); {
		case err == nil && w.satisfiedBy(link, began):
			return result{link: link, found: true, stored: true}, nil
		case err != nil && !errors.Is(err, NotFound):
			return result{}, err
		}
	}
	if err := b.refused(w, began); err != nil {
		return result{}, err
	}
	bill, err := b.budgets.charge(ctx, w.payer, began)
	if err != nil {
		return result{}, err
	}
	made, spent, err := b.callUntilAnswered(ctx, w, urgent)
	if err != nil {
		if !spent {
			bill.refund()
		}
		return result{}, b.remember(w, err, began)
	}
	if !w.app.Accepts(made.URL) {
		return result{}, Errorf(Unavailable, "WeChat's answer carries a link that is not https on a host of link_hosts")
	}
	link := newLink(w, made)
	if !link.Outlives(b.clock()) {
		return result{}, Errorf(InvalidExpiry, "the link ended before it could be answered: expire_time was too near")
	}
	if w.purpose == Interactive {
		link.UsedAt = began // in demand from the start; the use itself is counted with everybody else's
	}
	return b.keep(ctx, link), nil
}

// newLink gives the link that was made, with its effective expiry.
func newLink(w want, made Generated) Link {
	sent := made.SentAt.UTC().Truncate(time.Millisecond)
	return Link{
		Key:         w.key,
		Target:      w.target,
		URL:         made.URL,
		GeneratedAt: sent,
		ExpiresAt:   w.target.Expiry.end(sent).Add(-safetyMargin).Truncate(time.Second),
	}
}

// keep stores a link. If that fails it is kept in memory and handed out all the same: the call is spent.
func (b *Broker) keep(ctx context.Context, link Link) result {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storePatience)
	defer cancel()
	err := b.store.PutLink(ctx, link)
	if err != nil {
		b.policy.Observe(Event{Name: StoreFailing, App: link.Target.App, Err: err})
		if !b.unstored.put(link) {
			b.policy.Observe(Event{Name: LinkLost, App: link.Target.App, Err: err})
		}
	} else {
		b.unstored.forget(link.Key)
	}
	return result{link: link, stored: err == nil}
}

// callUntilAnswered calls WeChat, and again after what may pass, within the flight's deadline and the app's budget
// of retries. Each attempt waits for its turn and takes its own unit of quota. It says whether any of them may have
// generated a link.
func (b *Broker) callUntilAnswered(ctx context.Context, w want, urgent <-chan struct{}) (made Generated, spent bool, err error) {
	for wait := 100 * time.Millisecond; ; wait *= 2 {
		if err := w.app.pace.wait(ctx, b.clock, urgent); err != nil {
			return Generated{}, spent, err
		}
		unit, err := w.app.ledger.spend(ctx, b.clock(), w.app.keptFrom(w.purpose))
		if err != nil {
			return Generated{}, spent, err
		}
		made, err := b.call(ctx, w, unit)
		if err == nil {
			w.app.retries.earn()
			return made, true, nil
		}
		spent = spent || !unspent(err)
		jittered := wait/2 + rand.N(wait) //nolint:gosec // spreads load, guards nothing
		deadline, _ := ctx.Deadline()
		switch {
		case !errors.Is(err, Unavailable) && !errors.Is(err, Busy),
			b.clock().Add(jittered).After(deadline),
			!w.app.retries.spend(),
			!sleep(ctx, jittered):
			return Generated{}, spent, err
		}
	}
}

// call makes one call to WeChat with a unit of quota, and learns from its answer.
func (b *Broker) call(ctx context.Context, w want, unit unit) (Generated, error) {
	sent := b.clock()
	made, err := b.generator.Generate(ctx, w.target)
	now := b.clock()
	b.policy.Observe(Event{Name: CallEnded, App: w.app.ID, Purpose: w.purpose, Took: now.Sub(sent), Err: err})
	if err == nil {
		w.app.trouble.passed(now)
		return made, nil
	}
	if unspent(err) {
		w.app.ledger.refund(unit)
	}
	if errors.Is(err, Busy) && w.app.pace.slowDown(now) {
		b.policy.Observe(Event{Name: RateLowered, App: w.app.ID, Rate: w.app.pace.current(now), Err: err})
	}
	return Generated{}, err
}

// keptFrom is how much of the day's quota a purpose must leave untouched.
func (a *app) keptFrom(purpose Purpose) int64 {
	if purpose == Prewarming {
		return int64(float64(a.DailyQuota) * a.PrewarmReserve)
	}
	return 0
}

// unspent reports whether a call certainly generated nothing.
func unspent(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Unspent
}
