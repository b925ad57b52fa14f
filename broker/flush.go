package broker

import (
	"context"
	"errors"
)

// Flush writes the uses counted in memory and tries again to store the links that could not be stored. What cannot
// be written is kept for the next time.
func (b *Broker) Flush(ctx context.Context) (Counts, error) {
	counts := Counts{}
	err := b.storeAgain(ctx, counts)
	taken := b.uses.take()
	if len(taken) == 0 {
		return counts, err
	}
	if touchErr := b.store.TouchLinks(ctx, taken); touchErr != nil {
		for _, use := range taken {
			b.uses.add(use)
		}
		return counts, errors.Join(err, touchErr)
	}
	counts["touched"] = len(taken)
	return counts, err
}

func (b *Broker) storeAgain(ctx context.Context, counts Counts) error {
	for _, link := range b.unstored.all() {
		if link.Outlives(b.clock()) {
			if err := b.store.PutLink(ctx, link); err != nil {
				return err // the disk is still full: the others would fail as well
			}
			counts["stored"]++
		}
		b.unstored.stored(link)
	}
	return nil
}
