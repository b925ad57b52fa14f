package broker

import (
	"context"
	"sync"
	"time"
)

// WeChat's rate is an app's, however many brokers ask. So each says in the store that it asks, and they divide the rate
// evenly among those who do. Who begins to ask has the others learn of it with their next look; until then the rate may be
// exceeded, for as long as shareInterval at most.
const (
	shareInterval = time.Second     // between two looks while calls are made
	shareMemory   = 3 * time.Second // after so long without one, a call waits for the look
)

// share is when this broker has last looked how many ask.
type share struct {
	mu     sync.Mutex
	looked time.Time
}

// begin reports whether a look is due, which the caller then begins, and whether its outcome is to be waited for.
func (s *share) begin(now time.Time) (due, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	since := now.Sub(s.looked) // for ages, if it never has
	if since < shareInterval {
		return false, false
	}
	s.looked = now
	return true, since >= shareMemory
}

// divideRate sees to it that the app's pace is this broker's part of the rate. What it cannot find out stays as it was.
func (b *Broker) divideRate(ctx context.Context, a *app) {
	if b.leaser == nil {
		return
	}
	due, first := a.share.begin(b.clock())
	switch {
	case !due:
	case first:
		b.look(ctx, a)
	default:
		b.door.done.Go(func() { b.look(context.WithoutCancel(ctx), a) })
	}
}

func (b *Broker) look(ctx context.Context, a *app) {
	ctx, cancel := context.WithTimeout(ctx, shareInterval) // then the next is due
	defer cancel()
	if brokers, err := b.leaser.Share(ctx, "rate/"+a.ID); err == nil {
		a.pace.divide(brokers)
	}
}
