package cache

import (
	"context"
	"math"

	bolt "go.etcd.io/bbolt"

	"linkbroker/broker"
)

// PutClient stores a client in place of the one whose ETag is given. What is damaged has no ETag, and is replaced like
// nothing.
func (b *Bolt) PutClient(ctx context.Context, client broker.Client, replaces string) error {
	record, err := encodeClient(client)
	if err != nil {
		return failed("storing a client", err)
	}
	key, overtaken := []byte(client.Name), false
	err = b.write(ctx, "storing a client", func(tx *bolt.Tx) (bool, error) {
		clients := tx.Bucket(bucketClients)
		if overtaken = clientETagIn(key, clients.Get(key)) != replaces; overtaken {
			return false, nil // rather than an error, which would undo what is committed beside it
		}
		return true, clients.Put(key, record)
	})
	if err == nil && overtaken {
		return clientChanged(client.Name)
	}
	return err
}

// DeleteClient forgets one client. A damaged record is deleted too, but was no client.
func (b *Bolt) DeleteClient(ctx context.Context, name string) error {
	key, found := []byte(name), false
	err := b.write(ctx, "deleting a client", func(tx *bolt.Tx) (bool, error) {
		clients := tx.Bucket(bucketClients)
		_, err := decodeClient(key, clients.Get(key))
		found = err == nil
		return true, clients.Delete(key)
	})
	if err == nil && !found {
		return noClient(name)
	}
	return err
}

// ListClients gives all clients in the order of their names. A damaged record is passed over: a key that cannot be
// checked is no key.
func (b *Bolt) ListClients(ctx context.Context) ([]broker.Client, error) {
	clients, err := list(ctx, b, bucketClients, nil, math.MaxInt, decodeClient)
	return clients, failed("listing clients", err)
}
