package cache

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"linkbroker/broker"
)

// AppendAudit stores an entry under the next ID. An ID of which no entry comes is given to no other.
func (r *Redis) AppendAudit(ctx context.Context, entry broker.AuditEntry) error {
	id, err := r.write(ctx, r.client.B().Incr().Key(r.key(redisAuditID, "")).Build()).AsInt64()
	if err != nil {
		return failed("writing the audit", err)
	}
	entry.ID = uint64(id) //nolint:gosec // counts up from 1
	record, err := encodeAudit(entry)
	if err != nil {
		return failed("writing the audit", err)
	}
	return failed("writing the audit", r.write(ctx, r.client.B().Zadd().Key(r.key(redisAudit, "")).ScoreMember().
		ScoreMember(float64(id), string(record)).Build()).Error())
}

// ListAudit gives a page of the audit, newest first.
func (r *Redis) ListAudit(ctx context.Context, before uint64, limit int) ([]broker.AuditEntry, error) {
	var entries []broker.AuditEntry
	highest := "+inf"
	for len(entries) < limit {
		if before != 0 {
			highest = fmt.Sprintf("(%d", before)
		}
		most := min(pageSize, limit-len(entries))
		page, err := r.do(ctx, r.client.B().Zrange().Key(r.key(redisAudit, "")).Min(highest).Max("-inf").
			Byscore().Rev().Limit(0, int64(most)).Withscores().Build()).AsZScores()
		if err != nil {
			return nil, failed("reading the audit", err)
		}
		for _, item := range page {
			before = uint64(item.Score)
			if entry, ok := r.auditEntry(item); ok {
				entries = append(entries, entry)
			}
		}
		if len(page) < most {
			break
		}
	}
	return entries, nil
}

// auditEntry reads a record, and counts a damaged one.
func (r *Redis) auditEntry(item rueidis.ZScore) (broker.AuditEntry, bool) {
	entry, err := decodeAudit(auditKey(uint64(item.Score)), []byte(item.Member))
	if err != nil {
		r.skip(fmt.Sprint(redisAudit, item.Score), err)
	}
	return entry, err == nil
}

// PurgeAudit deletes the oldest entries, up to the first that is young enough.
func (r *Redis) PurgeAudit(ctx context.Context, before time.Time) (int, error) {
	purged := 0
	for {
		page, err := r.do(ctx, r.client.B().Zrange().Key(r.key(redisAudit, "")).Min("0").Max(strconv.Itoa(purgeBite-1)).
			Withscores().Build()).AsZScores()
		if err != nil {
			return purged, failed("purging the audit", err)
		}
		past := 0
		for ; past < len(page); past++ {
			if entry, ok := r.auditEntry(page[past]); ok && !entry.At.Before(before) {
				break
			}
		}
		if past == 0 {
			return purged, nil
		}
		last := strconv.FormatFloat(page[past-1].Score, 'f', 0, 64)
		n, err := r.write(ctx, r.client.B().Zremrangebyscore().Key(r.key(redisAudit, "")).Min("-inf").Max(last).Build()).AsInt64()
		if purged += int(n); err != nil || past < purgeBite {
			return purged, failed("purging the audit", err)
		}
	}
}
