package broker

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"time"
)

// Clock tells the time. Only the command line names the real one.
type Clock func() time.Time

// Generator has WeChat make links.
type Generator interface {
	// Generate makes one link for a normalised target. Every call may spend a unit of quota: an error says with
	// Unspent that it certainly did not. It waits no longer than ctx and does not retry, but for once with a new
	// token where WeChat refused the old one (which spends nothing). Its errors are *Error.
	Generate(ctx context.Context, target Target) (Generated, error)
}

// Broker answers requests for links.
type Broker struct {
	store     Store
	leaser    Leaser // nil = no other broker shares the store
	generator Generator
	inspector Inspector // nil = nobody can be asked about links
	policy    Policy
	clock     Clock
	apps      map[string]*app

	door     door
	upkeep   upkeep
	uses     uses
	visits   visits
	history  *history
	census   atomic.Pointer[Census]
	unstored unstored
	refusals refusals
	budgets  *budgets
}

// app is one mini program and how its upstream fares.
type app struct {
	App

	accounts map[Account]*account
	troubles map[Kind]*trouble
	openings openings
	pace     *pace
	share    share
	retries  *retryBudget
}

func newApp(store LedgerStore, given App) *app {
	a := &app{
		App: given, pace: newPace(given.Rate), retries: newRetryBudget(), openings: newOpenings(),
		accounts: make(map[Account]*account), troubles: make(map[Kind]*trouble),
	}
	for _, name := range accounts {
		a.accounts[name] = newAccount(store, given, name)
	}
	for _, kind := range Kinds() {
		a.troubles[kind] = new(trouble)
	}
	return a
}

// New makes a broker. It starts nothing: whoever made it calls Purge, Prewarm and Flush from time to time, and
// Drain at the end. A generator that is an Inspector as well is asked about links, too; a store that is a Leaser as well is
// shared with other brokers.
func New(store Store, generator Generator, policy Policy, clock Clock) *Broker {
	policy = policy.withDefaults()
	inspector, _ := generator.(Inspector)
	leaser, _ := store.(Leaser)
	b := &Broker{
		store:     store,
		leaser:    leaser,
		generator: generator,
		inspector: inspector,
		policy:    policy,
		clock:     clock,
		apps:      make(map[string]*app, len(policy.Apps)),
		upkeep:    upkeep{asking: newOnceLock()},
		visits:    newVisits(),
		history:   newHistory(policy.Apps),
		budgets:   newBudgets(store, policy),
		door:      door{flights: make(map[Key]*flight), most: policy.MaxWaiting},
	}
	for _, a := range policy.Apps {
		b.apps[a.ID] = newApp(store, a)
	}
	return b
}

// Apps gives the configured apps, with their defaults filled in.
func (b *Broker) Apps() []App { return b.policy.Apps }

// Drain lets nobody in any more, waits for the calls in flight, gives reserved units of quota back and flushes. Where
// one of these fails, the others are done all the same.
func (b *Broker) Drain(ctx context.Context) error {
	errs := []error{b.door.close(ctx), b.budgets.release(ctx)}
	for _, app := range b.apps {
		for _, account := range app.accounts {
			errs = append(errs, account.ledger.release(ctx))
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storePatience)
	defer cancel()
	errs = append(errs, b.upkeep.leave(ctx))
	_, err := b.flush(ctx, math.MaxInt)
	return errors.Join(append(errs, err)...)
}

// sleep waits, and reports whether it waited for the whole time.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// onceLock is a lock whose wait heeds ctx, for what is held across I/O.
type onceLock chan struct{}

func newOnceLock() onceLock { return make(onceLock, 1) }

func (l onceLock) lock(ctx context.Context) error {
	select {
	case l <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tryLock reports whether the lock was free and is now the caller's.
func (l onceLock) tryLock() bool {
	select {
	case l <- struct{}{}:
		return true
	default:
		return false
	}
}

func (l onceLock) unlock() { <-l }
