package broker

import (
	"context"
	"strconv"
	"time"
)

// A broker that does not know whether a link was stored, for the store had no time to say so, stores it again; and so it does with
// one that it had generated alone. Meanwhile another may have deleted the target's link, and none from before must come
// back. So who deletes a link leaves a note of when.

// deletionMemory is how long it is known: longer than any store is away while its brokers go on.
const deletionMemory = 24 * time.Hour

func deletionOf(key Key) string { return "deleted/" + key.String() }

// noteDeletion notes that the link of a key is about to be deleted. Whoever calls it has the key's turn.
func (b *Broker) noteDeletion(ctx context.Context, key Key) error {
	if b.leaser == nil {
		return nil
	}
	now := strconv.FormatInt(b.clock().UnixMilli(), 10)
	return b.leaser.PutNote(ctx, deletionOf(key), Note{Text: []byte(now), Life: deletionMemory})
}

// wasDeleted reports whether a link is from before its target's was deleted.
func (b *Broker) wasDeleted(ctx context.Context, link Link) (bool, error) {
	note, err := b.leaser.NoteOf(ctx, deletionOf(link.Key))
	if err != nil || note.Text == nil {
		return false, err
	}
	at, err := strconv.ParseInt(string(note.Text), 10, 64)
	if err != nil {
		return false, nil //nolint:nilerr // what cannot be read is no deletion
	}
	return link.GeneratedAt.UnixMilli() <= at, nil
}
