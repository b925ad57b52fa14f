package broker

import (
	"context"
	"time"
)

// Ledger is the ledger of a day's quota, for its benchmark.
type Ledger struct{ of *ledger }

// NewLedger makes one.
func NewLedger(store LedgerStore, limit int64) Ledger {
	return Ledger{newLedger(store, "bench", limit, quotaZone{shanghai}, QuotaExhausted)}
}

// Spend spends a unit, as a miss does.
func (l Ledger) Spend(ctx context.Context, clock Clock) error {
	u, err := l.of.spend(ctx, clock, 0)
	if err == nil {
		l.of.reserveAhead(ctx, u.day)
	}
	return err
}

// Pace is the limiter of an app's calls, for its benchmark.
type Pace struct{ of *pace }

// NewPace makes one of so many calls a second.
func NewPace(rate float64) Pace { return Pace{newPace(rate)} }

// Wait waits for a turn, as a miss does for which somebody waits.
func (p Pace) Wait(ctx context.Context, clock Clock) error {
	urgent := make(chan struct{})
	close(urgent)
	return p.of.wait(ctx, clock, clock().Add(time.Minute), urgent)
}
