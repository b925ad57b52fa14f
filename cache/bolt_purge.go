package cache

import (
	"context"
	"errors"
	"time"

	bolt "go.etcd.io/bbolt"
)

// purgeBite is how many links one write transaction deletes. Links that end together lie anywhere in the file, each
// on a page of its own, and while those are written nobody else's write is: 200 hold the writer for about 25 ms.
const purgeBite = 200

// purgeFill has bolt join a page with its neighbour that is less than half as full as this: with bolt's own 0.5, links that
// come and go leave pages that are hardly more than half full.
const purgeFill = 0.8

// PurgeLinks deletes links that have ended. The pages of a bite are read before its write transaction begins, so
// that a slow disk holds up nobody either.
func (b *Bolt) PurgeLinks(ctx context.Context, before time.Time, limit int) (int, error) {
	purged := 0
	for place := []byte(nil); purged < limit; {
		ends, err := b.readEnds(place, before.Unix(), min(purgeBite, limit-purged))
		if err != nil {
			return purged, failed("purging links", err)
		}
		if len(ends) == 0 {
			break
		}
		n, err := b.purge(ctx, ends, before)
		purged += n
		if err != nil {
			return purged, err
		}
		place = ends[len(ends)-1].entry
	}
	return purged, nil
}

// purge deletes those of the ends that lie before a moment, and the entries that lead nowhere.
func (b *Bolt) purge(ctx context.Context, ends []end, before time.Time) (int, error) {
	purged := 0
	err := b.write(ctx, "purging links", func(tx *bolt.Tx) (bool, error) {
		purged = 0
		changed := false
		tx.Bucket(bucketLinks).FillPercent = purgeFill
		for _, end := range ends {
			link, lost := readEnd(tx, end.entry) // again: it may have been renewed since
			if lost == nil && !link.ExpiresAt.Before(before) {
				continue
			}
			if lost == nil {
				if err := unlist(tx, link); err != nil {
					return false, err
				}
			}
			if err := deleteEnd(tx, end.entry, lost); err != nil {
				return false, err
			}
			changed = true
			if lost == nil {
				purged++
			}
		}
		return changed, nil
	})
	return purged, err
}

// deleteEnd deletes an entry of the order of ends, and the record it leads to unless that is another link's.
func deleteEnd(tx *bolt.Tx, entry []byte, lost error) error {
	if _, key, ok := splitExpiryKey(entry); ok && !errors.Is(lost, errMissing) {
		if err := tx.Bucket(bucketLinks).Delete(key[:]); err != nil {
			return err
		}
	}
	return tx.Bucket(bucketExpiry).Delete(entry)
}
