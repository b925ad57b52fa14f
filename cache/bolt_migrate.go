package cache

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// records gives a page of a bucket, in the order of the keys.
func (b *Bolt) records(ctx context.Context, kind Kind, place []byte, about int) (page []record, next []byte, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, failed("reading records", err)
	}
	next, err = readPage(b.view, []byte(kind), place, about, func(_ *bolt.Tx, key, value []byte) bool {
		page = append(page, record{bytes.Clone(key), bytes.Clone(value)})
		return true
	})
	return page, next, failed("reading records", err)
}

// putRecords stores records and the mark in one transaction.
func (b *Bolt) putRecords(ctx context.Context, kind Kind, page []record, mark []byte) error {
	return b.write(ctx, "writing records", func(tx *bolt.Tx) (bool, error) {
		if kind == kindLinks {
			if err := enlistAll(tx, page); err != nil {
				return false, err
			}
		}
		bucket := tx.Bucket([]byte(kind))
		bucket.FillPercent = copyFill
		for _, r := range page {
			if err := bucket.Put(r.key, r.value); err != nil {
				return false, err
			}
		}
		if last := len(page) - 1; kind == kindAudit && last >= 0 {
			id := binary.BigEndian.Uint64(page[last].key) // none is given twice
			if err := bucket.SetSequence(max(id, bucket.Sequence())); err != nil {
				return false, err
			}
		}
		if mark == nil {
			return true, tx.Bucket(bucketMeta).Delete(metaMoved)
		}
		return true, tx.Bucket(bucketMeta).Put(metaMoved, mark)
	})
}

// enlistAll puts links into the indexes, out of which it takes those they replace. An index is far larger than what is put at
// once: in its own order each of its pages is looked for once.
func enlistAll(tx *bolt.Tx, page []record) error {
	var entries [len(indexes)][][]byte
	for _, r := range page {
		link, err := readRecord(r.key, r.value)
		if err != nil {
			return err
		}
		if old, err := readLink(tx, link.Key); err == nil {
			if err := unlist(tx, old); err != nil {
				return err
			}
		}
		for i, index := range indexes {
			entries[i] = append(entries[i], index.entry(link))
		}
	}
	for i, index := range indexes {
		slices.SortFunc(entries[i], bytes.Compare)
		bucket := tx.Bucket(index.bucket)
		for _, entry := range entries[i] {
			if index.split != nil {
				index.split(bucket, entry)
			}
			if err := index.put(bucket, entry); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *Bolt) mark(context.Context) (mark []byte, err error) {
	err = b.view(func(tx *bolt.Tx) error {
		mark = bytes.Clone(tx.Bucket(bucketMeta).Get(metaMoved)) // nil stays nil
		return nil
	})
	return mark, failed("reading the store's state", err)
}

func (b *Bolt) count(ctx context.Context, kind Kind) (n int, err error) {
	err = visitAll(ctx, b.view, []byte(kind), nil, func(*bolt.Tx, []byte, []byte) { n++ })
	return n, failed("counting records", err)
}

// identity is another one after each change: the file counts its transactions.
func (b *Bolt) identity(context.Context) (id string, err error) {
	err = b.view(func(tx *bolt.Tx) error {
		_, first := tx.Bucket(bucketLinks).Cursor().First()
		_, blob := tx.Bucket(bucketBlobs).Cursor().First()
		id = fmt.Sprintf("bolt %d %d %08x", tx.ID(), tx.Size(), crc32.Update(crc32.Checksum(first, castagnoli), castagnoli, blob))
		return nil
	})
	return id, failed("reading the store's state", err)
}
