package broker

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime/debug"
	"sync"
	"time"
)

const (
	// batchWidth is how many lines of a batch are answered side by side: enough to use WeChat's rate at 400 ms a call.
	batchWidth = 64

	// batchAhead is how many lines are answered before those above them are.
	batchAhead = 256

	// batchPatience is how long a line waits for its turn at WeChat, behind those for whom somebody waits.
	batchPatience = 5 * time.Minute
)

// Batch answers many requests, side by side and in their order, in constant memory: it reads only so far ahead. An error
// among the requests stands for one that could not be read, and is its answer.
//
// The requests are read by another goroutine, which has ended when the walk over the answers has. What panics there does
// so in the walk.
func (b *Broker) Batch(ctx context.Context, requests iter.Seq2[Request, error]) iter.Seq2[Answer, error] {
	return inOrder(ctx, requests, func(ctx context.Context, req Request) (Answer, error) {
		req.Batched = true
		return b.getPatiently(ctx, req)
	})
}

// PlanBatch plans many requests as Batch would answer them: of those that share a link only the first is a Miss.
func (b *Broker) PlanBatch(ctx context.Context, requests iter.Seq2[Request, error]) iter.Seq2[Plan, error] {
	return func(yield func(Plan, error) bool) {
		missed := make(map[Key]bool)
		for req, err := range requests {
			plan := Plan{}
			if err == nil {
				plan, err = b.Plan(ctx, req)
			}
			if plan.Outcome == Miss && missed[plan.Key] {
				plan.Outcome = Hit
			}
			if plan.Outcome == Miss {
				missed[plan.Key] = true
			}
			if !yield(plan, err) {
				return
			}
		}
	}
}

// getPatiently is Get that asks again while those who go first take WeChat's rate.
func (b *Broker) getPatiently(ctx context.Context, req Request) (answer Answer, err error) {
	defer func() { b.answered(&req, &answer, err) }()
	for until := b.clock().Add(batchPatience); ; {
		err = b.get(ctx, &req, &answer)
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Code != Busy && e.Code != RateLimited {
			return answer, err
		}
		wait := max(e.RetryAfter, time.Second)
		if b.clock().Add(wait).After(until) || !sleep(ctx, wait) {
			return answer, err
		}
	}
}

// inOrder does the work for each of what comes, batchWidth at a time, and gives the results in the order of what came.
func inOrder[In, Out any](
	ctx context.Context, items iter.Seq2[In, error], work func(context.Context, In) (Out, error),
) iter.Seq2[Out, error] {
	type outcome struct {
		out Out
		err error
		bad error // a panic: in a goroutine nobody would recover, and it would end the program
	}
	return func(yield func(Out, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var running sync.WaitGroup
		defer running.Wait()
		defer cancel()

		queue, width := make(chan chan outcome, batchAhead), make(chan struct{}, batchWidth)
		var bad error // of reading; may be read when the queue is closed
		running.Go(func() {
			defer close(queue)
			defer func() { bad = panicked(recover()) }()
			for item, err := range items {
				place := make(chan outcome, 1)
				select {
				case queue <- place:
				case <-ctx.Done():
					return
				}
				if err != nil {
					place <- outcome{err: err}
					continue
				}
				width <- struct{}{} // is given back soon after ctx ends
				running.Go(func() {
					var o outcome
					defer func() {
						o.bad = panicked(recover())
						place <- o
						<-width
					}()
					o.out, o.err = work(ctx, item)
				})
			}
		})
		for place := range queue {
			o := <-place
			if o.bad != nil {
				panic(o.bad)
			}
			if !yield(o.out, o.err) {
				return
			}
		}
		if bad != nil {
			panic(bad)
		}
	}
}

// panicked gives what was recovered from a panic, with its stack, as an error; nil for none.
func panicked(recovered any) error {
	if recovered == nil {
		return nil
	}
	return fmt.Errorf("panic: %v\n%s", recovered, debug.Stack())
}
