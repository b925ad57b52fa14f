package cache

import (
	"context"
	"math"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"linkbroker/broker"
)

// Layer answers hot links of another store from memory: a hit waits for no disk and no writer. It keeps what it has
// read, never what it was given, and forgets a link when it is written. Everything else goes through.
//
// The store below must return from a write only when its outcome is known. The layer itself waits no longer than the
// context: a write whose context has ended may still take effect.
type Layer struct {
	broker.Store

	links   *otter.Cache[broker.Key, *broker.Link] // the links are immutable
	stripes [512]stripe                            // by key
	purged  atomic.Int64                           // links that ended in this second or before may be gone
	writes  gate
}

// NewLayer puts a layer of so many links in front of a store. One with much text counts as several: see weight.
func NewLayer(store broker.Store, links int) *Layer {
	l := &Layer{
		Store: store,
		links: otter.Must(&otter.Options[broker.Key, *broker.Link]{
			MaximumWeight: uint64(links), //nolint:gosec // not below 0
			Weigher:       weight,
		}),
	}
	l.purged.Store(math.MinInt64)
	return l
}

// weight is what a link counts for: one, and one more for each KiB of its texts. Callers choose how long they are, and shall
// not choose how much memory there is to be.
func weight(_ broker.Key, link *broker.Link) uint32 {
	t := &link.Target
	texts := len(t.Path) + len(t.Query) + len(t.Scope) + len(t.Title) + len(t.Extra) + len(link.URL) + len(link.Extra) + len(link.Recent)
	if c := t.CloudBase; c != nil {
		texts += len(c.Env) + len(c.Domain) + len(c.Path) + len(c.Query) + len(c.ResourceAppID) + len(c.Extra)
	}
	return uint32(1 + texts/1024) //nolint:gosec // a record is far shorter than 4 TiB
}

// Link finds one link.
func (l *Layer) Link(ctx context.Context, key broker.Key) (broker.Link, error) {
	if link, ok := l.links.GetIfPresent(key); ok && !l.mayBePurged(link) {
		return *link, nil
	}
	s := l.stripe(key)
	generation := s.begun()
	link, err := l.Store.Link(ctx, key)
	if err == nil && !l.mayBePurged(&link) {
		s.ifUnwritten(generation, func() { l.links.Set(key, &link) })
	}
	return link, err
}

func (l *Layer) mayBePurged(link *broker.Link) bool { return link.ExpiresAt.Unix() <= l.purged.Load() }

// Cached is about how many links memory holds.
func (l *Layer) Cached() int { return l.links.EstimatedSize() }

// PutLink stores a link.
func (l *Layer) PutLink(ctx context.Context, link broker.Link) error {
	return l.change(ctx, link.Key, func() error { return l.Store.PutLink(ctx, link) })
}

// PinLink sets or takes away the pin.
func (l *Layer) PinLink(ctx context.Context, key broker.Key, pinned bool) error {
	return l.change(ctx, key, func() error { return l.Store.PinLink(ctx, key, pinned) })
}

// DeleteLink forgets one link.
func (l *Layer) DeleteLink(ctx context.Context, key broker.Key) error {
	return l.change(ctx, key, func() error { return l.Store.DeleteLink(ctx, key) })
}

// change writes one link and forgets it in memory, whether or not the write went well.
func (l *Layer) change(ctx context.Context, key broker.Key, write func() error) error {
	_, err := apart(ctx, l, func() (struct{}, error) {
		s := l.stripe(key)
		s.begin()
		defer s.end(func() { l.links.Invalidate(key) })
		return struct{}{}, write()
	})
	return err
}

// TouchLinks adds uses. The links are counted up in memory too, rather than forgotten: they are the hottest.
func (l *Layer) TouchLinks(ctx context.Context, uses []broker.Use) error {
	_, err := apart(ctx, l, func() (struct{}, error) {
		for _, use := range uses {
			l.stripe(use.Key).begin()
		}
		err := l.Store.TouchLinks(ctx, uses)
		for _, use := range uses {
			l.stripe(use.Key).end(func() { l.touch(use, err) })
		}
		return struct{}{}, err
	})
	return err
}

func (l *Layer) touch(use broker.Use, err error) {
	entry, ok := l.links.GetEntryQuietly(use.Key)
	if !ok || err != nil {
		return
	}
	touched := entry.Value.Touched(use)
	l.links.Set(use.Key, &touched)
}

// PurgeLinks deletes links that have ended. Which of them, it does not say: so from now on memory answers for none.
func (l *Layer) PurgeLinks(ctx context.Context, before time.Time, limit int) (int, error) {
	if old := l.purged.Swap(before.Unix()); before.Unix() < old {
		l.links.InvalidateAll() // the clock was set back: what is in memory may have been purged by its old time
	}
	return apart(ctx, l, func() (int, error) { return l.Store.PurgeLinks(ctx, before, limit) })
}

// ReserveQuota takes units of quota. If the context ends first, they may be taken for nothing.
func (l *Layer) ReserveQuota(ctx context.Context, account, day string, n, limit int64) (granted, total int64, err error) {
	type quota struct{ granted, total int64 }
	q, err := apart(ctx, l, func() (q quota, err error) {
		q.granted, q.total, err = l.Store.ReserveQuota(ctx, account, day, n, limit)
		return q, err
	})
	return q.granted, q.total, err
}

// PutAlias stores an alias. If the context ends first, it may be stored all the same.
func (l *Layer) PutAlias(ctx context.Context, alias broker.Alias, replaces string) error {
	return l.pass(ctx, func() error { return l.Store.PutAlias(ctx, alias, replaces) })
}

// DeleteAlias forgets an alias.
func (l *Layer) DeleteAlias(ctx context.Context, slug, etag string) error {
	return l.pass(ctx, func() error { return l.Store.DeleteAlias(ctx, slug, etag) })
}

// AddStats adds counts. If the context ends first, they may be added all the same.
func (l *Layer) AddStats(ctx context.Context, stats []broker.Stat) error {
	return l.pass(ctx, func() error { return l.Store.AddStats(ctx, stats) })
}

// DeleteStats forgets a series.
func (l *Layer) DeleteStats(ctx context.Context, series string) error {
	return l.pass(ctx, func() error { return l.Store.DeleteStats(ctx, series) })
}

// PurgeStats deletes what was counted hour by hour before a moment.
func (l *Layer) PurgeStats(ctx context.Context, before time.Time, limit int) (int, error) {
	return apart(ctx, l, func() (int, error) { return l.Store.PurgeStats(ctx, before, limit) })
}

// pass writes what memory keeps nothing of.
func (l *Layer) pass(ctx context.Context, write func() error) error {
	_, err := apart(ctx, l, func() (struct{}, error) { return struct{}{}, write() })
	return err
}

// Close waits for the writes in flight and closes the store below.
func (l *Layer) Close() error {
	l.writes.close()
	return l.Store.Close()
}

// apart runs a write that outlives its caller: a disk that hangs shall not hang whoever has a deadline.
func apart[T any](ctx context.Context, l *Layer, write func() (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	var none T
	if !l.writes.enter() {
		return none, failed("writing", errClosed)
	}
	done := make(chan outcome, 1)
	go func() {
		defer l.writes.leave()
		value, err := write()
		done <- outcome{value, err}
	}()
	select {
	case o := <-done:
		return o.value, o.err
	case <-ctx.Done():
	}
	select {
	case o := <-done: // both at once: the outcome is the better answer
		return o.value, o.err
	default:
		return none, failed("waiting for a write", ctx.Err())
	}
}
