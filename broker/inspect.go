package broker

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"time"
)

// Inspector asks WeChat about links that it made. Its calls spend no generations. Its errors are *Error.
type Inspector interface {
	// Inspect says what WeChat knows of a link of a kind that is Queryable. One that it does not know, or no longer,
	// is NotFound.
	Inspect(ctx context.Context, app string, kind Kind, link string) (Inspected, error)

	// Openings says how often the app's links may still be opened today.
	Openings(ctx context.Context, app string) (int64, error)
}

// Inspected is what WeChat says of a link.
type Inspected struct {
	ExpiresAt time.Time       // when WeChat ends it; zero if it does not say
	Answer    json.RawMessage // the whole answer as it came, a JSON object
}

// Question is about a link, by its URL.
type Question struct {
	App  string
	Kind Kind // of which it is said to be; WeChat can be asked about those that are Queryable
	URL  string

	OnlyIfStored bool // WeChat is not asked: what is not stored is NotCached
}

// Found answers a question: from the store, or with what WeChat said.
type Found struct {
	Link      Link            // the stored link that has the URL
	Spliced   string          // the query that was joined to it in the URL asked about
	Inspected json.RawMessage // WeChat's answer; nil if the link is a stored one
}

// EndsAt is when WeChat ends the stored link, which is a little later than we hand it out.
func (f Found) EndsAt() time.Time { return f.Link.ExpiresAt.Add(safetyMargin) }

// Inspect says what a link is. For one of ours that is alive it asks nobody.
func (b *Broker) Inspect(ctx context.Context, q Question) (Found, error) {
	app, ok := b.apps[q.App]
	switch {
	case !ok:
		return Found{}, Errorf(UnknownApp, "no mini program of this appid is configured")
	case q.URL == "" || len(q.URL) > maxURL:
		return Found{}, Errorf(InvalidArgument, "the link to be asked about is missing, or longer than %d bytes", maxURL)
	}
	link, spliced, err := b.findURL(ctx, q)
	switch {
	case err == nil && link.Target.App == q.App && link.Target.Kind == q.Kind && link.Outlives(b.clock()):
		return Found{Link: link, Spliced: spliced}, nil
	case err != nil && !errors.Is(err, NotFound):
		return Found{}, err
	case q.OnlyIfStored:
		return Found{}, Errorf(NotCached, "no such link is stored, and this key may not ask WeChat about others")
	}
	got, err := b.inspect(ctx, app, q.Kind, q.URL)
	return Found{Inspected: got.Answer}, err
}

// maxURL bounds a link that is asked about: one with a query joined to it is longer than any other.
const maxURL = 4 << 10

// findURL finds the link that a URL is, or that it was before a query was joined to it.
func (b *Broker) findURL(ctx context.Context, q Question) (link Link, spliced string, err error) {
	link, err = b.linkByURL(ctx, q.URL)
	bare, joined, found := strings.Cut(q.URL, q.Kind.Splice())
	if !errors.Is(err, NotFound) || !found || q.Kind.Splice() == "" {
		return link, "", err
	}
	if spliced, err = url.QueryUnescape(joined); err != nil {
		return Link{}, "", Errorf(NotFound, "what is joined to the link is no query")
	}
	link, err = b.linkByURL(ctx, bare)
	return link, spliced, err
}

func (b *Broker) linkByURL(ctx context.Context, link string) (Link, error) {
	if l, ok := b.unstored.byURL(link); ok {
		return l, nil
	}
	return b.store.LinkByURL(ctx, link)
}

// inspect asks WeChat, behind all for whom a link is generated.
func (b *Broker) inspect(ctx context.Context, app *app, kind Kind, link string) (got Inspected, err error) {
	if !kind.Queryable() {
		return Inspected{}, Errorf(InvalidArgument, "WeChat answers no questions about kind %s", kind)
	}
	err = b.query(ctx, app, func(ctx context.Context) (err error) {
		got, err = b.inspector.Inspect(ctx, app.ID, kind, link)
		return err
	})
	if err != nil {
		return Inspected{}, err
	}
	if _, _, err := canonicalObject(got.Answer); err != nil {
		return Inspected{}, Errorf(Unavailable, "WeChat's answer can be read in two ways, or not at all: %w", err)
	}
	return got, nil
}

// query makes one call that generates nothing, when its turn has come.
func (b *Broker) query(ctx context.Context, app *app, call func(context.Context) error) error {
	if b.inspector == nil {
		return Errorf(Unavailable, "nobody can be asked about links here")
	}
	ctx, cancel := context.WithTimeout(ctx, b.policy.Deadline)
	defer cancel()
	if err := app.pace.wait(ctx, b.clock, b.latestCall(ctx), nil); err != nil {
		return err
	}
	sent := b.clock()
	err := call(ctx)
	now := b.clock()
	b.policy.Observe(Event{Name: QueryEnded, App: app.ID, Took: now.Sub(sent), Err: err})
	if errors.Is(err, Busy) && app.pace.slowDown(now) {
		b.policy.Observe(Event{Name: RateLowered, App: app.ID, Rate: app.pace.current(now), Err: err})
	}
	return err
}
