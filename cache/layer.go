package cache

import (
	"context"
	"encoding/binary"
	"hash/maphash"
	"math"
	"sync/atomic"
	"time"

	"linkbroker/broker"
)

// Layer answers hot links and aliases of another store from memory: a hit waits for no disk, no network and no writer. It keeps
// what it has read, never what it was given, and forgets it when it is written. Everything else goes through.
//
// Where others write to the store below as well, whoever is told of it says so with Forget and ForgetAlias. Once he may have
// missed something he says Doubt, which begins a new epoch: what was read before is asked for again on its next use, and answers
// only where the store cannot be asked.
//
// The layer itself waits no longer than the context: a write whose context has ended may still take effect. Over a store
// that nobody tells of changes, it must return from a write only when its outcome is known.
type Layer struct {
	broker.Store

	epoch   atomic.Uint64
	purging chan struct{} // has room while no links are purged
	purged  atomic.Int64  // links that ended in this second or before may be gone
	links   shelf[broker.Key, broker.Link]
	aliases shelf[string, broker.Alias]
	writes  gate
}

// NewLayer puts a layer of so many links, and a quarter as many aliases, in front of a store. One with much text counts as
// several.
func NewLayer(store broker.Store, links int) *Layer {
	seed := maphash.MakeSeed()
	l := &Layer{Store: store, purging: make(chan struct{}, 1)}
	l.links.hold(links, hashKey, weighLink)
	l.aliases.hold((links+3)/4, func(slug string) uint64 { return maphash.String(seed, slug) }, weighAlias)
	l.purged.Store(math.MinInt64)
	return l
}

// hashKey needs no more: a key is a hash.
func hashKey(key broker.Key) uint64 { return binary.LittleEndian.Uint64(key[:]) }

// weighLink says what a link counts for: one, and one more for each KiB of its texts. Callers choose how long they are, and
// shall not choose how much memory there is to be.
func weighLink(link *broker.Link) uint32 {
	return weight(textOf(&link.Target) + len(link.URL) + len(link.Extra) + len(link.Recent))
}

func weighAlias(alias *broker.Alias) uint32 {
	texts := textOf(&alias.Target) + len(alias.Slug) + len(alias.Title) + len(alias.FallbackURL)
	for _, tag := range alias.Tags {
		texts += len(tag)
	}
	return weight(texts)
}

func weight(texts int) uint32 { return uint32(1 + texts/1024) } //nolint:gosec // a record is far shorter than 4 TiB

func textOf(t *broker.Target) int {
	texts := len(t.Path) + len(t.Query) + len(t.Scope) + len(t.Title) + len(t.Extra)
	if c := t.CloudBase; c != nil {
		texts += len(c.Env) + len(c.Domain) + len(c.Path) + len(c.Query) + len(c.ResourceAppID) + len(c.Extra)
	}
	return texts
}

// Link finds one link.
func (l *Layer) Link(ctx context.Context, key broker.Key) (broker.Link, error) {
	old, _ := l.links.memory.GetIfPresent(key)
	if old != nil && old.epoch == l.epoch.Load() && !l.mayBePurged(&old.value) {
		return old.value, nil
	}
	return l.linkOr(ctx, key, old)
}

// linkOr asks the store below, and gives what was read in an earlier epoch where that cannot be asked.
func (l *Layer) linkOr(ctx context.Context, key broker.Key, old *kept[broker.Link]) (broker.Link, error) {
	link, err := l.CurrentLink(ctx, key)
	if old != nil && broker.CodeOf(err) == broker.StoreFailed && !l.mayBePurged(&old.value) {
		return old.value, nil
	}
	return link, err
}

// CurrentLink finds one link in the store below, and brings memory in line with it.
func (l *Layer) CurrentLink(ctx context.Context, key broker.Key) (broker.Link, error) {
	epoch := l.epoch.Load()
	return l.links.read(key, epoch,
		func() (broker.Link, error) { return l.Store.Link(ctx, key) },
		func(link *broker.Link) bool { return !l.mayBePurged(link) })
}

func (l *Layer) mayBePurged(link *broker.Link) bool { return link.ExpiresAt.Unix() <= l.purged.Load() }

// Alias finds one alias. That there is none is not kept: anybody can ask for slugs that nobody has given.
func (l *Layer) Alias(ctx context.Context, slug string) (broker.Alias, error) {
	epoch := l.epoch.Load()
	old, _ := l.aliases.memory.GetIfPresent(slug)
	if old != nil && old.epoch == epoch {
		return old.value, nil
	}
	alias, err := l.aliases.read(slug, epoch,
		func() (broker.Alias, error) { return l.Store.Alias(ctx, slug) },
		func(*broker.Alias) bool { return true })
	if old != nil && broker.CodeOf(err) == broker.StoreFailed {
		return old.value, nil
	}
	return alias, err
}

// Forget says that somebody else may have changed a link.
func (l *Layer) Forget(key broker.Key) { l.links.forget(key) }

// ForgetAlias says that somebody else may have changed an alias.
func (l *Layer) ForgetAlias(slug string) { l.aliases.forget(slug) }

// Doubt says that anything may have been changed.
func (l *Layer) Doubt() { l.epoch.Add(1) }

// Cached is about how many links memory holds.
func (l *Layer) Cached() int { return l.links.memory.EstimatedSize() }

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
	return l.pass(ctx, func() error { return l.links.write(key, write) })
}

// TouchLinks adds uses. The links are counted up in memory too, rather than forgotten: they are the hottest.
func (l *Layer) TouchLinks(ctx context.Context, uses []broker.Use) error {
	return l.pass(ctx, func() error {
		for _, use := range uses {
			l.links.stripe(use.Key).begin()
		}
		err := l.Store.TouchLinks(ctx, uses)
		for _, use := range uses {
			l.links.stripe(use.Key).end(func() { l.touch(use, err) })
		}
		return err
	})
}

func (l *Layer) touch(use broker.Use, err error) {
	entry, ok := l.links.memory.GetEntryQuietly(use.Key)
	if !ok || err != nil {
		return
	}
	old := entry.Value
	l.links.memory.Set(use.Key, &kept[broker.Link]{old.value.Touched(use), old.epoch})
}

// PurgeLinks deletes links that have ended. Which of them, it does not say: so from now on memory answers for none.
func (l *Layer) PurgeLinks(ctx context.Context, before time.Time, limit int) (int, error) {
	return apart(ctx, l, func() (int, error) {
		l.purging <- struct{}{} // the clock may have been set back amid a purge, whose time holds until it is over
		defer func() { <-l.purging }()
		if old := l.purged.Swap(before.Unix()); before.Unix() < old {
			l.Doubt() // what is in memory, or is being read, may have been purged by that time
		}
		return l.Store.PurgeLinks(ctx, before, limit)
	})
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
	return l.pass(ctx, func() error {
		return l.aliases.write(alias.Slug, func() error { return l.Store.PutAlias(ctx, alias, replaces) })
	})
}

// DeleteAlias forgets an alias.
func (l *Layer) DeleteAlias(ctx context.Context, slug, etag string) error {
	return l.pass(ctx, func() error {
		return l.aliases.write(slug, func() error { return l.Store.DeleteAlias(ctx, slug, etag) })
	})
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

// pass is apart for a write that says no more than how it went.
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
