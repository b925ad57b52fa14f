package main

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

// load is what a contestant is driven with: connections that each ask for the next link as soon as they have the last.
type load struct {
	front       front
	connections int
	links       func(connection, n int) int // the link that a connection asks for as its n-th
	length      time.Duration
	requests    int // 0 = as many as there is time for
	check       check
}

// checkEach is how many answers go by between two that are looked into.
const checkEach = 61

// outcome is what came of a load.
type outcome struct {
	requests  int
	took      time.Duration
	latencies []time.Duration // of each request, sorted
}

func (o outcome) percentile(share float64) time.Duration {
	if len(o.latencies) == 0 {
		return 0
	}
	return o.latencies[min(int(share*float64(len(o.latencies))), len(o.latencies)-1)]
}

// connection is one that is open.
type connection struct {
	net.Conn

	reader  *reader
	request []byte
}

func dial(ctx context.Context, address string) (*connection, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &connection{Conn: c, reader: newReader(c)}, nil
}

// close closes it. Nobody is left to tell if that fails.
func (c *connection) close() { _ = c.Close() }

// ask asks for a link. The body is valid until the next.
func (c *connection) ask(f front, link int) ([]byte, error) {
	if err := c.send(f, link); err != nil {
		return nil, err
	}
	return c.reader.read()
}

func (c *connection) send(f front, link int) error {
	c.request = f.append(c.request[:0], link)
	_, err := c.Write(c.request)
	return err
}

// pool are connections to one contestant, opened before a round so that opening is not measured.
type pool []*connection

func dialAll(ctx context.Context, address string, n int) (pool, error) {
	var all pool
	for range n {
		c, err := dial(ctx, address)
		if err != nil {
			all.close()
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

func (p pool) close() {
	for _, c := range p {
		c.close()
	}
}

// until has what waits on the connections fail when the context ends.
func (p pool) until(ctx context.Context) (release func() bool) {
	return context.AfterFunc(ctx, func() {
		for _, c := range p {
			_ = c.SetDeadline(time.Unix(1, 0))
		}
	})
}

// drive puts the load on the connections.
func (l load) drive(ctx context.Context, over pool) (outcome, error) {
	defer over.until(ctx)()
	var (
		mu     sync.Mutex
		all    outcome
		failed error
		asking sync.WaitGroup
	)
	began := time.Now()
	for i, c := range over {
		asking.Go(func() {
			latencies, err := l.driveOne(c, i, began)
			mu.Lock()
			defer mu.Unlock()
			all.latencies = append(all.latencies, latencies...)
			if failed == nil {
				failed = err
			}
		})
	}
	asking.Wait()
	all.took, all.requests = time.Since(began), len(all.latencies)
	if ctx.Err() != nil {
		return all, ctx.Err()
	}
	slices.Sort(all.latencies)
	return all, failed
}

func (l load) driveOne(c *connection, number int, began time.Time) ([]time.Duration, error) {
	share := (l.requests + l.connections - 1) / l.connections
	latencies := make([]time.Duration, 0, max(share, 4096))
	for n, now := 0, began; ; n++ {
		if l.requests > 0 && n == share || l.requests == 0 && now.Sub(began) >= l.length {
			return latencies, nil
		}
		link := l.links(number, n)
		body, err := c.ask(l.front, link)
		if err != nil {
			return latencies, fmt.Errorf("asking for link %d: %w", link, err)
		}
		answered := time.Now()
		if n%checkEach == 0 {
			if err := l.check(link, body); err != nil {
				return latencies, err
			}
		}
		latencies = append(latencies, answered.Sub(now))
		now = answered
	}
}
