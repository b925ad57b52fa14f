package cache

import (
	"bytes"
	"context"

	"github.com/redis/rueidis"

	"linkbroker/broker"
)

// Blob gives a small named value. A damaged one is missing: whoever stored it makes a new one.
func (r *Redis) Blob(ctx context.Context, name string) ([]byte, error) {
	record, err := r.readRecord(ctx, r.key(redisBlob, name))
	if err != nil {
		return nil, failed("reading a value", err)
	}
	if value, ok := intact(r, redisBlob, []byte(name), record, unseal); ok {
		return value, nil
	}
	return nil, broker.Errorf(broker.NotFound, "nothing is stored under the name %q", name)
}

// PutBlob stores a small named value.
func (r *Redis) PutBlob(ctx context.Context, name string, value []byte) error {
	put := r.client.B().Set().Key(r.key(redisBlob, name)).Value(rueidis.BinaryString(sealBody([]byte(name), value))).Build()
	return failed("storing a value", r.write(ctx, put).Error())
}

// AddBlob stores a small named value unless there is one. A damaged one is none.
func (r *Redis) AddBlob(ctx context.Context, name string, value []byte) (kept []byte, err error) {
	add := swap{script: swapRecord, keys: []string{r.key(redisBlob, name)}}
	err = r.exchange(ctx, add, nil, func(record []byte) ([]byte, error) {
		if old, ok := intact(r, redisBlob, []byte(name), record, unseal); ok {
			kept = old
			return nil, errLeft
		}
		kept = bytes.Clone(value)
		return sealBody([]byte(name), value), nil
	})
	if err != nil {
		return nil, failed("storing a value", err)
	}
	return kept, nil
}
