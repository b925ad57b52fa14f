package cache

import (
	"context"
	"errors"

	"github.com/redis/rueidis"
)

// errLeft says that a record is to stay as it is.
var errLeft = errors.New("nothing is to be changed")

// Scripts that swap a record. The first two of their arguments are what they expect to find and what shall be there instead,
// empty for nothing. They answer 1, or what they have found instead. What is decided about a record is decided in Go, by the
// rules that hold for every store: a script only sees to it that nobody was faster.
var (
	swapRecord = newScript(`
local kept = redis.call('GET', KEYS[1]) or ''
if kept ~= ARGV[1] then return kept end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return 1`)

	swapField = newScript(`
local kept = redis.call('HGET', KEYS[1], ARGV[3]) or ''
if kept ~= ARGV[1] then return kept end
if ARGV[2] == '' then redis.call('HDEL', KEYS[1], ARGV[3]) else redis.call('HSET', KEYS[1], ARGV[3], ARGV[2]) end
return 1`)
)

// swap is what a script needs to swap a record.
type swap struct {
	script script
	keys   []string
	args   []string // after the first two
}

// exchange replaces what is kept by what change makes of it, and again for as long as somebody else is faster: of all who try
// one always succeeds. What is given as kept may be a guess. An error of change is given back, except errLeft.
func (r *Redis) exchange(ctx context.Context, s swap, kept []byte, change func(kept []byte) (fresh []byte, err error)) error {
	for {
		fresh, err := change(kept)
		switch {
		case errors.Is(err, errLeft):
			return nil
		case err != nil:
			return err
		}
		found, swapped, err := swappedIn(r.run(ctx, s.script, s.keys, s.arguments(kept, fresh)))
		if err != nil || swapped {
			return err
		}
		kept = found
	}
}

func (s swap) arguments(kept, fresh []byte) []string {
	return append([]string{string(kept), string(fresh)}, s.args...)
}

// swappedIn reads a script's answer.
func swappedIn(result rueidis.RedisResult) (found []byte, swapped bool, err error) {
	answer, err := result.ToMessage()
	if err != nil || answer.IsInt64() {
		return nil, err == nil, err
	}
	found, err = answer.AsBytes()
	return some(found), false, err
}

// found gives a record, nil if there is none.
func found(result rueidis.RedisResult) ([]byte, error) {
	record, err := result.AsBytes()
	if rueidis.IsRedisNil(err) {
		return nil, nil
	}
	return some(record), err
}

// some is nil for what is empty: no record is.
func some(record []byte) []byte {
	if len(record) == 0 {
		return nil
	}
	return record
}
