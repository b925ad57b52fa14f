package cache

import (
	"context"
	"errors"

	bolt "go.etcd.io/bbolt"

	"linkbroker/broker"
)

// errMissing says that a bucket has no record under a key, or only a damaged one.
var errMissing = errors.New("nothing is stored")

// Link finds one link.
func (b *Bolt) Link(ctx context.Context, key broker.Key) (broker.Link, error) {
	if err := ctx.Err(); err != nil {
		return broker.Link{}, failed("reading a link", err)
	}
	var link broker.Link
	err := b.view(func(tx *bolt.Tx) (err error) {
		link, err = readLink(tx, key)
		return err
	})
	switch _, damaged := errors.AsType[damage](err); {
	case damaged:
		b.skip(bucketLinks, key[:], err)
		return broker.Link{}, noLink(key)
	case errors.Is(err, errMissing):
		return broker.Link{}, noLink(key)
	case err != nil:
		return broker.Link{}, failed("reading a link", err)
	}
	return link, nil
}

// PutLink stores a link. What it replaces may be damaged: then its places in the indexes are not known, and stay behind
// leading nowhere. PurgeLinks takes those of ends away, a backup, a restore and compacting all of them.
func (b *Bolt) PutLink(ctx context.Context, link broker.Link) error {
	record, err := encodeLink(link) // here, and not while everybody else's writes wait
	if err != nil {
		return failed("storing a link", err)
	}
	return b.write(ctx, "storing a link", func(tx *bolt.Tx) (bool, error) {
		old, err := readLink(tx, link.Key)
		if err != nil {
			if err := tx.Bucket(bucketLinks).Put(link.Key[:], record); err != nil {
				return false, err
			}
			return true, enlist(tx, link)
		}
		if err := unlist(tx, old); err != nil {
			return false, err
		}
		return true, writeLink(tx, link.Replacing(old))
	})
}

// PinLink sets or takes away the pin.
func (b *Bolt) PinLink(ctx context.Context, key broker.Key, pinned bool) error {
	found := false
	err := b.write(ctx, "pinning a link", func(tx *bolt.Tx) (bool, error) {
		link, err := readLink(tx, key)
		found = err == nil
		if !found || link.Pinned == pinned {
			return false, nil
		}
		link.Pinned = pinned
		return true, writeRecord(tx, link)
	})
	if err == nil && !found {
		return noLink(key)
	}
	return err
}

// DeleteLink forgets one link. A damaged record is deleted too, but was no link.
func (b *Bolt) DeleteLink(ctx context.Context, key broker.Key) error {
	found := false
	err := b.write(ctx, "deleting a link", func(tx *bolt.Tx) (bool, error) {
		link, err := readLink(tx, key)
		found = err == nil
		if errors.Is(err, errMissing) {
			return false, nil
		}
		if found {
			if err := unlist(tx, link); err != nil {
				return false, err
			}
		}
		return true, tx.Bucket(bucketLinks).Delete(key[:])
	})
	if err == nil && !found {
		return noLink(key)
	}
	return err
}

// TouchLinks adds uses, all in one transaction.
func (b *Bolt) TouchLinks(ctx context.Context, uses []broker.Use) error {
	return b.write(ctx, "counting uses", func(tx *bolt.Tx) (bool, error) {
		changed := false
		for _, use := range uses {
			link, err := readLink(tx, use.Key)
			if err != nil {
				continue
			}
			if err := writeRecord(tx, link.Touched(use)); err != nil {
				return false, err
			}
			changed = true
		}
		return changed, nil
	})
}

// readLink gives errMissing or a damage if there is no link.
func readLink(tx *bolt.Tx, key broker.Key) (broker.Link, error) {
	record := tx.Bucket(bucketLinks).Get(key[:])
	if record == nil {
		return broker.Link{}, errMissing
	}
	return decodeLink(key, record)
}

// writeLink stores a link and its places in the indexes.
func writeLink(tx *bolt.Tx, link broker.Link) error {
	if err := writeRecord(tx, link); err != nil {
		return err
	}
	return enlist(tx, link)
}

// writeRecord stores a link whose end and URL have not changed.
func writeRecord(tx *bolt.Tx, link broker.Link) error {
	record, err := encodeLink(link)
	if err != nil {
		return err
	}
	return tx.Bucket(bucketLinks).Put(link.Key[:], record)
}
