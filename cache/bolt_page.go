package cache

import (
	"bytes"
	"context"

	bolt "go.etcd.io/bbolt"
)

// pageSize is how many entries one read transaction gives: enough to be cheap, few enough to hold nobody up.
const pageSize = 256

// viewer runs a read transaction.
type viewer func(func(*bolt.Tx) error) error

// readPage visits up to limit entries of a bucket behind a key in one short read transaction, and gives the key of
// the last: nil if there was none. What visit is given is gone when it returns; it may end the page with false. Keys
// out of order are an error: from a page that a lost write left in its past the walk would come by here for ever.
func readPage(
	view viewer, bucket, after []byte, limit int, visit func(tx *bolt.Tx, key, value []byte) bool,
) (last []byte, err error) {
	err = view(func(tx *bolt.Tx) error {
		c := tx.Bucket(bucket).Cursor()
		place := after
		key, value := seekAfter(c, after)
		for n := 0; key != nil && n < limit; n++ {
			if place != nil && bytes.Compare(key, place) <= 0 {
				return damagedPage
			}
			if !visit(tx, key, value) {
				break
			}
			place, last = key, key
			key, value = c.Next()
		}
		last = bytes.Clone(last) // nil stays nil
		return nil
	})
	return last, err
}

// seekAfter gives the first entry behind a key; nil is before the first.
func seekAfter(c *bolt.Cursor, after []byte) (key, value []byte) {
	if after == nil {
		return c.First()
	}
	if key, value = c.Seek(after); bytes.Equal(key, after) {
		return c.Next()
	}
	return key, value
}

// list gives up to limit records of a bucket behind a key, in the order of their keys. A damaged one is passed over,
// and another takes its place: a short list means that the end is reached.
func list[T any](
	ctx context.Context, b *Bolt, bucket, after []byte, limit int, decode func(key, record []byte) (T, error),
) ([]T, error) {
	var items []T
	for place := after; len(items) < limit; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		last, err := readPage(b.view, bucket, place, min(pageSize, limit-len(items)), func(_ *bolt.Tx, key, record []byte) bool {
			item, err := decode(key, record)
			if err != nil {
				b.skip(bucket, key, err)
			} else {
				items = append(items, item)
			}
			return true
		})
		if err != nil {
			return nil, err
		}
		if last == nil {
			break
		}
		place = last
	}
	return items, nil
}
