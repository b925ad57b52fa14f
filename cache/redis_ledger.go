package cache

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/redis/rueidis"
)

// The record of a day says how much each broker has reserved. What this one was granted it knows best: Redis may have lost it,
// by a failover or a restart without a file, or may have counted what nobody was told of. So each sets its own part right
// with whatever it reserves next, and all that it knows of once Redis is back.

// grants are what this broker was granted.
type grants struct {
	one chan struct{} // held while it is changed in Redis too: of two at once, each would undo the other's

	mu   sync.Mutex
	days map[quotaDay]int64
}

func newGrants() grants { return grants{one: make(chan struct{}, 1), days: make(map[quotaDay]int64)} }

func (g *grants) of(day quotaDay) int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.days[day]
}

func (g *grants) add(day quotaDay, n int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.days[day] += n
}

func (g *grants) all() map[quotaDay]int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.days)
}

func (g *grants) forget(before string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	maps.DeleteFunc(g.days, func(q quotaDay, _ int64) bool { return q.day < before })
}

// ReserveQuota takes units for an account on a day. A damaged count is an error: to begin again at 0 could overspend. If it fails
// after the count was changed, units are taken for nothing, but only until this broker reserves again.
func (r *Redis) ReserveQuota(ctx context.Context, account, day string, n, limit int64) (granted, total int64, err error) {
	select {
	case r.grants.one <- struct{}{}:
		defer func() { <-r.grants.one }()
	case <-ctx.Done():
		return 0, 0, failed("reserving quota", ctx.Err())
	}
	q := quotaDay{account, day}
	own := r.grants.of(q)
	err = r.changeDay(ctx, q, func(parts quotaParts) {
		parts.set(r.name, own)
		reserved := parts.sum()
		granted = max(reserve(reserved, n, limit), -own)
		total = reserved + granted
		parts.set(r.name, own+granted)
	})
	if err != nil {
		return 0, 0, failed("reserving quota", err)
	}
	r.grants.add(q, granted)
	return granted, total, nil
}

// restoreGrants writes again what this broker was granted. A server that has come back may have lost it.
func (r *Redis) restoreGrants(ctx context.Context) error {
	select {
	case r.grants.one <- struct{}{}:
		defer func() { <-r.grants.one }()
	case <-ctx.Done():
		return failed("restoring the ledger", ctx.Err())
	}
	for q, own := range r.grants.all() {
		if err := r.changeDay(ctx, q, func(parts quotaParts) { parts.set(r.name, own) }); err != nil {
			return failed("restoring the ledger", err)
		}
	}
	return nil
}

// changeDay changes the record of a day.
func (r *Redis) changeDay(ctx context.Context, q quotaDay, change func(quotaParts)) error {
	kept, err := r.readDay(ctx, q.account, q.day)
	if err != nil {
		return err
	}
	if kept == nil { // before there is anything that PurgeQuota would have to find
		if err := r.write(ctx, r.client.B().Sadd().Key(r.key(redisAccounts, "")).Member(q.account).Build()).Error(); err != nil {
			return err
		}
	}
	key := ledgerKey(q.account, q.day)
	count := swap{script: swapField, keys: []string{r.ledger(q.account)}, args: []string{q.day}}
	return r.exchange(ctx, count, kept, func(kept []byte) ([]byte, error) {
		parts, err := decodeParts(key, kept)
		if err != nil {
			return nil, err
		}
		before := maps.Clone(parts)
		if change(parts); maps.Equal(before, parts) {
			return nil, errLeft
		}
		return parts.encode(key, r.name), nil
	})
}

// ReservedQuota says how much is reserved.
func (r *Redis) ReservedQuota(ctx context.Context, account, day string) (int64, error) {
	kept, err := r.readDay(ctx, account, day)
	if err != nil {
		return 0, failed("reading the ledger", err)
	}
	parts, err := decodeParts(ledgerKey(account, day), kept)
	return parts.sum(), failed("reading the ledger", err)
}

func (r *Redis) readDay(ctx context.Context, account, day string) ([]byte, error) {
	return found(r.do(ctx, r.client.B().Hget().Key(r.ledger(account)).Field(day).Build()))
}

// PurgeQuota forgets the days before the one given. An account is not forgotten: somebody may just be beginning its next day.
func (r *Redis) PurgeQuota(ctx context.Context, before string) error {
	r.grants.forget(before)
	accounts, err := r.do(ctx, r.client.B().Smembers().Key(r.key(redisAccounts, "")).Build()).AsStrSlice()
	if err != nil {
		return failed("purging the ledger", err)
	}
	commands := make([]rueidis.Completed, 0, len(accounts))
	for _, account := range accounts {
		commands = append(commands, r.client.B().Hkeys().Key(r.ledger(account)).Build())
	}
	for i, result := range r.doAll(ctx, commands) {
		days, err := result.AsStrSlice()
		if err != nil {
			return failed("purging the ledger", err)
		}
		past := slices.DeleteFunc(days, func(day string) bool { return day >= before })
		if len(past) == 0 {
			continue
		}
		if err := r.write(ctx, r.client.B().Hdel().Key(r.ledger(accounts[i])).Field(past...).Build()).Error(); err != nil {
			return failed("purging the ledger", err)
		}
	}
	return nil
}

func (r *Redis) ledger(account string) string { return r.key(redisLedger, "{"+account+"}") }
