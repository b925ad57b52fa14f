package broker

import (
	"context"
	"sync"
	"time"
)

// The blocks of units that are reserved in the store at once are a 64th of what is left of the day, so that near the limit
// each unit is reserved for itself, and no more than 64. Where that many are spent before the next are reserved, as on a
// slow disk, they are doubled for the rest of the day, to 512 at most: that is what a crash may waste.
const (
	blockShare = 64
	blockFirst = 64
	blockMost  = 512
)

// ledger keeps an account within its budget of a day: an app within one of WeChat's quotas, or a client within its own.
// Units are reserved in the store in blocks before they are spent, so a crash can waste what is left of them but never
// spend a unit twice. The next block is reserved while half of the last is left: whoever waits, waits for no ledger.
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
	size     int64 // of a block, as long as enough is left of the day
	late     bool  // somebody found no unit while the next block was being reserved
	turns    int64 // grows when a reservation begins and when it ends, so it is odd while one is under way
}

// unit is one generate call that may be made, on the quota day it was taken from.
type unit struct {
	of  *ledger
	day string
}

func newLedger(store LedgerStore, account string, limit int64, days quotaDays, exhausted Code) *ledger {
	return &ledger{
		store: store, account: account, limit: limit, days: days, exhausted: exhausted, reserving: newOnceLock(), size: blockFirst,
	}
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
	today := l.days.day(now)
	l.mu.Lock()
	defer l.mu.Unlock()
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
		l.late = l.late || l.turns%2 == 1
		return unit{}, false, nil
	default:
		l.left--
		return unit{of: l, day: today}, true, nil
	}
}

// reserve waits until there is a unit of today's to be had.
func (l *ledger) reserve(ctx context.Context, clock Clock) error {
	if err := l.reserving.lock(ctx); err != nil {
		return Errorf(Busy, "too many wait for a unit of quota: %w", err)
	}
	defer l.reserving.unlock()
	today := l.days.day(clock()) // now that it is our turn: who waited over midnight must not go back to yesterday
	if l.holds(today) {
		return nil // reserved by somebody else while we waited
	}
	return l.reserveBlock(ctx, today)
}

// reserveAhead has the next block reserved once less than half of one is left, and waits for nothing. It is called just
// before a link is stored, so that both share a commit. Who finds no unit while that is under way waits for its end.
func (l *ledger) reserveAhead(ctx context.Context, day string) {
	if !l.reserving.tryLock() {
		return
	}
	if !l.runsLow(day) {
		l.reserving.unlock()
		return
	}
	go func() {
		defer l.reserving.unlock() // release waits for it
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storePatience)
		defer cancel()
		_ = l.reserveBlock(ctx, day) // who finds the last block used up tries again, and is told
	}()
}

// holds reports whether a unit of the day is there.
func (l *ledger) holds(day string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.day == day && l.left > 0
}

// runsLow reports whether the day's next block should be on its way. Never where blocks are of one unit: what is reserved
// and not spent is lost in a crash.
func (l *ledger) runsLow(day string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.day == day && l.left < l.nextBlock(l.reserved)/2
}

func (l *ledger) nextBlock(reserved int64) int64 {
	return min(l.size, max(1, (l.limit-reserved)/blockShare))
}

// reserveBlock has the store set a block of a day aside. What was left of the day before is forgotten with it. Whoever
// calls it holds reserving.
func (l *ledger) reserveBlock(ctx context.Context, day string) error {
	l.mu.Lock()
	l.turns++
	reserved := int64(0)
	if l.day == day {
		reserved = l.reserved
	} else {
		l.size, l.late = blockFirst, false
	}
	block := l.nextBlock(reserved)
	l.mu.Unlock()

	granted, total, err := l.store.ReserveQuota(ctx, l.account, day, block, l.limit)

	l.mu.Lock()
	defer l.mu.Unlock()
	l.turns++
	if err != nil {
		return Errorf(StoreFailed, "no unit of quota could be reserved, and none is spent without: %w", err)
	}
	if l.late {
		l.size, l.late = min(2*l.size, blockMost), false
	}
	if l.day != day {
		l.day, l.left = day, 0
	}
	l.left += granted
	l.reserved = total
	return nil
}

// refund gives the unit back: it was certainly not spent.
func (u unit) refund() {
	u.of.mu.Lock()
	defer u.of.mu.Unlock()
	if u.of.day == u.day {
		u.of.left++
	}
}

// release gives the rest of what is reserved back to the store, so that a clean stop wastes nothing.
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
	l.mu.Lock()
	turns := l.turns
	l.mu.Unlock()
	reserved, err := l.store.ReservedQuota(ctx, l.account, today)
	if err != nil {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.day == today {
		if l.turns != turns || turns%2 == 1 {
			reserved = l.reserved // what the store says may count a block that is not in left, or the other way round
		}
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
