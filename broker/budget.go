package broker

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// payer is whose own budget a generation is charged to, besides the app's quota.
type payer struct {
	client  *Client
	address netip.Prefix
}

// stranger reports whether it may be anybody who asks: with a key that stands in a page, or a signature that does.
func (p payer) stranger() bool { return p.address.IsValid() }

// is reports whether two payers have the same budgets.
func (p payer) is(other payer) bool {
	sameClient := p.client == other.client || p.client != nil && other.client != nil && p.client.Name == other.client.Name
	return sameClient && p.address == other.address
}

// budgets hold clients, and the addresses from which publishable keys are used, to their generations.
type budgets struct {
	store         LedgerStore
	perAddress    atomic.Int64 // generations of an address within a minute; 0 = no limit
	clientMinutes *Limiter[string]
	addresses     *Limiter[netip.Prefix]

	mu   sync.Mutex
	days map[dayBudget]*ledger
}

// dayBudget names a ledger: a client whose limit changes gets another, which begins with what the store has.
type dayBudget struct {
	client string
	limit  int64
}

// maxLimited bounds how many clients or addresses are remembered for their rate: some 5 MiB.
const maxLimited = 1 << 16

func newBudgets(store LedgerStore, policy Policy) *budgets {
	b := &budgets{
		store:         store,
		clientMinutes: NewLimiter[string](maxLimited),
		addresses:     NewLimiter[netip.Prefix](maxLimited),
		days:          make(map[dayBudget]*ledger),
	}
	b.perAddress.Store(int64(policy.AddressGenerations))
	return b
}

// bill is what was charged, to be given back where nothing was generated.
type bill struct {
	back  []func()
	units units // of the client's day
}

func (b bill) refund() {
	for _, give := range b.back {
		give()
	}
	b.units.refund()
}

// charge takes a generation from every budget it counts against, or from none.
func (b *budgets) charge(ctx context.Context, p payer, clock Clock) (paid bill, err error) {
	now := clock()
	defer func() {
		if err != nil {
			paid.refund()
		}
	}()
	if most := int(b.perAddress.Load()); p.address.IsValid() && most > 0 {
		limit := Limit{Events: most, Per: time.Minute}
		if ok, _, after := b.addresses.Take(p.address, limit, now); !ok {
			return paid, limited(after, "this address has had %d links generated within a minute", most)
		}
		paid.back = append(paid.back, func() { b.addresses.Undo(p.address, limit) })
	}
	if p.client == nil {
		return paid, nil
	}
	if most := p.client.Grant.GenerationsPerMinute; most > 0 {
		limit := Limit{Events: most, Per: time.Minute}
		if ok, _, after := b.clientMinutes.Take(p.client.Name, limit, now); !ok {
			return paid, limited(after, "this client has had %d links generated within a minute", most)
		}
		paid.back = append(paid.back, func() { b.clientMinutes.Undo(p.client.Name, limit) })
	}
	if most := p.client.Grant.GenerationsPerDay; most > 0 {
		u, err := b.day(dayBudget{client: p.client.Name, limit: most}).spend(ctx, clock, 0)
		if err != nil {
			return paid, err
		}
		paid.units = append(paid.units, u)
	}
	return paid, nil
}

func limited(after time.Duration, format string, args ...any) error {
	err := Errorf(RateLimited, format, args...)
	err.RetryAfter = after
	return err
}

// day gives the ledger of a client's daily budget.
func (b *budgets) day(name dayBudget) *ledger {
	b.mu.Lock()
	defer b.mu.Unlock()
	l, ok := b.days[name]
	if !ok {
		l = newLedger(b.store, "client/"+name.client, name.limit, quotaZone{shanghai}, BudgetExhausted)
		b.days[name] = l
	}
	return l
}

// LimitAddresses changes Policy.AddressGenerations.
func (b *Broker) LimitAddresses(generations int) { b.budgets.perAddress.Store(int64(generations)) }

// Spent says how many generations of today count against the daily budget of a client: 0 if it has none.
func (b *Broker) Spent(ctx context.Context, client Client) (int64, error) {
	if client.Grant.GenerationsPerDay == 0 {
		return 0, nil
	}
	day := b.budgets.day(dayBudget{client: client.Name, limit: client.Grant.GenerationsPerDay})
	return day.used(ctx, b.clock())
}

// release gives reserved units back.
func (b *budgets) release(ctx context.Context) error {
	b.mu.Lock()
	days := slices.Collect(maps.Values(b.days))
	b.mu.Unlock()
	var all error
	for _, l := range days {
		all = errors.Join(all, l.release(ctx))
	}
	return all
}
