package main

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// pace asks at a fixed rate, whether answers come or not. A latency counts from when the request was due, so that a
// server that stands still is charged for all that would have been asked meanwhile.
type pace struct {
	front front
	rate  float64 // requests a second
	links func(n int) int
	check check // of all answers; nil = they may be refusals
}

// paced is a connection that has one request under way at most.
type paced struct {
	*connection

	due  atomic.Int64 // when the request under way was, in nanoseconds since the start
	link atomic.Int64
}

// drive asks until the context ends, and gives the latencies.
func (p pace) drive(ctx context.Context, over pool) (outcome, error) {
	var (
		began   = time.Now()
		idle    = make(chan *paced, len(over))
		failed  = make(chan error, len(over))
		took    = make([][]time.Duration, len(over))
		reading sync.WaitGroup
	)
	for i, c := range over {
		c.reader.anyStatus = p.check == nil
		conn := &paced{connection: c}
		idle <- conn
		reading.Go(func() { took[i] = p.read(conn, began, idle, failed) })
	}
	err := p.askAll(ctx, began, idle, failed)
	if err == nil {
		err = settle(idle, failed, len(over))
	}
	for _, c := range over {
		_ = c.SetDeadline(time.Unix(1, 0)) // ends the reading
	}
	reading.Wait()
	all := outcome{took: time.Since(began), latencies: slices.Concat(took...)}
	all.requests = len(all.latencies)
	slices.Sort(all.latencies)
	return all, err
}

// read reads answers until that fails, which it does at the end.
func (p pace) read(c *paced, began time.Time, idle chan<- *paced, failed chan<- error) (took []time.Duration) {
	for {
		body, err := c.reader.read()
		answered := time.Since(began)
		if err == nil && p.check != nil {
			err = p.check(int(c.link.Load()), body)
		}
		if err != nil {
			failed <- err
			return took
		}
		took = append(took, answered-time.Duration(c.due.Load()))
		idle <- c
	}
}

// askAll sends each request when it is due. It has a thread of its own and sleeps by the system's clock: Go's timers
// are late by up to a millisecond where nothing else goes on.
func (p pace) askAll(ctx context.Context, began time.Time, idle <-chan *paced, failed <-chan error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for n := 0; ctx.Err() == nil; n++ {
		due := time.Duration(float64(n) / p.rate * float64(time.Second))
		if wait := due - time.Since(began); wait > 0 {
			at := unix.NsecToTimespec(int64(wait))
			_ = unix.Nanosleep(&at, nil) // woken early it asks early
		}
		select {
		case c := <-idle:
			c.due.Store(int64(due))
			link := p.links(n)
			c.link.Store(int64(link))
			if err := c.send(p.front, link); err != nil {
				return err
			}
		case err := <-failed:
			return err
		case <-ctx.Done():
		}
	}
	return nil
}

// settle waits for the answers under way.
func settle(idle <-chan *paced, failed <-chan error, connections int) error {
	limit := time.NewTimer(10 * time.Second)
	defer limit.Stop()
	for range connections {
		select {
		case <-idle:
		case err := <-failed:
			return err
		case <-limit.C:
			return errors.New("answers are missing after 10 s")
		}
	}
	return nil
}
