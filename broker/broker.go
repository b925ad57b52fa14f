package broker

import (
	"context"
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
	generator Generator
	policy    Policy
	clock     Clock
}

// New makes a broker. It starts nothing: whoever made it calls Purge, Prewarm and Flush from time to time, and
// Drain at the end.
func New(store Store, generator Generator, policy Policy, clock Clock) *Broker {
	return &Broker{store: store, generator: generator, policy: policy.withDefaults(), clock: clock}
}

// Get answers a request: from the store while the stored link is good, otherwise with a link generated now.
func (b *Broker) Get(ctx context.Context, req Request) (Answer, error) { panic("") }

// Apps gives the configured apps.
func (b *Broker) Apps() []App { return b.policy.Apps }

// Link gives one stored link, dead or alive.
func (b *Broker) Link(ctx context.Context, key Key) (Link, error) { panic("") }

// Links gives a page of the stored links.
func (b *Broker) Links(ctx context.Context, q Query) (Page, error) { panic("") }

// Delete forgets a link: the next request for its target generates a fresh one.
func (b *Broker) Delete(ctx context.Context, key Key) error { panic("") }

// Renew generates a fresh link for a stored one. It spends quota.
func (b *Broker) Renew(ctx context.Context, key Key) (Answer, error) { panic("") }

// Pin keeps a link warm whether or not it is used, or no longer.
func (b *Broker) Pin(ctx context.Context, key Key, pinned bool) (Link, error) { panic("") }

// Purge deletes what is dead.
func (b *Broker) Purge(ctx context.Context) (Counts, error) { panic("") }

// Prewarm generates fresh links for targets that are in demand and near their end.
func (b *Broker) Prewarm(ctx context.Context) (Counts, error) { panic("") }

// Flush writes the uses counted in memory and retries writes that failed.
func (b *Broker) Flush(ctx context.Context) (Counts, error) { panic("") }

// Drain waits until no call to WeChat is in flight, gives unused quota back and flushes.
func (b *Broker) Drain(ctx context.Context) error { panic("") }

// Quotas says how each app stands with its quota.
func (b *Broker) Quotas(ctx context.Context) ([]Quota, error) { panic("") }

// Quota is how an app stands with its quota of one day.
type Quota struct {
	App         string
	Day         string // ISO 8601, in the app's quota zone
	Limit       int64
	Used        int64     // units spent; a crash may count a few units as spent that were not
	ResetsAt    time.Time // when the next quota day begins
	ClosedUntil time.Time // zero unless WeChat said that the day's quota is used up
	Rate        float64   // calls a second that WeChat is asked now
	PrewarmLeft int64     // units pre-warming may still spend today
}

// AssumeSpent counts at least this share of today's quota of every app as spent: after a backup was restored,
// whose ledger is older than the truth.
func (b *Broker) AssumeSpent(ctx context.Context, share float64) error { panic("") }
