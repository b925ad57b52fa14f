package cache

import (
	"context"
	"encoding/json"
	"math"

	bolt "go.etcd.io/bbolt"

	"linkbroker/broker"
)

// PutClient stores a client under its name.
func (b *Bolt) PutClient(ctx context.Context, client broker.Client) error {
	body, err := json.Marshal(client)
	if err != nil {
		return failed("storing a client", err)
	}
	key := []byte(client.Name)
	record := seal(key, append(make([]byte, headerSize), body...))
	return b.write(ctx, "storing a client", func(tx *bolt.Tx) (bool, error) {
		return true, tx.Bucket(bucketClients).Put(key, record)
	})
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

// decodeClient reads the record of a client: JSON, for there are few and they are read at the start.
func decodeClient(name, record []byte) (broker.Client, error) {
	body, err := unseal(name, record)
	if err != nil {
		return broker.Client{}, err
	}
	var client broker.Client
	if json.Unmarshal(body, &client) != nil || client.Name != string(name) {
		return broker.Client{}, damagedForm
	}
	return client, nil
}

func noClient(name string) error {
	return broker.Errorf(broker.NotFound, "no client is stored under the name %q", name)
}
