package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
)

// fillWithDead makes a store of links that ended a month ago.
func (b *bench) fillWithDead(ctx context.Context, file string) (err error) {
	b.say("making a store of %s dead links", thousands(b.dead))
	store, err := cache.Open(ctx, "bolt://"+file, cache.Options{Clock: time.Now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	made := time.Now().AddDate(0, -2, 0).UTC().Truncate(time.Millisecond)
	var (
		next    atomic.Int64
		putting sync.WaitGroup
		failed  = make(chan error, primers)
	)
	for range primers {
		putting.Go(func() {
			for i := int(next.Add(1)); i <= b.dead && ctx.Err() == nil; i = int(next.Add(1)) {
				link, err := deadLink(2*firstFresh+i, made)
				if err == nil {
					err = store.PutLink(ctx, link)
				}
				if err != nil {
					failed <- err
					return
				}
			}
		})
	}
	putting.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return ctx.Err()
	}
}

func deadLink(number int, made time.Time) (broker.Link, error) {
	target, err := broker.Target{App: appid, Path: page, Query: fmt.Sprintf("id=%d&src=sms", number)}.Normalize()
	made = made.Add(time.Duration(number%86400) * time.Second)
	return broker.Link{
		Key: target.Key(), Target: target, URL: linkURL(number), GeneratedAt: made, ExpiresAt: made.AddDate(0, 0, 30).Truncate(time.Second),
	}, err
}

func copyFile(to, from string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, in)
	return err
}
