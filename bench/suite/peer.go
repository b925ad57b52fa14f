package main

import (
	"context"
	"os"
	"path/filepath"
)

// startConstant gives how to start a server that answers what ours has answered.
func startConstant(name string) func(context.Context, *bench) (*running, error) {
	return func(ctx context.Context, b *bench) (*running, error) {
		return b.startPeer(ctx, name, name, "-answers", b.answers())
	}
}

func startAfternoon(ctx context.Context, b *bench) (*running, error) {
	return b.startPeer(ctx, "afternoon", "bolt", "-db", "links.db", "-upstream", b.upstream.url)
}

// startAfternoonRedis starts a Redis as Debian's configuration has it, but for its port.
func startAfternoonRedis(ctx context.Context, b *bench) (*running, error) {
	redis, address, err := b.startRedis(ctx, "afternoon-redis")
	if err != nil {
		return nil, err
	}
	r, err := b.startPeer(ctx, "afternoon-redis", "redis", "-redis", address, "-upstream", b.upstream.url)
	if err != nil {
		return nil, err
	}
	r.helper = redis
	return r, nil
}

// startRedis starts a server for a contestant, with further flags.
func (b *bench) startRedis(ctx context.Context, name string, flags ...string) (redis *child, address string, err error) {
	host, port, err := freePort(ctx)
	if err != nil {
		return nil, "", err
	}
	folder := filepath.Join(b.dir, name+".redis")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, "", err
	}
	redis, err = b.start(ctx, name+" redis", folder, "redis-server", append([]string{"--bind", host, "--port", port, "--dir", folder}, flags...)...)
	if err != nil {
		return nil, "", err
	}
	address = host + ":" + port
	return redis, address, redis.answering(ctx, address)
}

// startPeer starts one of bench/peers.
func (b *bench) startPeer(ctx context.Context, name, peer string, flags ...string) (*running, error) {
	program, err := b.build(ctx, "bench/peers", "peers")
	if err != nil {
		return nil, err
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(b.dir, name)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	c, err := b.start(ctx, name, folder, program, append([]string{peer, "-listen", address}, flags...)...)
	if err != nil {
		return nil, err
	}
	return &running{address: address, main: c}, c.answering(ctx, address)
}
