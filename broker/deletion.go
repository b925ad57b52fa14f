package broker

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A broker that does not know whether a link was stored, for the store had no time to say so, stores it again. Meanwhile another
// may have found it there and deleted it, and it must not come back. So who deletes a link leaves a note of it.

// deletionMemory is how long it is known: longer than any store is away while its brokers go on.
const deletionMemory = 24 * time.Hour

func deletionOf(link Link) string {
	return fmt.Sprintf("deleted/%s/%d", link.Key, link.GeneratedAt.UnixMilli())
}

// noteDeletion notes that the link of a key is about to be deleted. Whoever calls it has the key's turn.
func (b *Broker) noteDeletion(ctx context.Context, key Key) error {
	if b.leaser == nil {
		return nil
	}
	link, err := b.leaser.CurrentLink(ctx, key)
	if errors.Is(err, NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	turn, err := b.leaser.Lease(ctx, deletionOf(link))
	if err == nil && turn.Leave != nil {
		turn.leave(ctx, Note{Text: []byte("deleted"), Life: deletionMemory})
	}
	return err
}

// wasDeleted reports whether a link was deleted at another broker.
func (b *Broker) wasDeleted(ctx context.Context, link Link) (bool, error) {
	turn, err := b.leaser.Lease(ctx, deletionOf(link))
	if err == nil && turn.Leave != nil {
		turn.leave(ctx, Note{})
	}
	return turn.Note.Text != nil, err
}
