package broker

import (
	"context"
	"errors"
)

// Link gives one stored link, dead or alive.
func (b *Broker) Link(ctx context.Context, key Key) (Link, error) {
	link, _, err := b.find(ctx, key)
	return link, err
}

// Delete forgets a link: the next request for its target has a fresh one generated.
func (b *Broker) Delete(ctx context.Context, key Key) error {
	leave, err := b.takeTurn(ctx, key)
	if err != nil {
		return err
	}
	defer leave()
	if err := b.noteDeletion(ctx, key); err != nil {
		return err
	}
	_, kept := b.unstored.get(key)
	err = b.store.DeleteLink(ctx, key)
	if kept && errors.Is(err, NotFound) {
		err = nil
	}
	if err == nil {
		b.unstored.forget(key)
	}
	return err
}

// Pin keeps a link warm whether or not it is used, or no longer.
func (b *Broker) Pin(ctx context.Context, key Key, pinned bool) (Link, error) {
	kept := b.unstored.pin(key, pinned)
	err := b.store.PinLink(ctx, key, pinned)
	if kept && errors.Is(err, NotFound) {
		err = nil
	}
	if err != nil {
		return Link{}, err
	}
	return b.Link(ctx, key)
}

// Renew generates a fresh link in place of a stored one. It spends quota.
func (b *Broker) Renew(ctx context.Context, key Key) (Answer, error) {
	link, _, err := b.find(ctx, key)
	if err != nil {
		return Answer{}, err
	}
	app, ok := b.apps[link.Target.App]
	switch {
	case !ok:
		return Answer{}, Errorf(UnknownApp, "the mini program of this link is no longer configured")
	case app.NeverShare:
		return Answer{}, Errorf(InvalidArgument, "links of this app are never shared, so there is nobody to renew one for")
	case !link.Target.Expiry.Renewable():
		return Answer{}, Errorf(InvalidExpiry, "this link ends when it was asked to, if at all: a fresh one would be no fresher")
	}
	ctx, cancel := context.WithTimeout(ctx, b.policy.Deadline)
	defer cancel()
	r, collapsed, err := b.pass(ctx, renewal(app, link, Interactive))
	if err != nil {
		return Answer{}, err
	}
	return Answer{
		Link: r.link, At: b.clock(), Outcome: Miss, LeastLife: link.Target.Expiry.leastLife(), Stored: r.stored, Collapsed: collapsed,
	}, nil
}

// renewal is wanted in place of a link.
func renewal(app *app, link Link, purpose Purpose) want {
	same := &reading{app: app, rules: link.Target.Kind.rules(), target: link.Target, key: link.Key}
	return want{reading: same, replaces: link.GeneratedAt, purpose: purpose}
}
