package broker

import (
	"context"
	"errors"
	"sync"
	"time"
)

// prewarmers is how many links are pre-warmed at once: enough to use WeChat's rate at 100 ms a call.
const prewarmers = 16

// Prewarm generates fresh links for targets that are in demand and near their end, as long as WeChat and the day's
// quota allow, and whenever nobody waits for a link.
func (b *Broker) Prewarm(ctx context.Context) (Counts, error) {
	run := prewarming{
		broker: b, counts: Counts{"renewed": 0, "failed": 0}, stopped: make(map[appKind]bool), refused: make(map[page]int),
	}
	due := make(chan want)
	var workers sync.WaitGroup
	for range prewarmers {
		workers.Go(func() {
			for w := range due {
				run.generate(ctx, w)
			}
		})
	}
	err := errors.Join(run.feedAliases(ctx, due), run.feedLinks(ctx, due))
	close(due)
	workers.Wait()
	return run.counts, errors.Join(err, ctx.Err())
}

// prewarming is one run.
type prewarming struct {
	broker  *Broker
	mu      sync.Mutex
	counts  Counts
	stopped map[appKind]bool // with which it is no use to go on
	refused map[page]int     // how often WeChat has refused a page
}

// appKind is one of WeChat's calls on behalf of an app: what speaks against one says nothing of another.
type appKind struct {
	app  string
	kind Kind
}

func (t Target) call() appKind { return appKind{t.App, t.Kind} }

// page is what one of WeChat's calls refuses whatever the query.
type page struct {
	call appKind
	env  Env
	path string
}

func pageOf(t Target) page { return page{t.call(), t.Env, t.Path} }

// refusalsBelieved is how often a page is refused until its other links are left for the next run: WeChat is wrong now and
// then, and a page that is gone may have a hundred thousand aliases.
const refusalsBelieved = 3

// feedLinks walks the links whose last third may have begun and hands on those that are due and in demand.
func (p *prewarming) feedLinks(ctx context.Context, due chan<- want) error {
	now := p.broker.clock()
	for link, err := range p.broker.store.ExpiringLinks(ctx, now, now.Add(maxLife/3)) {
		if err != nil {
			return err
		}
		app, known := p.broker.apps[link.Target.App]
		if known && !app.NeverShare && link.DueForRenewal(now) && link.InDemand(now) {
			p.hand(ctx, due, renewal(app, link, Prewarming))
		}
	}
	return nil
}

// aliasLead is how long before it opens an alias is prepared for its visitors.
const aliasLead = time.Hour

// feedAliases walks the aliases and hands on what their next visitor would have to wait for. An alias is in demand by
// itself: what is printed may be scanned at any time.
func (p *prewarming) feedAliases(ctx context.Context, due chan<- want) error {
	now := p.broker.clock()
	for alias, err := range p.broker.allAliases(ctx, "") {
		if err != nil {
			return err
		}
		if !alias.open(now) && !alias.open(now.Add(aliasLead)) {
			continue
		}
		w, wanted, err := p.wantFor(ctx, alias, now)
		if err != nil {
			return err
		}
		if wanted {
			p.hand(ctx, due, w)
		}
	}
	return nil
}

// wantFor gives what the next visitor to an alias would have to wait for, if there is anything.
func (p *prewarming) wantFor(ctx context.Context, alias Alias, now time.Time) (w want, wanted bool, err error) {
	req := alias.Request()
	var r reading
	if err := p.broker.read(&r, &req, now); err != nil || r.app.NeverShare {
		return want{}, false, nil //nolint:nilerr // the configuration has changed since it was made
	}
	w = req.want(&r)
	link, _, err := p.broker.find(ctx, w.key)
	switch {
	case err == nil && w.satisfiedBy(&link, now) && !link.DueForRenewal(now) && w.app.Accepts(w.target.Kind, link.URL):
		return want{}, false, nil
	case err == nil:
		w.replaces = link.GeneratedAt
	case !errors.Is(err, NotFound):
		return want{}, false, err
	}
	w.purpose = Prewarming
	if alias.VisitLimit == 0 {
		return w, true, nil
	}
	wanted, err = p.broker.hasRoom(ctx, alias, "", now)
	return w, wanted, err
}

// hand hands on what is due.
func (p *prewarming) hand(ctx context.Context, due chan<- want, w want) {
	if p.hasStopped(w.target) {
		return
	}
	select {
	case due <- w:
	case <-ctx.Done(): // the caller reports it
	}
}

// generate has one link generated and counts it.
func (p *prewarming) generate(ctx context.Context, w want) {
	if p.hasStopped(w.target) {
		return
	}
	r, _, err := p.broker.pass(ctx, w)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil && r.found:
		p.counts["already_fresh"]++
	case err == nil:
		p.counts["renewed"]++
	default:
		p.counts["failed"]++
		if !aboutOneLink(err) {
			p.stopped[w.target.call()] = true
		}
		if errors.Is(err, InvalidPath) {
			p.refused[pageOf(w.target)]++
		}
	}
}

func (p *prewarming) hasStopped(t Target) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stopped[t.call()] || p.refused[pageOf(t)] >= refusalsBelieved
}

// aboutOneLink reports whether an error says nothing of the next link: WeChat refused this one or was too busy, or it was
// deleted meanwhile.
func aboutOneLink(err error) bool {
	for _, code := range []Code{InvalidPath, InvalidQuery, InvalidExpiry, InvalidEnv, InvalidArgument, Upstream, Busy, Internal, NotFound} {
		if errors.Is(err, code) {
			return true
		}
	}
	return false
}
