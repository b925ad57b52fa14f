package cache

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// PurgeLinks deletes links that have ended, beginning with the shard at which the last call has stopped.
func (r *Redis) PurgeLinks(ctx context.Context, before time.Time, limit int) (int, error) {
	purged, at := 0, int(r.purgeAt.Load())
	for seen := 0; seen < redisShards && purged < limit; {
		last := min(at+shardsAtOnce, redisShards)
		ends, err := r.endsOf(ctx, at, last, func(key string) rueidis.Completed {
			return r.client.B().Zrange().Key(key).Min("-inf").Max(strconv.FormatInt(before.Unix(), 10)).
				Byscore().Limit(0, int64(limit-purged)).Withscores().Build()
		})
		if err != nil {
			return purged, failed("purging links", err)
		}
		for len(ends) > 0 && purged < limit {
			bite := ends[:min(len(ends), purgeBite, limit-purged)]
			n, err := r.purge(ctx, bite, before)
			if purged += n; err != nil {
				return purged, failed("purging links", err)
			}
			ends = ends[len(bite):]
		}
		seen += last - at
		if at = last % redisShards; len(ends) > 0 {
			at = shard(ends[0].key)
		}
	}
	r.purgeAt.Store(int64(at))
	return purged, nil
}

// purge deletes those of the ends that lie before a moment, and the entries that lead nowhere.
func (r *Redis) purge(ctx context.Context, ends []redisEnd, before time.Time) (purged int, err error) {
	commands := make([]rueidis.Completed, 0, len(ends))
	for _, end := range ends {
		commands = append(commands, r.client.B().Get().Key(r.ofLink(redisLink, end.key)).Build())
	}
	var calls []call
	var sound []bool // only those count
	for i, result := range r.doAll(ctx, commands) {
		record, err := found(result)
		if err != nil {
			return 0, err
		}
		link, lost := r.decode(ends[i].key, record)
		if lost == nil && !link.ExpiresAt.Before(before) {
			continue
		}
		sound = append(sound, lost == nil)
		drop := r.dropLink(ends[i].key)
		calls = append(calls, call{drop.keys, drop.arguments(record, nil)})
	}
	for i, result := range r.runEach(ctx, deleteLink, calls) {
		_, swapped, err := swappedIn(result) // not if somebody has renewed it since
		if err != nil {
			return purged, err
		}
		if swapped && sound[i] {
			purged++
		}
	}
	return purged, nil
}
