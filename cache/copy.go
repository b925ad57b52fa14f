package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

const (
	// copyBite is how many entries one write transaction of a copy takes.
	copyBite = 16 * pageSize

	// copyPause is how long a copy rests after each bite while the store is being used, about as long as the bite took: where
	// processors are scarce, callers wait for one that never rests.
	copyPause = 20 * time.Millisecond

	// copyFill leaves room on each page: filled to the brim, each would be split by the next link put on it.
	copyFill = 0.9
)

// Copied says what a copy of a store holds.
type Copied struct {
	Links   int // in the copy
	Aliases int // in the copy
	Dropped int // damaged records that were left out
}

// copyStore copies a store that others may be writing to into an empty file, page by page: a single read
// transaction would keep every page that is replaced meanwhile from being used again, and let the file grow
// manyfold. The pages are thus of different moments. That harms nothing, for each link stands for itself and the
// indexes are made to agree with the links in the end. The ledger comes last, so that it knows of every link.
func copyStore(ctx context.Context, from viewer, to *bolt.DB, pause time.Duration, progress func(links int)) (Copied, error) {
	var copied Copied
	var names [][]byte
	err := from(func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, _ *bolt.Bucket) error {
			if !bytes.Equal(name, bucketLedger) {
				names = append(names, bytes.Clone(name))
			}
			return nil
		})
	})
	if err != nil {
		return copied, err
	}
	c := copier{from: from, to: to, pause: pause, copied: &copied, progress: progress, doubts: newDoubts()}
	for _, name := range append(names, bucketLedger) {
		if err := c.copyBucket(ctx, name); err != nil {
			return copied, fmt.Errorf("copying %s: %w", name, err)
		}
	}
	return copied, c.reconcile(ctx)
}

type copier struct {
	from     viewer
	to       *bolt.DB
	pause    time.Duration // after each bite
	copied   *Copied
	progress func(links int)
	doubts   doubts
}

func (c *copier) copyBucket(ctx context.Context, name []byte) error {
	for place, more := []byte(nil), true; more; {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := c.to.Update(func(tx *bolt.Tx) error {
			bucket, err := tx.CreateBucketIfNotExists(name)
			if err != nil {
				return err
			}
			bucket.FillPercent = copyFill
			place, more, err = c.copyBite(bucket, name, place)
			return err
		})
		if err != nil {
			return err
		}
		if c.progress != nil {
			c.progress(c.copied.Links)
		}
		if more {
			rest(ctx, c.pause)
		}
	}
	return nil
}

// rest waits for a while, or until ctx ends.
func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// copyBite copies what lies behind a place. The two files are different, so that the read transactions may be inside
// the write transaction.
func (c *copier) copyBite(to *bolt.Bucket, name, place []byte) (last []byte, more bool, err error) {
	for range copyBite / pageSize {
		var putErr error
		last, err := readPage(c.from, name, place, pageSize, func(_ *bolt.Tx, key, value []byte) bool {
			if c.keep(name, key, value) {
				putErr = putCopy(to, name, key, value)
			}
			return putErr == nil
		})
		if err != nil || putErr != nil || last == nil {
			return place, false, errors.Join(err, putErr)
		}
		place = last
	}
	return place, true, nil
}

// putCopy puts an element into a bucket. The entries of an index are put one by one, however they were written.
func putCopy(to *bolt.Bucket, name, key, value []byte) error {
	at := slices.IndexFunc(indexes[:], func(i index) bool { return bytes.Equal(i.bucket, name) })
	if at < 0 {
		return to.Put(key, bytes.Clone(value))
	}
	for entry := range indexes[at].entries(key, value) {
		if len(entry) != indexes[at].size {
			continue
		}
		if err := indexes[at].put(to, entry); err != nil {
			return err
		}
	}
	return nil
}

// keep leaves damaged records out: they are missing anyway, and whoever restores the copy need not be told. Those of
// the ledger are no less there for being damaged: without them nothing would count as spent.
func (c *copier) keep(name, key, value []byte) bool {
	switch {
	case bytes.Equal(name, bucketLedger):
	case c.doubts.read(name, key, value) != nil:
		c.copied.Dropped++
		return false
	case bytes.Equal(name, bucketLinks):
		c.copied.Links++
	case bytes.Equal(name, bucketAliases):
		c.copied.Aliases++
	}
	return true
}

// reconcile makes the copy's indexes agree with its links.
func (c *copier) reconcile(ctx context.Context) error {
	for _, d := range c.doubts {
		if !d.any() {
			continue
		}
		for beginning := range d.beginnings() {
			if err := c.repair(ctx, d.index, bucketLinks, beginning, d.index.unlisted, d.index.put); err != nil {
				return err
			}
		}
		nowhere := func(tx *bolt.Tx, key, value []byte) [][]byte { return d.index.leadingNowhere(tx, key, value, d.about) }
		if err := c.repair(ctx, d.index, d.index.bucket, nil, nowhere, d.index.delete); err != nil {
			return err
		}
	}
	return nil
}

// repair walks over those keys of a bucket of the copy that have a beginning, and mends the entries of an index that wrong
// points out.
func (c *copier) repair(
	ctx context.Context, index index, name, beginning []byte, wrong func(tx *bolt.Tx, key, value []byte) [][]byte,
	mend func(b *bolt.Bucket, entry []byte) error,
) error {
	for place := beginning; ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		var entries [][]byte
		last, err := readPage(c.to.View, name, place, copyBite, func(tx *bolt.Tx, key, value []byte) bool {
			if !bytes.HasPrefix(key, beginning) {
				return false
			}
			entries = append(entries, wrong(tx, key, value)...)
			return true
		})
		if err != nil || last == nil {
			return err
		}
		place = last
		if len(entries) == 0 {
			continue
		}
		err = c.to.Update(func(tx *bolt.Tx) error {
			for _, entry := range entries {
				if err := mend(tx.Bucket(index.bucket), entry); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
}

// unlisted gives the entry that a link should have and has not.
func (i index) unlisted(tx *bolt.Tx, key, record []byte) [][]byte {
	link, err := readRecord(key, record)
	if err != nil {
		return nil
	}
	entry := i.entry(link)
	if i.has(tx.Bucket(i.bucket), entry) {
		return nil
	}
	return [][]byte{entry}
}

// leadingNowhere gives those entries of a key and its value that lead to no link, if there is doubt about them.
func (i index) leadingNowhere(tx *bolt.Tx, key, value []byte, doubt func(entry []byte) bool) (lost [][]byte) {
	for entry := range i.entries(key, value) {
		if !doubt(entry) {
			continue
		}
		if _, err := i.follow(tx, entry); err != nil {
			lost = append(lost, bytes.Clone(entry))
		}
	}
	return lost
}
