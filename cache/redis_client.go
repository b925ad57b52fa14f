package cache

import (
	"context"
	"slices"
	"strings"

	"linkbroker/broker"
)

func (r *Redis) swapClient(name string) swap {
	return swap{script: swapField, keys: []string{r.key(redisClients, "")}, args: []string{name}}
}

func (r *Redis) readClient(ctx context.Context, name string) ([]byte, error) {
	return found(r.do(ctx, r.client.B().Hget().Key(r.key(redisClients, "")).Field(name).Build()))
}

// PutClient stores a client in place of the one whose ETag is given. What is damaged has no ETag, and is replaced like nothing.
func (r *Redis) PutClient(ctx context.Context, client broker.Client, replaces string) error {
	record, err := encodeClient(client)
	if err != nil {
		return failed("storing a client", err)
	}
	kept, err := r.readClient(ctx, client.Name)
	if err != nil {
		return failed("storing a client", err)
	}
	return failed("storing a client", r.exchange(ctx, r.swapClient(client.Name), kept, func(kept []byte) ([]byte, error) {
		if clientETagIn([]byte(client.Name), kept) != replaces {
			return nil, clientChanged(client.Name)
		}
		return record, nil
	}))
}

// DeleteClient forgets one client. A damaged record is deleted too, but was no client.
func (r *Redis) DeleteClient(ctx context.Context, name string) error {
	kept, err := r.readClient(ctx, name)
	if err != nil {
		return failed("deleting a client", err)
	}
	lost := error(nil)
	err = r.exchange(ctx, r.swapClient(name), kept, func(kept []byte) ([]byte, error) {
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
		if client, ok := intact(r, redisClients, []byte(name), []byte(record), decodeClient); ok {
			clients = append(clients, client)
		}
	}
	slices.SortFunc(clients, func(a, b broker.Client) int { return strings.Compare(a.Name, b.Name) })
	return clients, nil
}
