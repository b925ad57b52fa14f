package cache

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"linkbroker/broker"
)

// redisGrace is how long after its end Redis forgets a link by itself, if nobody purges it. It is longer than what the domain
// waits before it purges.
const redisGrace = 24 * time.Hour

// Scripts that change a link and its place among the ends. A new link begins without uses: Redis may have forgotten an old one
// and not yet its uses. What the ends are kept in lives as long as the last of them.
var (
	putLink = newScript(`
local kept = redis.call('GET', KEYS[1]) or ''
if kept ~= ARGV[1] then return kept end
if kept == '' then redis.call('DEL', KEYS[2]) end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
redis.call('ZADD', KEYS[3], ARGV[4], ARGV[5])
if redis.call('PTTL', KEYS[3]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[3], ARGV[3]) end
return 1`)

	deleteLink = newScript(`
local kept = redis.call('GET', KEYS[1]) or ''
if kept ~= ARGV[1] then return kept end
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('ZREM', KEYS[3], ARGV[3])
return 1`)
)

// Link finds one link.
func (r *Redis) Link(ctx context.Context, key broker.Key) (broker.Link, error) {
	links, err := r.readLinks(ctx, []broker.Key{key})
	switch {
	case err != nil:
		return broker.Link{}, failed("reading a link", err)
	case len(links) == 0:
		return broker.Link{}, noLink(key)
	}
	return links[0], nil
}

// readLinks reads links in one round trip. Those that are missing or damaged are left out.
func (r *Redis) readLinks(ctx context.Context, keys []broker.Key) ([]broker.Link, error) {
	pieces, err := r.readPieces(ctx, keys)
	if err != nil {
		return nil, err
	}
	links := make([]broker.Link, 0, len(pieces))
	for i, key := range keys {
		if link, err := r.decode(key, pieces[i].record); err == nil {
			links = append(links, withUses(link, pieces[i].uses))
		}
	}
	return links, nil
}

// linkPieces is what Redis keeps of a link.
type linkPieces struct {
	record []byte // nil = there is no such link
	uses   map[string]string
}

// readPieces reads what is kept of links, in one round trip.
func (r *Redis) readPieces(ctx context.Context, keys []broker.Key) ([]linkPieces, error) {
	commands := make([]rueidis.Completed, 0, 2*len(keys))
	for _, key := range keys {
		commands = append(commands,
			r.client.B().Get().Key(r.ofLink(redisLink, key)).Build(),
			r.client.B().Hgetall().Key(r.ofLink(redisUses, key)).Build())
	}
	results := r.doAll(ctx, commands)
	pieces := make([]linkPieces, len(keys))
	for i := range pieces {
		record, err := found(results[2*i])
		if err != nil {
			return nil, err
		}
		uses, err := results[2*i+1].AsStrMap()
		if err != nil {
			return nil, err
		}
		pieces[i] = linkPieces{record, uses}
	}
	return pieces, nil
}

// decode reads the record of a link, and counts a damaged one.
func (r *Redis) decode(key broker.Key, record []byte) (broker.Link, error) {
	if record == nil {
		return broker.Link{}, errMissing
	}
	link, err := decodeLink(key, record)
	if err != nil {
		r.skip(redisLink+key.String(), err)
	}
	return link, err
}

func (r *Redis) readRecord(ctx context.Context, key string) ([]byte, error) {
	return found(r.do(ctx, r.client.B().Get().Key(key).Build()))
}

// PutLink stores a link. Most are new, so that is tried before anything is read. The uses of an earlier one stay where they are,
// so that none is lost.
func (r *Redis) PutLink(ctx context.Context, link broker.Link) error {
	record, err := encodeLink(link)
	if err != nil {
		return failed("storing a link", err)
	}
	life := r.life(link)
	if err := r.listURL(ctx, link, life); err != nil {
		return failed("storing a link", err)
	}
	put := r.swapLink(putLink, link.Key, millis(life), strconv.FormatInt(link.ExpiresAt.Unix(), 10), string(link.Key[:]))
	return failed("storing a link", r.exchange(ctx, put, nil, func(kept []byte) ([]byte, error) {
		if old, err := r.decode(link.Key, kept); err == nil {
			return encodeLink(link.Replacing(old))
		}
		return record, nil
	}))
}

// life is how long Redis keeps a link. It is told how long and not until when, for its clock need not be ours.
func (r *Redis) life(link broker.Link) time.Duration {
	return max(link.ExpiresAt.Sub(r.clock()), 0) + redisGrace
}

func (r *Redis) swapLink(s script, key broker.Key, args ...string) swap {
	return swap{s, []string{r.ofLink(redisLink, key), r.ofLink(redisUses, key), r.inShard(redisEnds, shard(key))}, args}
}

func (r *Redis) dropLink(key broker.Key) swap { return r.swapLink(deleteLink, key, string(key[:])) }

// PinLink sets or takes away the pin.
func (r *Redis) PinLink(ctx context.Context, key broker.Key, pinned bool) error {
	kept, err := r.readRecord(ctx, r.ofLink(redisLink, key))
	if err != nil {
		return failed("pinning a link", err)
	}
	pin := swap{script: swapRecord, keys: []string{r.ofLink(redisLink, key)}}
	return failed("pinning a link", r.exchange(ctx, pin, kept, func(kept []byte) ([]byte, error) {
		link, err := r.decode(key, kept)
		switch {
		case err != nil:
			return nil, noLink(key)
		case link.Pinned == pinned:
			return nil, errLeft
		}
		link.Pinned = pinned
		return encodeLink(link)
	}))
}

// DeleteLink forgets one link. A damaged record is deleted too, but was no link.
func (r *Redis) DeleteLink(ctx context.Context, key broker.Key) error {
	kept, err := r.readRecord(ctx, r.ofLink(redisLink, key))
	if err != nil {
		return failed("deleting a link", err)
	}
	lost := error(nil)
	err = r.exchange(ctx, r.dropLink(key), kept, func(kept []byte) ([]byte, error) {
		if _, lost = r.decode(key, kept); errors.Is(lost, errMissing) {
			return nil, errLeft
		}
		return nil, nil
	})
	if err == nil && lost != nil {
		return noLink(key)
	}
	return failed("deleting a link", err)
}
