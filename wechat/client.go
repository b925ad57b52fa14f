package wechat

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"linkbroker/broker"
)

// Client asks WeChat for links. It is safe for concurrent use.
type Client struct {
	http  *http.Client
	clock broker.Clock
	apps  map[string]*app
	order []*app // as given to New
}

var _ broker.Generator = (*Client)(nil)

// app is one mini program and its token. It holds no secret: fmt looks through pointers and does not ask methods of
// what it finds in unexported fields.
type app struct {
	id     string
	hosts  *hosts
	tokens *keeper    // nil with TokenNone
	param  string     // that carries the token
	always url.Values // parameters of every call
}

// New makes a client for the apps. It starts nothing: the first Generate of an app fetches its token. observe is
// told of each token call; it may be nil and must not block. The error of an app that cannot work names the app.
func New(apps []App, clock broker.Clock, observe func(TokenFetch)) (*Client, error) {
	if observe == nil {
		observe = func(TokenFetch) {}
	}
	c := &Client{http: newHTTPClient(), clock: clock, apps: make(map[string]*app, len(apps))}
	for _, given := range apps {
		given = given.withDefaults()
		if err := given.check(); err != nil {
			return nil, err
		}
		if _, twice := c.apps[given.ID]; twice {
			return nil, fmt.Errorf("app %s is there twice", given.ID)
		}
		a := newApp(given, c.http, clock, observe)
		c.apps[given.ID] = a
		c.order = append(c.order, a)
	}
	return c, nil
}

// Generate makes one link for a normalised target. It calls WeChat once, and once more with a new token where WeChat
// refused the old one, which spends nothing. Its errors are *broker.Error.
func (c *Client) Generate(ctx context.Context, target broker.Target) (broker.Generated, error) {
	a, ok := c.apps[target.App]
	if !ok {
		return broker.Generated{}, unspent(broker.UnknownApp, "no app of that appid is configured")
	}
	path, body, err := Call(target)
	if err != nil {
		return broker.Generated{}, unspent(broker.Internal, "%w", err)
	}
	made := recipes[target.Kind]
	got, err := c.ask(ctx, a, path, body)
	switch link := got.text(made.field); {
	case err != nil:
		return broker.Generated{}, err
	case got.errCode != 0:
		return broker.Generated{}, got.linkError(made.refusals)
	case link == "":
		return broker.Generated{}, unavailable("WeChat's answer holds no link")
	default:
		return broker.Generated{URL: link, SentAt: got.sent, Extra: got.unknown(made.field)}, nil
	}
}

// Probe fetches the app's token where there is none, and says whether the app can be asked for links. It spends no
// quota. Its errors are *broker.Error.
func (c *Client) Probe(ctx context.Context, appid string) error {
	a, ok := c.apps[appid]
	if !ok {
		return unspent(broker.UnknownApp, "no app of that appid is configured")
	}
	_, _, err := a.access(ctx)
	return err
}

// TokenStatus is how an app stands with its access token.
type TokenStatus struct {
	App       string
	FetchedAt time.Time // zero if there is none
	ExpiresAt time.Time // when it is no longer used; zero if there is none
	Err       error     // why the last fetch failed; nil if it did not
}

// Tokens says how each app that has tokens stands with its own, in the order of New.
func (c *Client) Tokens() []TokenStatus {
	var all []TokenStatus
	for _, a := range c.order {
		if a.tokens != nil {
			all = append(all, a.tokens.status(a.id))
		}
	}
	return all
}

// Hosts says how the hosts fare at which each app's calls can be made, in the order of New.
func (c *Client) Hosts() []HostStatus {
	var all []HostStatus
	for _, a := range c.order {
		all = append(all, a.hosts.statuses(a.id)...)
	}
	return all
}

// Close ends what the client does in the background and its idle connections. Calls under way go on to their end.
func (c *Client) Close() {
	for _, a := range c.order {
		if a.tokens != nil {
			a.tokens.close()
		}
		a.hosts.close()
	}
	c.http.CloseIdleConnections()
}
