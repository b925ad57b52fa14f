package cache

import (
	"bytes"
	"context"
	"errors"

	bolt "go.etcd.io/bbolt"

	"linkbroker/broker"
)

// Blob gives a small named value. A damaged one is missing: whoever stored it makes a new one.
func (b *Bolt) Blob(_ context.Context, name string) ([]byte, error) {
	key := []byte(name)
	var value []byte
	err := b.view(func(tx *bolt.Tx) error {
		record := tx.Bucket(bucketBlobs).Get(key)
		if record == nil {
			return errMissing
		}
		body, err := unseal(key, record)
		value = bytes.Clone(body)
		return err
	})
	_, damaged := errors.AsType[damage](err)
	if damaged {
		b.skip(bucketBlobs, key, err)
	}
	if damaged || errors.Is(err, errMissing) {
		return nil, broker.Errorf(broker.NotFound, "nothing is stored under the name %q", name)
	}
	return value, failed("reading a value", err)
}

// AddBlob stores a small named value unless there is one. A damaged one is none.
func (b *Bolt) AddBlob(ctx context.Context, name string, value []byte) (kept []byte, err error) {
	key := []byte(name)
	record := sealBody(key, value)
	err = b.write(ctx, "storing a value", func(tx *bolt.Tx) (bool, error) {
		blobs := tx.Bucket(bucketBlobs)
		if body, err := unseal(key, blobs.Get(key)); err == nil {
			kept = bytes.Clone(body)
			return false, nil
		}
		kept = bytes.Clone(value)
		return true, blobs.Put(key, record)
	})
	if err != nil {
		return nil, err
	}
	return kept, nil
}

// PutBlob stores a small named value.
func (b *Bolt) PutBlob(ctx context.Context, name string, value []byte) error {
	key := []byte(name)
	record := sealBody(key, value)
	return b.write(ctx, "storing a value", func(tx *bolt.Tx) (bool, error) {
		return true, tx.Bucket(bucketBlobs).Put(key, record)
	})
}
