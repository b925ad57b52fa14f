package cache

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"slices"
	"sync/atomic"

	bolt "go.etcd.io/bbolt"
)

const (
	maxQueued = 4096 // writes that wait for the disk; more callers wait to be queued
	maxBatch  = 256  // writes in one commit: it bounds how long the last of them waits
)

// committer lets writes that come together share a commit, which costs one fsync for all of them. A lone write is
// committed at once: unlike bolt's own Batch, it never waits for company.
type committer struct {
	update func(func(*bolt.Tx) error) error
	gate   gate
	queue  chan *change
	ended  chan struct{}
}

// change is one queued write.
type change struct {
	apply func(*bolt.Tx) (changed bool, err error)
	taken atomic.Bool // by the committer to commit it, or by its caller to give it up
	done  chan error
}

func startCommitter(update func(func(*bolt.Tx) error) error) *committer {
	c := &committer{update: update, queue: make(chan *change, maxQueued), ended: make(chan struct{})}
	go c.run()
	return c
}

// do queues a change and waits for its commit.
func (c *committer) do(ctx context.Context, apply func(*bolt.Tx) (bool, error)) error {
	if !c.gate.enter() {
		return errClosed
	}
	defer c.gate.leave()
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &change{apply: apply, done: make(chan error, 1)}
	select {
	case c.queue <- w:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		if w.taken.CompareAndSwap(false, true) {
			return ctx.Err()
		}
		return <-w.done
	}
}

// close commits what is queued and reports whether it was this call that closed the committer.
func (c *committer) close() bool {
	if !c.gate.close() {
		return false
	}
	close(c.queue)
	<-c.ended
	return true
}

func (c *committer) run() {
	defer close(c.ended)
	for w := range c.queue {
		runtime.Gosched() // callers that are just about to queue shall come along
		c.commit(c.gather(w))
	}
}

// gather takes the first write and all that are queued behind it.
func (c *committer) gather(w *change) []*change {
	var batch []*change
	for more := true; more && w != nil; {
		if w.taken.CompareAndSwap(false, true) {
			batch = append(batch, w)
		}
		if len(batch) == maxBatch {
			break
		}
		select {
		case w, more = <-c.queue:
		default:
			more = false
		}
	}
	return batch
}

// commit answers every write of the batch. One that fails is taken out and tried alone, so that neither it nor its
// neighbours suffer from the other.
func (c *committer) commit(batch []*change) {
	for len(batch) > 0 {
		culprit, err := c.try(batch)
		if culprit < 0 || len(batch) == 1 {
			for _, w := range batch {
				w.done <- err
			}
			return
		}
		_, err = c.try(batch[culprit : culprit+1])
		batch[culprit].done <- err
		batch = slices.Delete(batch, culprit, culprit+1)
	}
}

// errUnchanged rolls a transaction back that has nothing to commit.
var errUnchanged = errors.New("nothing changed")

// try runs the batch in one transaction. culprit is the write that failed, -1 if the transaction as a whole did.
func (c *committer) try(batch []*change) (culprit int, err error) {
	culprit = -1
	err = c.update(func(tx *bolt.Tx) error {
		changed := false
		for i, w := range batch {
			wrote, err := w.safely(tx)
			if err != nil {
				culprit = i
				return err
			}
			changed = changed || wrote
		}
		if !changed {
			return errUnchanged
		}
		return nil
	})
	if errors.Is(err, errUnchanged) {
		err = nil
	}
	return culprit, err
}

// safely catches a panic here rather than around the transaction: to roll back after a panic bolt reads its free
// list again, from a file that may be damaged; after an error it does not.
func (w *change) safely(tx *bolt.Tx) (changed bool, err error) {
	defer catch(&err, debug.SetPanicOnFault(true))
	return w.apply(tx)
}
