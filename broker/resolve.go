package broker

import (
	"cmp"
	"context"
	"errors"
	"time"
)

// Visit is somebody's coming to an alias.
type Visit struct {
	Slug    string
	CQ      string  // to be spliced on where the target takes it; empty = nothing
	Visitor Visitor // by what; empty = is not counted, but under a limit, where he is Elsewhere
	Peek    bool    // only look: count nothing and generate nothing (HTTP's HEAD)
}

// Destination is where a visitor is sent.
type Destination struct {
	URL       string // https and on one of the app's lists of hosts, or empty: there is a link once somebody visits
	Answer    Answer // the link behind it; without a link where Instead says why
	Unspliced string // why the visit's cq is not in the address; empty if it is, or if there was none
	Instead   error  // why this is the fallback and no link; nil = it is a link
}

// Resolve says where an alias leads: to a living link, which is generated if need be, or to the fallback. A slug that is
// unknown, malformed or closed is NotFound, all in the same words.
func (b *Broker) Resolve(ctx context.Context, v Visit) (Destination, error) {
	alias, err := b.Alias(ctx, v.Slug)
	if err != nil {
		return Destination{}, err
	}
	app, ok := b.apps[alias.Target.App]
	if !ok {
		return Destination{}, errNoAlias() // and its list of hosts is gone, so that a fallback could lead anywhere
	}
	d, err := b.destination(ctx, app, alias, v)
	if err != nil {
		if !app.acceptsFallback(alias.FallbackURL) {
			return Destination{}, err
		}
		d = Destination{URL: alias.FallbackURL, Instead: err}
	}
	if v.Visitor == "" || v.Peek {
		return d, nil
	}
	if d.Instead != nil {
		b.visits.add(alias.Slug, FellBack, b.clock())
	}
	b.policy.Observe(Event{Name: Visited, App: app.ID, Visitor: v.Visitor, Err: d.Instead})
	return d, nil
}

// destination gives the link to which an alias leads, and counts the visit.
func (b *Broker) destination(ctx context.Context, app *app, alias Alias, v Visit) (Destination, error) {
	now := b.clock()
	if !alias.open(now) || app.NeverShare { // the app has stopped sharing: each visitor would cost a generation
		return Destination{}, errNoAlias()
	}
	if err := b.admit(ctx, alias, "", now); err != nil {
		return Destination{}, err
	}
	if v.Peek {
		return b.peek(ctx, app, alias, v)
	}
	answer, err := b.Get(ctx, alias.Request())
	if err != nil {
		return Destination{}, err
	}
	d, err := b.lead(app, alias, answer, v)
	if err != nil {
		return Destination{}, err
	}
	what := v.Visitor
	if alias.VisitLimit > 0 {
		what = cmp.Or(what, Elsewhere) // who is told the link takes a place
	}
	if err := b.admit(ctx, alias, what, now); err != nil { // several came at once to the last place
		return Destination{}, err
	}
	return d, nil
}

// admit counts a visitor, or looks for nobody whether there is room for one.
func (b *Broker) admit(ctx context.Context, alias Alias, visitor Visitor, now time.Time) error {
	switch {
	case alias.VisitLimit > 0:
		ok, err := b.hasRoom(ctx, alias, string(visitor), now)
		if err == nil && !ok {
			err = errNoAlias()
		}
		return err
	case visitor != "":
		b.visits.add(alias.Slug, string(visitor), now)
	}
	return nil
}

// Request is what an alias asks for a visitor.
func (a Alias) Request() Request {
	req := Request{Target: a.Target}
	if a.Splice {
		req.Splice = &a.Splice
	}
	return req
}

// lead sends a visitor to a link. What is in the store may have been put there by anybody, so its host is looked at
// again.
func (b *Broker) lead(app *app, alias Alias, answer Answer, v Visit) (Destination, error) {
	d := Destination{Answer: answer}
	if v.CQ != "" {
		cq, unspliced := alias.Target.carry(v.CQ)
		d.Answer.CQ, d.Unspliced = cmp.Or(cq, answer.CQ), unspliced
	}
	if d.URL = d.Answer.URL(); !alias.Target.Kind.Web() || !app.Accepts(alias.Target.Kind, d.URL) {
		err := Errorf(Upstream, "the stored link is not https on a host of link_hosts")
		b.policy.Observe(Event{Name: LinkRefused, App: app.ID, Err: err})
		return Destination{}, err
	}
	return d, nil
}

// peek gives the link that is stored. Under a limit it is told to visitors alone.
func (b *Broker) peek(ctx context.Context, app *app, alias Alias, v Visit) (Destination, error) {
	if alias.VisitLimit > 0 {
		return Destination{}, nil
	}
	now, req := b.clock(), alias.Request()
	var r reading
	if err := b.read(&r, &req, now); err != nil {
		return Destination{}, err
	}
	var answer Answer
	var err error
	answer.Link, answer.Stored, err = b.find(ctx, r.key)
	switch {
	case errors.Is(err, NotFound), err == nil && !answer.Link.Outlives(now):
		return Destination{}, nil
	case err != nil:
		return Destination{}, err
	}
	r.describe(&answer, Hit, now)
	return b.lead(app, alias, answer, v)
}
