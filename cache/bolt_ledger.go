package cache

import (
	"bytes"
	"context"

	bolt "go.etcd.io/bbolt"
)

// ReserveQuota takes units for an account on a day. A damaged count is an error: to begin again at 0 could overspend.
func (b *Bolt) ReserveQuota(ctx context.Context, account, day string, n, limit int64) (granted, total int64, err error) {
	var taken, reserved int64
	err = b.write(ctx, "reserving quota", func(tx *bolt.Tx) (bool, error) {
		var err error
		if reserved, err = readCount(tx, ledgerKey(account, day)); err != nil {
			return false, err
		}
		if taken = reserve(reserved, n, limit); taken == 0 {
			return false, nil
		}
		reserved += taken
		return true, writeCount(tx, ledgerKey(account, day), reserved)
	})
	if err != nil {
		return 0, 0, err
	}
	return taken, reserved, nil
}

// ReservedQuota says how much is reserved.
func (b *Bolt) ReservedQuota(_ context.Context, account, day string) (int64, error) {
	var reserved int64
	err := b.view(func(tx *bolt.Tx) (err error) {
		reserved, err = readCount(tx, ledgerKey(account, day))
		return err
	})
	return reserved, failed("reading the ledger", err)
}

// PurgeQuota forgets the days before the one given.
func (b *Bolt) PurgeQuota(ctx context.Context, before string) error {
	return b.write(ctx, "purging the ledger", func(tx *bolt.Tx) (bool, error) {
		ledger := tx.Bucket(bucketLedger)
		var past [][]byte // a cursor would lose its place by deleting
		c := ledger.Cursor()
		for key, _ := c.First(); key != nil && string(key) < before; key, _ = c.Next() {
			past = append(past, bytes.Clone(key))
		}
		for _, key := range past {
			if err := ledger.Delete(key); err != nil {
				return false, err
			}
		}
		return len(past) > 0, nil
	})
}

func readCount(tx *bolt.Tx, key []byte) (int64, error) {
	return decodeCount(key, tx.Bucket(bucketLedger).Get(key))
}

func writeCount(tx *bolt.Tx, key []byte, n int64) error {
	return tx.Bucket(bucketLedger).Put(key, encodeCount(key, n))
}
