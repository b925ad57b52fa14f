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
		switch link, stored, err := b.current(ctx, w.key); {
		case err == nil && w.satisfiedBy(&link, began):
			return result{link: link, found: true, stored: stored}, nil
		case err != nil && !errors.Is(err, NotFound) && !b.goesAlone(w.purpose, err),
			err != nil && w.purpose == Prewarming && !w.replaces.IsZero(): // deleted since it was found to be due
			return result{}, err
		}
	}
	made, err := b.ask(ctx, w, urgent)
	if err != nil {
		return result{}, err
	}
	link := newLink(w, made)
	if !link.Outlives(b.clock()) {
		return result{}, Errorf(InvalidExpiry, "the link ended before it could be answered: expire_time was too near")
	}
	if w.purpose != Prewarming {
		link.UsedAt = began // in demand from the start; the use itself is counted with everybody else's
	}
	return b.keep(ctx, link), nil
}

// ask has WeChat make a link, if nothing speaks against it that is known without a call.
func (b *Broker) ask(ctx context.Context, w want, urgent <-chan struct{}) (Generated, error) {
	began := b.clock()
	if err := b.refusals.check(w.key, began); err != nil {
		return Generated{}, err
	}
	bill, err := b.budgets.charge(ctx, w.payer, b.clock)
	if err != nil {
		return Generated{}, err
	}
	probe, err := w.unhindered(b.clock())
	if err != nil {
		bill.refund()
		return Generated{}, err
	}
	made, calls, err := b.callUntilAnswered(ctx, w, urgent)
	switch {
	case calls.made == 0:
		probe.handBack()
		bill.refund()
	case err != nil:
		err = b.remember(w, err, began) // no other: what is remembered would never end while somebody asks for it
		if !calls.spent && !w.payer.stranger() {
			bill.refund() // a stranger pays for what is refused as well: it costs WeChat's rate, which is everybody's
		}
	case !w.app.Accepts(w.target.Kind, made.URL):
		err = Errorf(Upstream, "WeChat's answer carries a link that is not of kind %s, or not on a host of link_hosts", w.target.Kind)
		w.trouble().set(err, b.clock().Add(appMemory)) // or a new host of WeChat's would cost the day's quota
		b.policy.Observe(Event{Name: LinkRefused, App: w.app.ID, Kind: w.target.Kind, Err: err})
	default:
		bill.units.reserveAhead(ctx)
	}
	return made, err
}

// newLink gives the link that was made, with its effective expiry.
func newLink(w want, made Generated) Link {
	sent := made.SentAt.UTC().Truncate(time.Millisecond)
	link := Link{
		Key:         w.key,
		Target:      w.target,
		URL:         made.URL,
		Extra:       keptOf(made.Extra),
		GeneratedAt: sent,
		ExpiresAt:   w.target.Expiry.effectiveEnd(w.target.Expiry.end(sent)),
	}
	if w.payer.client != nil {
		link.AskedBy = w.payer.client.Name
	}
	return link
}

// keep stores a link. If that fails, or lasts longer than its flight may, the link is kept in memory and handed out all
// the same: the call is spent.
func (b *Broker) keep(ctx context.Context, link Link) result {
	var failed error // may be read once storing is closed
	storing := make(chan struct{})
	b.door.done.Go(func() { // Drain waits for it; the flight itself still counts, so it is not too late
		defer close(storing)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storePatience)
		defer cancel()
		if failed = b.store.PutLink(ctx, link); failed == nil {
			b.unstored.stored(link)
		}
	})
	var err error
	select {
	case <-storing:
		if err = failed; err == nil {
			b.unstored.forget(link.Key) // an older one
			return result{link: link, stored: true}
		}
	case <-ctx.Done():
		err = Errorf(StoreFailed, "storing takes longer than the deadline: %w", ctx.Err())
	}
	b.policy.Observe(Event{Name: StoreFailing, App: link.Target.App, Err: err})
	if !b.unstored.put(link) {
		b.policy.Observe(Event{Name: LinkLost, App: link.Target.App, Err: err})
	}
	return result{link: link, storing: storing}
}

// calls counts what a flight has asked of WeChat.
type calls struct {
	made  int
	spent bool // one of them may have generated a link
}

// latestCall is when a call may begin at the latest: an eighth of the deadline must be left for it, half a second of four,
// for a unit spent on one that is cut off is wasted.
func (b *Broker) latestCall(ctx context.Context) time.Time {
	end, _ := ctx.Deadline()
	return end.Add(-b.policy.Deadline / 8)
}

// callUntilAnswered calls WeChat, and again after what may pass, within the flight's deadline and the app's budget
// of retries. Each attempt waits for its turn and takes its own unit of quota.
func (b *Broker) callUntilAnswered(ctx context.Context, w want, urgent <-chan struct{}) (made Generated, n calls, err error) {
	latest := b.latestCall(ctx)
	b.divideRate(ctx, w.app)
	for wait := 100 * time.Millisecond; ; wait *= 2 {
		if err := w.app.pace.wait(ctx, b.clock, latest, urgent); err != nil {
			return Generated{}, n, err
		}
		taken, err := w.app.spend(ctx, w, b.clock)
		if err != nil {
			return Generated{}, n, err
		}
		made, err := b.call(ctx, w, taken)
		n.made++
		n.spent = n.spent || !unspent(err)
		if err == nil {
			w.app.retries.earn()
			taken.reserveAhead(ctx)
			return made, n, nil
		}
		jittered := wait/2 + rand.N(wait) //nolint:gosec // spreads load, guards nothing
		switch {
		case !errors.Is(err, Unavailable) && !errors.Is(err, Busy),
			w.payer.stranger(), // who pays for one call
			b.clock().Add(jittered).After(latest),
			!w.app.retries.spend(),
			!sleep(ctx, jittered):
			return Generated{}, n, err
		}
	}
}

// call makes one call to WeChat with units of quota, and learns from its answer.
func (b *Broker) call(ctx context.Context, w want, taken units) (Generated, error) {
	sent := b.clock()
	made, err := b.generator.Generate(ctx, w.target)
	now := b.clock()
	b.history.called(w.app.ID, now.Sub(sent), err)
	b.policy.Observe(Event{Name: CallEnded, App: w.app.ID, Kind: w.target.Kind, Purpose: w.purpose, Took: now.Sub(sent), Err: err})
	if err == nil {
		w.passed(sent, now)
		return made, nil
	}
	if unspent(err) {
		taken.refund()
	}
	if errors.Is(err, Busy) && w.app.pace.slowDown(now) {
		b.policy.Observe(Event{Name: RateLowered, App: w.app.ID, Rate: w.app.pace.current(now), Err: err})
	}
	return Generated{}, err
}

// unspent reports whether a call certainly generated nothing.
func unspent(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Unspent
}
