package broker

import (
	"context"
	"sync"
)

// upkeep is the turn for what one broker does for all. Of the brokers that share a store the first whose job is due takes it and keeps it until it
// stops or dies; then the next whose job is due does.
type upkeep struct {
	mu   sync.Mutex // never held across I/O
	turn Turn       // zero while it is not ours
}

// upkeepTurn is the name of the turn for upkeep.
const upkeepTurn = "jobs"

// Leads reports whether upkeep that one broker does for all is this one's to do.
func (b *Broker) Leads(ctx context.Context) (bool, error) {
	if b.leaser == nil || b.upkeep.held() {
		return true, nil
	}
	turn, err := b.leaser.Lease(ctx, upkeepTurn)
	if err != nil || turn.Leave == nil {
		return false, err
	}
	if !b.upkeep.take(turn) { // two jobs were due at once, and this one got its turn after the other had lost his
		turn.leave(ctx, Note{})
	}
	return true, nil
}

func (u *upkeep) held() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.heldNow()
}

func (u *upkeep) heldNow() bool {
	if u.turn.Leave == nil {
		return false
	}
	select {
	case <-u.turn.Lost:
		return false
	default:
		return true
	}
}

// take keeps a turn, unless one is kept.
func (u *upkeep) take(turn Turn) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.heldNow() {
		return false
	}
	u.turn = turn
	return true
}

// leave gives the turn back, if it is ours.
func (u *upkeep) leave(ctx context.Context) {
	u.mu.Lock()
	turn := u.turn
	u.turn = Turn{}
	u.mu.Unlock()
	if turn.Leave != nil {
		turn.leave(ctx, Note{})
	}
}
