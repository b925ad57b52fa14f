package broker

import (
	"context"
	"errors"
	"sync"
)

// prewarmers is how many links are pre-warmed at once: enough to use WeChat's rate at 100 ms a call.
const prewarmers = 16

// Prewarm generates fresh links for targets that are in demand and near their end, as long as WeChat and the day's
// quota allow, and whenever nobody waits for a link.
func (b *Broker) Prewarm(ctx context.Context) (Counts, error) {
	now := b.clock()
	run := prewarming{broker: b, counts: Counts{"renewed": 0, "failed": 0}, stopped: make(map[appKind]error)}
	due := make(chan Link)
	var workers sync.WaitGroup
	for range prewarmers {
		workers.Go(func() {
			for link := range due {
				run.renew(ctx, link)
			}
		})
	}
	err := run.feed(ctx, due, func(l Link) bool { return l.DueForRenewal(now) && l.InDemand(now) })
	close(due)
	workers.Wait()
	return run.counts, errors.Join(err, ctx.Err())
}

// prewarming is one run.
type prewarming struct {
	broker  *Broker
	mu      sync.Mutex
	counts  Counts
	stopped map[appKind]error // with which it is no use to go on, and why
}

// appKind is one of WeChat's calls on behalf of an app: what speaks against one says nothing of another.
type appKind struct {
	app  string
	kind Kind
}

func callFor(link Link) appKind { return appKind{link.Target.App, link.Target.Kind} }

// feed walks the links whose last third may have begun and hands on those that are due.
func (p *prewarming) feed(ctx context.Context, due chan<- Link, isDue func(Link) bool) error {
	now := p.broker.clock()
	for link, err := range p.broker.store.ExpiringLinks(ctx, now, now.Add(maxLife/3)) {
		if err != nil {
			return err
		}
		app, known := p.broker.apps[link.Target.App]
		if !known || app.NeverShare || p.hasStopped(link) || !isDue(link) {
			continue
		}
		select {
		case due <- link:
		case <-ctx.Done():
			return nil // the caller reports it
		}
	}
	return nil
}

// renew renews one link and counts it.
func (p *prewarming) renew(ctx context.Context, link Link) {
	app := p.broker.apps[link.Target.App]
	if p.hasStopped(link) {
		return
	}
	r, err := p.broker.renew(ctx, app, link, Prewarming)
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
			p.stopped[callFor(link)] = err
		}
	}
}

func (p *prewarming) hasStopped(link Link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stopped[callFor(link)] != nil
}

// aboutOneLink reports whether an error says nothing of the next link: WeChat refused this one, or was too busy.
func aboutOneLink(err error) bool {
	for _, code := range []Code{InvalidPath, InvalidQuery, InvalidExpiry, InvalidEnv, InvalidArgument, Upstream, Busy, Internal} {
		if errors.Is(err, code) {
			return true
		}
	}
	return false
}
