package broker

import (
	"context"
	"errors"
	"slices"
)

// touchBite is how many uses are written at once: one transaction of 10,000 would hold up a miss for 90 ms.
const touchBite = 500

// Flush writes the uses counted in memory and tries again to store the links that could not be stored. What cannot
// be written is kept for the next time.
func (b *Broker) Flush(ctx context.Context) (Counts, error) {
	counts := Counts{}
	err := b.storeAgain(ctx, counts)
	taken := b.uses.take()
	for bite := range slices.Chunk(taken, touchBite) {
		if touchErr := b.store.TouchLinks(ctx, bite); touchErr != nil {
			for _, use := range taken[counts["touched"]:] {
				b.uses.add(use)
			}
			return counts, errors.Join(err, touchErr)
		}
		counts["touched"] += len(bite)
	}
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
