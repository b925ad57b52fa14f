package cache

import (
	"context"
	"errors"
	"iter"
	"time"

	bolt "go.etcd.io/bbolt"

	"linkbroker/broker"
)

// ListLinks gives a page of links in the order of their keys.
func (b *Bolt) ListLinks(ctx context.Context, after broker.Key, limit int) ([]broker.Link, error) {
	var place []byte
	if after != (broker.Key{}) {
		place = after[:]
	}
	links, err := list(ctx, b, bucketLinks, place, limit, readRecord)
	return links, failed("listing links", err)
}

// readRecord reads an entry of the links bucket, whose key may be damaged as well.
func readRecord(key, record []byte) (broker.Link, error) {
	if len(key) != len(broker.Key{}) {
		return broker.Link{}, damagedForm
	}
	return decodeLink(broker.Key(key), record)
}

// ExpiringLinks walks over the links that end in a stretch of time.
func (b *Bolt) ExpiringLinks(ctx context.Context, from, to time.Time) iter.Seq2[broker.Link, error] {
	return func(yield func(broker.Link, error) bool) {
		for place := endsFrom(from); ; {
			if err := ctx.Err(); err != nil {
				yield(broker.Link{}, failed("walking over the links", err))
				return
			}
			ends, err := b.readEnds(place, to.Unix()-1, pageSize)
			if err != nil {
				yield(broker.Link{}, failed("walking over the links", err))
				return
			}
			if len(ends) == 0 {
				return
			}
			for _, end := range ends {
				if end.err == nil && !yield(end.link, nil) {
					return
				}
			}
			place = ends[len(ends)-1].entry
		}
	}
}

// end is one entry of the order of ends, and the link that ends there. With an err there is none: its record is
// damaged or gone, or the link has another end by now.
type end struct {
	entry []byte
	link  broker.Link
	err   error
}

// endsFrom is the place just before the first end at a moment or after it.
func endsFrom(from time.Time) []byte {
	if from.Unix() <= 0 {
		return nil
	}
	return expiryKey(from, broker.Key{})[:8]
}

// readEnds gives a page of the order of ends: what lies behind a place, up to the second last.
func (b *Bolt) readEnds(place []byte, last int64, limit int) (ends []end, err error) {
	_, err = readPage(b.view, bucketExpiry, place, limit, func(tx *bolt.Tx, entry, _ []byte) bool {
		if second, _, ok := splitExpiryKey(entry); ok && second > last {
			return false
		}
		link, err := readEnd(tx, entry)
		if _, damaged := errors.AsType[damage](err); damaged {
			b.skip(bucketExpiry, entry, err)
		}
		ends = append(ends, end{entry: append([]byte(nil), entry...), link: link, err: err})
		return true
	})
	return ends, err
}

// readEnd gives the link of an entry of the order of ends, if it still ends there.
func readEnd(tx *bolt.Tx, entry []byte) (broker.Link, error) {
	second, key, ok := splitExpiryKey(entry)
	if !ok {
		return broker.Link{}, damagedForm
	}
	link, err := readLink(tx, key)
	if err == nil && link.ExpiresAt.Unix() != second {
		err = errMissing
	}
	return link, err
}
