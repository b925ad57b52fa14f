package cache

import (
	"context"

	"github.com/redis/rueidis"
)

// ReserveQuota takes units for an account on a day. A damaged count is an error: to begin again at 0 could overspend. If it fails
// after the count was changed, units are taken for nothing, but never given twice.
func (r *Redis) ReserveQuota(ctx context.Context, account, day string, n, limit int64) (granted, total int64, err error) {
	kept, err := r.readDay(ctx, account, day)
	if err != nil {
		return 0, 0, failed("reserving quota", err)
	}
	if kept == nil { // before there is anything that PurgeQuota would have to find
		if err := r.write(ctx, r.client.B().Sadd().Key(r.key(redisAccounts, "")).Member(account).Build()).Error(); err != nil {
			return 0, 0, failed("reserving quota", err)
		}
	}
	key := ledgerKey(account, day)
	count := swap{script: swapField, keys: []string{r.ledger(account)}, args: []string{day}}
	err = r.exchange(ctx, count, kept, func(kept []byte) ([]byte, error) {
		reserved, err := decodeCount(key, kept)
		if err != nil {
			return nil, err
		}
		granted = reserve(reserved, n, limit)
		if total = reserved + granted; granted == 0 {
			return nil, errLeft
		}
		return encodeCount(key, total), nil
	})
	if err != nil {
		return 0, 0, failed("reserving quota", err)
	}
	return granted, total, nil
}

// ReservedQuota says how much is reserved.
func (r *Redis) ReservedQuota(ctx context.Context, account, day string) (int64, error) {
	kept, err := r.readDay(ctx, account, day)
	if err != nil {
		return 0, failed("reading the ledger", err)
	}
	reserved, err := decodeCount(ledgerKey(account, day), kept)
	return reserved, failed("reading the ledger", err)
}

func (r *Redis) readDay(ctx context.Context, account, day string) ([]byte, error) {
	return found(r.do(ctx, r.client.B().Hget().Key(r.ledger(account)).Field(day).Build()))
}

// PurgeQuota forgets the days before the one given. An account is not forgotten: somebody may just be beginning its next day.
func (r *Redis) PurgeQuota(ctx context.Context, before string) error {
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
		past := days[:0]
		for _, day := range days {
			if day < before {
				past = append(past, day)
			}
		}
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
