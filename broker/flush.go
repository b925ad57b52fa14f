package broker

import (
	"context"
	"errors"
	"slices"
)

// touchBite is how many uses are written at once: one transaction of 10,000 would hold up a miss for 90 ms.
const touchBite = 500

// usesAtOnce is about how many uses a flush writes. Where a hundred thousand links are in use, to write them all every few
// seconds would take more of the machine than to answer with them.
const usesAtOnce = 5000

// Flush writes the uses and visits counted in memory and tries again to store the links that could not be stored. What cannot
// be written is kept for the next time, and so are uses beyond some thousands: those of others have their turn then.
func (b *Broker) Flush(ctx context.Context) (Counts, error) { return b.flush(ctx, usesAtOnce) }

func (b *Broker) flush(ctx context.Context, uses int) (Counts, error) {
	counts := Counts{}
	err := errors.Join(b.storeAgain(ctx, counts), b.flushVisits(ctx, counts), b.flushHistory(ctx))
	taken := b.uses.take(uses)
	for bite := range slices.Chunk(taken, touchBite) {
		if touchErr := b.touch(ctx, bite); touchErr != nil {
			for _, use := range taken[counts["touched"]:] {
				b.uses.add(use)
			}
			return counts, errors.Join(err, touchErr)
		}
		counts["touched"] += len(bite)
	}
	return counts, err
}

// touch writes a bite of uses, for its asker or without: a write that is given up may take effect all the same, and
// the uses would be counted twice.
func (b *Broker) touch(ctx context.Context, bite []Use) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storePatience)
	defer cancel()
	return b.store.TouchLinks(ctx, bite)
}

// storeAgain stores what could not be stored. It takes the key's turn at the door, so that no renewal and no deletion
// comes between looking and writing; a key whose turn somebody else has is left for the next time.
func (b *Broker) storeAgain(ctx context.Context, counts Counts) error {
	for _, link := range b.unstored.all() {
		leave, err := b.tryTurn(ctx, link.Key)
		switch {
		case err != nil:
			return err // the store is away, and so it is for the others
		case leave == nil:
			continue
		}
		err = b.storeNow(ctx, link.Key, counts)
		leave()
		if err != nil {
			return err // the disk is still full: the others would fail as well
		}
	}
	return nil
}

func (b *Broker) storeNow(ctx context.Context, key Key, counts Counts) error {
	link, ok := b.unstored.get(key)
	if !ok {
		return nil
	}
	put, superseded, err := b.toStore(ctx, link)
	if err != nil {
		return err
	}
	if link.Outlives(b.clock()) && !superseded {
		if err := b.store.PutLink(ctx, put); err != nil {
			return err
		}
		counts["stored"]++
	}
	b.unstored.stored(link)
	return nil
}

// toStore gives the link as it is to be stored, unless another broker has stored a later one since, or deleted it. What is there
// already was not known to be stored, so it is stored again, as it is by now: another broker may have corrected its end.
func (b *Broker) toStore(ctx context.Context, link Link) (put Link, superseded bool, err error) {
	if b.leaser == nil {
		return link, false, nil
	}
	stored, err := b.leaser.CurrentLink(ctx, link.Key)
	switch {
	case errors.Is(err, NotFound):
		superseded, err = b.wasDeleted(ctx, link)
		return link, superseded, err
	case err != nil:
		return Link{}, false, err
	case stored.GeneratedAt.Equal(link.GeneratedAt):
		return stored.withoutHistory(), false, nil
	default:
		return link, stored.GeneratedAt.After(link.GeneratedAt), nil
	}
}
