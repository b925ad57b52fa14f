package broker

import (
	"context"
	"errors"
	"time"
)

// want is a request that is answered with a generation: what it says, and what this asker of it needs besides.
type want struct {
	*reading // shared by the flight and all who wait for it, so nobody changes it

	replaces time.Time // a renewal: the link that was generated at this moment will not do
	purpose  Purpose
	payer    payer
}

// satisfiedBy reports whether a stored link does for what is wanted.
func (w want) satisfiedBy(l *Link, now time.Time) bool {
	return !l.GeneratedAt.Equal(w.replaces) && w.reading.satisfiedBy(l, now)
}

// Get answers a request: from the store while the stored link is good, otherwise with a link generated now, and if
// that fails with the stored one for as long as it is alive.
func (b *Broker) Get(ctx context.Context, req Request) (answer Answer, err error) {
	err = b.get(ctx, &req, &answer)
	b.answered(&req, &answer, err)
	return answer, err
}

func (b *Broker) answered(req *Request, answer *Answer, err error) {
	b.history.answered(req, answer.Outcome, err)
	b.policy.Observe(Event{Name: Answered, App: req.App, Kind: answer.Link.Target.Kind, Outcome: answer.Outcome, Err: err})
}

// get fills an empty answer in, and leaves it empty on an error. It gives none because links are large, and a hit does
// little else than to hand one on.
func (b *Broker) get(ctx context.Context, req *Request, answer *Answer) (err error) {
	now := b.clock()
	var own reading // in no flight, so that a hit allocates nothing
	r := &own
	if req.Prepared != nil {
		r = &req.Prepared.reading
		req.App = r.app.ID
	} else if err := b.read(r, req, now); err != nil {
		return err
	}
	if req.Client != nil {
		if err := r.permittedTo(req.Client, req.Signed); err != nil {
			return err
		}
	}
	if r.rules.compose != nil {
		return r.compose(answer, now)
	}
	if !r.app.NeverShare {
		answer.Link, answer.Stored, err = b.find(ctx, r.key)
		switch {
		case err == nil && r.satisfiedBy(&answer.Link, now):
			b.complete(answer, r, Hit, now)
			return nil
		case err != nil && !errors.Is(err, NotFound) && (req.OnlyIfCached || !b.goesAlone(req.purpose(), err)):
			return err
		}
	}
	if err := b.miss(ctx, req.want(r), req.OnlyIfCached, answer); err != nil {
		return b.stale(answer, r, err)
	}
	return nil
}

// want gives what a flight for the request needs.
func (r *Request) want(read *reading) want {
	shared := *read
	return want{reading: &shared, purpose: r.purpose(), payer: payer{client: r.Client, address: r.Address}}
}

// complete says how the answer came about, and counts the use of its link.
func (b *Broker) complete(a *Answer, r *reading, outcome Outcome, now time.Time) {
	b.uses.add(Use{Key: r.key, Count: 1, UsedAt: now})
	r.describe(a, outcome, now)
}

// miss has a link generated, or takes the one that somebody else is having generated. Where that fails, the answer stays
// as it is.
func (b *Broker) miss(ctx context.Context, w want, onlyIfCached bool, answer *Answer) error {
	if onlyIfCached {
		return Errorf(NotCached, "no living link is stored for this target, and this key may not generate one")
	}
	r, collapsed, err := b.pass(ctx, w)
	if err != nil {
		return err
	}
	outcome := Miss
	if r.found {
		outcome = Hit // stored by somebody else between our look and our turn
	}
	answer.Link, answer.Stored, answer.Collapsed = r.link, r.stored, collapsed
	b.complete(answer, w.reading, outcome, b.clock())
	return nil
}

// stale answers a request that could not be satisfied with the link that was found, if it is still alive: better than
// nothing.
func (b *Broker) stale(answer *Answer, r *reading, reason error) error {
	now := b.clock()
	if !answer.Link.Outlives(now) {
		*answer = Answer{}
		return reason
	}
	answer.Reason = reason
	b.complete(answer, r, Stale, now)
	return nil
}

// find looks a link up, first among those the store could not take, for they are newer, and says whether it is
// stored.
func (b *Broker) find(ctx context.Context, key Key) (link Link, stored bool, err error) {
	if link, ok := b.unstored.get(key); ok {
		return link, false, nil
	}
	link, err = b.store.Link(ctx, key)
	return link, err == nil, err
}
