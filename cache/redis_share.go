package cache

import "context"

// shareUse says that a broker uses something, and counts who has said so lately, by the one clock that all of them have.
var shareUse = newScript(`
local now = redis.call('TIME')
local at = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', at - ARGV[2])
redis.call('ZADD', KEYS[1], at, ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('ZCARD', KEYS[1])`)

// Share says that this broker uses something, and how many do.
func (r *Redis) Share(ctx context.Context, name string) (brokers int, err error) {
	key := r.key(redisUsers, "{"+name+"}")
	n, err := r.runPassing(ctx, shareUse, []string{key}, []string{r.name, millis(r.pace.share)}).AsInt64()
	return int(n), failed("counting who shares", err)
}
