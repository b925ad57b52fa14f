package main

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
	bolt "go.etcd.io/bbolt"
)

// boltLinks keeps links in a file.
type boltLinks struct{ db *bolt.DB }

var bucket = []byte("links")

func openBolt(file string) (boltLinks, error) {
	db, err := bolt.Open(file, 0o600, &bolt.Options{Timeout: time.Second})
	if err != nil {
		return boltLinks{}, err
	}
	return boltLinks{db}, db.Update(func(tx *bolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bucket)
		return err
	})
}

func (b boltLinks) Close() error { return b.db.Close() }

func (b boltLinks) Get(_ context.Context, key []byte) (l link, err error) {
	err = b.db.View(func(tx *bolt.Tx) error {
		value := tx.Bucket(bucket).Get(key)
		if value == nil {
			return errNotFound
		}
		return json.Unmarshal(value, &l)
	})
	return l, err
}

// Put shares a commit with others that come at the same time.
func (b boltLinks) Put(_ context.Context, key []byte, l link) error {
	value, err := json.Marshal(l)
	if err != nil {
		return err
	}
	return b.db.Batch(func(tx *bolt.Tx) error { return tx.Bucket(bucket).Put(key, value) })
}

// redisLinks keeps links in Redis, which lets them end by itself.
type redisLinks struct{ client *redis.Client }

func openRedis(address string) redisLinks {
	return redisLinks{redis.NewClient(&redis.Options{Addr: address})}
}

func (r redisLinks) Close() error { return r.client.Close() }

func (r redisLinks) Get(ctx context.Context, key []byte) (l link, err error) {
	value, err := r.client.Get(ctx, "link:"+string(key)).Bytes()
	if errors.Is(err, redis.Nil) {
		return link{}, errNotFound
	}
	if err != nil {
		return link{}, err
	}
	return l, json.Unmarshal(value, &l)
}

func (r redisLinks) Put(ctx context.Context, key []byte, l link) error {
	value, err := json.Marshal(l)
	if err != nil {
		return err
	}
	return r.client.Set(ctx, "link:"+string(key), value, time.Until(l.ExpiresAt)).Err()
}
