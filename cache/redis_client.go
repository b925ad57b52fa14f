package cache

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"linkbroker/broker"
)

// PutClient stores a client under its name.
func (r *Redis) PutClient(ctx context.Context, client broker.Client) error {
	body, err := json.Marshal(client)
	if err != nil {
		return failed("storing a client", err)
	}
	record := seal([]byte(client.Name), append(make([]byte, headerSize), body...))
	return failed("storing a client", r.write(ctx, r.client.B().Hset().Key(r.key(redisClients, "")).FieldValue().
		FieldValue(client.Name, string(record)).Build()).Error())
}

// DeleteClient forgets one client. A damaged record is deleted too, but was no client.
func (r *Redis) DeleteClient(ctx context.Context, name string) error {
	clients := r.key(redisClients, "")
	kept, err := found(r.do(ctx, r.client.B().Hget().Key(clients).Field(name).Build()))
	if err != nil {
		return failed("deleting a client", err)
	}
	drop := swap{script: swapField, keys: []string{clients}, args: []string{name}}
	lost := error(nil)
	err = r.exchange(ctx, drop, kept, func(kept []byte) ([]byte, error) {
		_, lost = decodeClient([]byte(name), kept)
		return nil, nil
	})
	if err == nil && lost != nil {
		return noClient(name)
	}
	return failed("deleting a client", err)
}

// ListClients gives all clients in the order of their names. A damaged record is passed over: a key that cannot be checked is no
// key.
func (r *Redis) ListClients(ctx context.Context) ([]broker.Client, error) {
	records, err := r.do(ctx, r.client.B().Hgetall().Key(r.key(redisClients, "")).Build()).AsStrMap()
	if err != nil {
		return nil, failed("listing clients", err)
	}
	clients := make([]broker.Client, 0, len(records))
	for name, record := range records {
		client, err := decodeClient([]byte(name), []byte(record))
		if err != nil {
			r.skip(redisClients+name, err)
			continue
		}
		clients = append(clients, client)
	}
	slices.SortFunc(clients, func(a, b broker.Client) int { return strings.Compare(a.Name, b.Name) })
	return clients, nil
}
