package broker

import (
	"context"
	"sync"
	"time"
)

// blockShare and blockMost size the blocks of units that are reserved in the store at once: a 64th of what is left
// of the day, 64 units at most, so that near the limit each unit is reserved for itself.
const (
	blockShare = 64
	blockMost  = 64
)

// ledger keeps an account within its budget of a day: an app within one of WeChat's quotas, or a client within its own.
// Units are reserved in the store in blocks before they are spent, so a crash can waste the rest of a block but never spend a unit twice.
type ledger struct {
	store     LedgerStore
	account   string
	limit     int64
	days      quotaDays
	exhausted Code // what it says when the day has none left

	reserving onceLock // held while a block is reserved, which is I/O

	mu       sync.Mutex // guards what follows; never held across I/O
	day      string
	left     int64 // units of the block that are not spent
	reserved int64 // all that the store has reserved on the day
}

// unit is one generate call that may be made, on the quota day it was taken from.
type unit struct{ day string }

func newLedger(store LedgerStore, account string, limit int64, days quotaDays, exhausted Code) *ledger {
	return &ledger{store: store, account: account, limit: limit, days: days, exhausted: exhausted, reserving: newOnceLock()}
}

// spend takes a unit, as long as more than kept units of the day remain.
func (l *ledger) spend(ctx context.Context, clock Clock, kept int64) (unit, error) {
	for {
		u, ok, err := l.take(clock(), kept)
		if ok || err != nil {
			return u, err
		}
		if err := l.reserve(ctx, clock); err != nil {
			return unit{}, err
		}
	}
}

// take takes a unit of the block. It fails if the day has none left, and is not ok if a block has to be reserved.
func (l *ledger) take(now time.Time, kept int64) (u unit, ok bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	today := l.days.day(now)
	if l.day != today {
		return unit{}, false, nil
	}
	used := l.reserved - l.left
	switch {
	case used+kept >= l.limit:
		err := Errorf(l.exhausted, "all %d generations %s are used up or kept back", l.limit, l.days.called(today))
		err.RetryAfter = l.days.nextDay(now).Sub(now)
		return unit{}, false, err
	case l.left == 0:
		return unit{}, false, nil
	default:
		l.left--
		return unit{day: today}, true, nil
	}
}

// reserve has the store set a block aside. What was left of yesterday's is forgotten with its day.
func (l *ledger) reserve(ctx context.Context, clock Clock) error {
	if err := l.reserving.lock(ctx); err != nil {
		return Errorf(Busy, "too many wait for a unit of quota: %w", err)
	}
	defer l.reserving.unlock()
	today := l.days.day(clock()) // now that it is our turn: who waited over midnight must not go back to yesterday

	l.mu.Lock()
	reserved := int64(0)
	if l.day == today {
		reserved = l.reserved
	}
	inTime := l.day == today && l.left > 0 // reserved by somebody else while we waited
	l.mu.Unlock()
	if inTime {
		return nil
	}

	block := min(blockMost, max(1, (l.limit-reserved)/blockShare))
	granted, total, err := l.store.ReserveQuota(ctx, l.account, today, block, l.limit)
	if err != nil {
		return Errorf(StoreFailed, "no unit of quota could be reserved, and none is spent without: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.day != today {
		l.day, l.left = today, 0
	}
	l.left += granted
	l.reserved = total
	return nil
}

// refund gives a unit back that was certainly not spent.
func (l *ledger) refund(u unit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.day == u.day {
		l.left++
	}
}

// release gives the rest of the block back to the store, so that a clean stop wastes nothing.
func (l *ledger) release(ctx context.Context) error {
	if err := l.reserving.lock(ctx); err != nil {
		return err
	}
	defer l.reserving.unlock()
	l.mu.Lock()
	day, left := l.day, l.left
	l.left = 0
	l.mu.Unlock()
	if left == 0 {
		return nil
	}
	_, total, err := l.store.ReserveQuota(ctx, l.account, day, -left, l.limit)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reserved = total
	return nil
}

// used says how many units of the day are spent.
func (l *ledger) used(ctx context.Context, now time.Time) (int64, error) {
	today := l.days.day(now)
	reserved, err := l.store.ReservedQuota(ctx, l.account, today)
	if err != nil {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.day == today {
		reserved -= l.left
	}
	return max(reserved, 0), nil
}

// assumeSpent counts at least so many units of the day as spent.
func (l *ledger) assumeSpent(ctx context.Context, now time.Time, least int64) error {
	today := l.days.day(now)
	reserved, err := l.store.ReservedQuota(ctx, l.account, today)
	if err != nil || reserved >= least {
		return err
	}
	_, _, err = l.store.ReserveQuota(ctx, l.account, today, least-reserved, l.limit)
	return err
}
