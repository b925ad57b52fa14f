package broker

import (
	"context"
	"crypto/rand"
	"errors"
	"time"
)

// want is a request as the broker works on it.
type want struct {
	app       *app
	target    Target
	key       Key
	cq        string // to be spliced onto the link
	unspliced string // why nothing is, although it was asked
	leastLife time.Duration
	replaces  time.Time // a renewal: the link that was generated at this moment will not do
	purpose   Purpose
	payer     payer
}

// satisfiedBy reports whether a stored link does for what is wanted.
func (w want) satisfiedBy(l Link, now time.Time) bool {
	return !l.GeneratedAt.Equal(w.replaces) && l.Outlives(now.Add(w.leastLife))
}

// answer completes an answer with what was wanted.
func (w want) answer(a Answer) Answer {
	a.LeastLife, a.CQ, a.Unspliced = w.leastLife, w.cq, w.unspliced
	return a
}

// Get answers a request: from the store while the stored link is good, otherwise with a link generated now, and if
// that fails with the stored one for as long as it is alive.
func (b *Broker) Get(ctx context.Context, req Request) (Answer, error) {
	answer, err := b.get(ctx, req)
	b.answered(&req, &answer, err)
	return answer, err
}

func (b *Broker) answered(req *Request, answer *Answer, err error) {
	b.history.answered(req, answer.Outcome, err)
	b.policy.Observe(Event{Name: Answered, App: req.App, Kind: answer.Link.Target.Kind, Outcome: answer.Outcome, Err: err})
}

func (b *Broker) get(ctx context.Context, req Request) (Answer, error) {
	now := b.clock()
	w, clamped, err := b.want(req, now)
	if err != nil {
		return Answer{}, err
	}
	if compose := w.target.Kind.rules().compose; compose != nil {
		return w.composed(compose, now)
	}
	var known Link
	var stored bool
	if !w.app.NeverShare {
		known, stored, err = b.find(ctx, w.key)
		switch {
		case err == nil && w.satisfiedBy(known, now):
			b.uses.add(Use{Key: w.key, Count: 1, UsedAt: now})
			return w.answer(Answer{Link: known, At: now, Outcome: Hit, Stored: stored, Clamped: clamped}), nil
		case err != nil && !errors.Is(err, NotFound):
			return Answer{}, err
		}
	}
	answer, err := b.miss(ctx, w, req.OnlyIfCached)
	if err != nil {
		answer, err = b.stale(w, known, stored, err)
	}
	answer.Clamped = clamped
	return answer, err
}

// want reads a request: the class of its expiry, its canonical target, its key and the least life of its answer.
func (b *Broker) want(req Request, now time.Time) (w want, clamped bool, err error) {
	app, ok := b.apps[req.App]
	if !ok {
		return want{}, false, Errorf(UnknownApp, "no mini program of this appid is configured")
	}
	target := req.Target
	if target.Expiry, clamped, err = target.Expiry.settle(now, app.ExpireTimeGrain); err != nil {
		return want{}, false, err
	}
	leastLife, err := target.Expiry.leastLifeFor(req.LeastLife)
	if err != nil {
		return want{}, false, err
	}
	if app.AtLeast && target.Expiry.Days != 0 {
		// Folded into the living link, which then must have left what was asked as the whole life.
		leastLife = max(leastLife, target.Expiry.leastLife(), time.Duration(target.Expiry.Days)*day-safetyMargin)
		target.Expiry = Expiry{}
	}
	if app.NeverShare {
		if target.Scope != "" {
			return want{}, false, Errorf(InvalidArgument, "scope means nothing for this app: its links are never shared")
		}
		target.Scope = "never-share " + rand.Text() // a target of its own, and so a key of its own
	}
	if target, err = target.Normalize(); err != nil {
		return want{}, false, err
	}
	if req.Client != nil {
		if err := req.Client.Permits(target, req.Signed); err != nil {
			return want{}, false, err
		}
	}
	w = want{app: app, leastLife: leastLife, purpose: req.purpose(), payer: payer{client: req.Client, address: req.Address}}
	w.target, w.cq, w.unspliced = app.splice(target, req.Splice)
	w.key = w.target.Key()
	return w, clamped, nil
}

// leastLifeFor gives the least life of an answer: the asked one, or by default that of the class.
func (e Expiry) leastLifeFor(asked time.Duration) (time.Duration, error) {
	switch {
	case !e.Renewable(), asked == 0:
		return e.leastLife(), nil
	case asked < 0:
		return 0, Errorf(InvalidLeastLife, "least_life must not be negative")
	case asked > e.mostLeastLife():
		return 0, Errorf(InvalidLeastLife, "least_life is at most two thirds of the link's life, here %s", e.mostLeastLife())
	default:
		return asked, nil
	}
}

// miss has a link generated, or takes the one that somebody else is having generated.
func (b *Broker) miss(ctx context.Context, w want, onlyIfCached bool) (Answer, error) {
	if onlyIfCached {
		return Answer{}, Errorf(NotCached, "no living link is stored for this target, and this key may not generate one")
	}
	ctx, cancel := context.WithTimeout(ctx, b.policy.Deadline)
	defer cancel()
	r, err := b.pass(ctx, w)
	if err != nil {
		return Answer{}, err
	}
	now := b.clock()
	b.uses.add(Use{Key: w.key, Count: 1, UsedAt: now})
	answer := w.answer(Answer{Link: r.link, At: now, Outcome: Miss, Stored: r.stored, Collapsed: r.collapsed})
	if r.found {
		answer.Outcome = Hit // stored by somebody else between our look and our turn
	}
	return answer, nil
}

// stale answers a request that could not be satisfied with a stored link that is still alive: better than nothing.
func (b *Broker) stale(w want, known Link, stored bool, reason error) (Answer, error) {
	now := b.clock()
	if !known.Outlives(now) {
		return Answer{}, reason
	}
	b.uses.add(Use{Key: w.key, Count: 1, UsedAt: now})
	return w.answer(Answer{Link: known, At: now, Outcome: Stale, Stored: stored, Reason: reason}), nil
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

// composed answers with a link that is put together here. It is kept nowhere: the next is the same.
func (w want) composed(compose func(Target) string, now time.Time) (Answer, error) {
	if !w.app.PlainScheme {
		return Answer{}, Errorf(InvalidArgument, "this mini program has no plain schemes: plain_scheme switches them on, "+
			"once the pages are declared for them in WeChat's console")
	}
	sent := now.UTC().Truncate(time.Millisecond)
	link := Link{Key: w.key, Target: w.target, URL: compose(w.target), GeneratedAt: sent, ExpiresAt: never}
	return Answer{Link: link, At: now, Outcome: Composed, Stored: true}, nil
}
