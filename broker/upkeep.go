package broker

import "context"

// upkeep is the turn for what one broker does for all. Of the brokers that share a store the first whose job is due takes it
// and keeps it until it stops or dies; then the next whose job is due does.
type upkeep struct {
	asking onceLock // held while the store is asked: of jobs that are due at once the later ones wait for the first
	turn   Turn     // zero while it is not ours; guarded by asking
}

// upkeepTurn is the name of the turn for upkeep.
const upkeepTurn = "jobs"

// Leads reports whether upkeep that one broker does for all is this one's to do.
func (b *Broker) Leads(ctx context.Context) (bool, error) {
	if b.leaser == nil {
		return true, nil
	}
	u := &b.upkeep
	if err := u.asking.lock(ctx); err != nil {
		return false, err
	}
	defer u.asking.unlock()
	if u.held() {
		return true, nil
	}
	turn, err := b.leaser.Lease(ctx, upkeepTurn)
	if err != nil || turn.Leave == nil {
		return false, err
	}
	u.turn = turn
	return true, nil
}

// held reports whether the turn is ours. Called with asking held.
func (u *upkeep) held() bool {
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

// leave gives the turn back, if it is ours.
func (u *upkeep) leave(ctx context.Context) error {
	if err := u.asking.lock(ctx); err != nil {
		return err
	}
	defer u.asking.unlock()
	if u.turn.Leave != nil {
		u.turn.leave(ctx, Note{})
		u.turn = Turn{}
	}
	return nil
}
