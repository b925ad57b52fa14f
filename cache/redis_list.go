package cache

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"linkbroker/broker"
)

const (
	// shardsAtOnce is how many shards are asked in one round trip.
	shardsAtOnce = 512

	// endsAtOnce is how many ends are held at once: a few for each shard, or most commands would find none.
	endsAtOnce = 4 * redisShards
)

// ListLinks gives a page of links in the order of their keys.
func (r *Redis) ListLinks(ctx context.Context, after broker.Key, limit int) ([]broker.Link, error) {
	links := []broker.Link{}
	for at := shard(after); at < redisShards && len(links) < limit; {
		keys, next, err := r.keysFrom(ctx, at, after, limit-len(links))
		if err != nil {
			return nil, failed("listing links", err)
		}
		at = next
		for page := range slices.Chunk(keys, pageSize) {
			if len(links) >= limit {
				break
			}
			more, err := r.readLinks(ctx, page[:min(len(page), limit-len(links))])
			if err != nil {
				return nil, failed("listing links", err)
			}
			links = append(links, more...)
		}
	}
	return links, nil
}

// keysFrom gives the keys behind one, in order, of as many shards as have so many together, and the shard after those.
func (r *Redis) keysFrom(ctx context.Context, first int, after broker.Key, want int) (keys []broker.Key, next int, err error) {
	last := min(first+shardsAtOnce, redisShards)
	sizes, err := r.numbers(ctx, first, last, r.countLinks)
	if err != nil {
		return nil, 0, err
	}
	var commands []rueidis.Completed
	for n := int64(0); first < last && n < int64(want); first++ {
		if size := sizes[0]; size > 0 {
			n += size
			commands = append(commands, r.client.B().Zrange().Key(r.inShard(redisEnds, first)).Min("0").Max("-1").Build())
		}
		sizes = sizes[1:]
	}
	for _, result := range r.doAll(ctx, commands) {
		names, err := result.AsStrSlice()
		if err != nil {
			return nil, 0, err
		}
		keys = append(keys, linkKeys(names)...)
	}
	if after != (broker.Key{}) {
		keys = slices.DeleteFunc(keys, func(key broker.Key) bool { return compareKeys(key, after) <= 0 })
	}
	slices.SortFunc(keys, compareKeys)
	return keys, first, nil
}

// countLinks asks a shard for the number of its links.
func (r *Redis) countLinks(ends string) rueidis.Completed {
	return r.client.B().Zcard().Key(ends).Build()
}

// sum asks all shards for a number, and adds them up.
func (r *Redis) sum(ctx context.Context, of func(ends string) rueidis.Completed) (sum int64, err error) {
	for first := 0; first < redisShards; first += shardsAtOnce {
		numbers, err := r.numbers(ctx, first, first+shardsAtOnce, of)
		if err != nil {
			return 0, err
		}
		for _, n := range numbers {
			sum += n
		}
	}
	return sum, nil
}

// numbers asks each of a row of shards for a number.
func (r *Redis) numbers(ctx context.Context, first, last int, of func(ends string) rueidis.Completed) ([]int64, error) {
	commands := make([]rueidis.Completed, 0, last-first)
	for i := first; i < last; i++ {
		commands = append(commands, of(r.inShard(redisEnds, i)))
	}
	numbers := make([]int64, 0, len(commands))
	for _, result := range r.doAll(ctx, commands) {
		n, err := result.AsInt64()
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
}

// stretch is a stretch of time in seconds, from <= second < to, in which about so many links end.
type stretch struct{ from, to, ends int64 }

// ExpiringLinks walks over the links that end in a stretch of time. In no one place is there an order of all ends: the stretch
// is halved until what ends in it can be sorted here.
func (r *Redis) ExpiringLinks(ctx context.Context, from, to time.Time) iter.Seq2[broker.Link, error] {
	return func(yield func(broker.Link, error) bool) {
		whole := stretch{from: max(from.Unix(), 0), to: min(to.Unix(), lastMoment)}
		var err error
		if whole.ends, err = r.countEnds(ctx, whole); err != nil {
			yield(broker.Link{}, failed("walking over the links", err))
			return
		}
		for left := []stretch{whole}; len(left) > 0; {
			s := left[len(left)-1]
			left = left[:len(left)-1]
			if s.ends > endsAtOnce && s.to-s.from > 1 {
				first, second, err := r.halve(ctx, s)
				if err != nil {
					yield(broker.Link{}, failed("walking over the links", err))
					return
				}
				left = append(left, second, first)
				continue
			}
			if !r.walk(ctx, s, yield) {
				return
			}
		}
	}
}

func (r *Redis) halve(ctx context.Context, s stretch) (first, second stretch, err error) {
	middle := s.from + (s.to-s.from)/2
	first = stretch{from: s.from, to: middle}
	first.ends, err = r.countEnds(ctx, first)
	return first, stretch{from: middle, to: s.to, ends: s.ends - first.ends}, err
}

func (r *Redis) countEnds(ctx context.Context, s stretch) (int64, error) {
	if s.from >= s.to {
		return 0, nil
	}
	return r.sum(ctx, func(ends string) rueidis.Completed {
		return r.client.B().Zcount().Key(ends).Min(strconv.FormatInt(s.from, 10)).Max(strconv.FormatInt(s.to-1, 10)).Build()
	})
}

// walk yields the links that end in a stretch.
func (r *Redis) walk(ctx context.Context, s stretch, yield func(broker.Link, error) bool) (goOn bool) {
	ends, err := r.readEnds(ctx, s)
	for page := range slices.Chunk(ends, pageSize) {
		if err != nil {
			break
		}
		keys := make([]broker.Key, 0, len(page))
		for _, end := range page {
			keys = append(keys, end.key)
		}
		var links []broker.Link
		links, err = r.readLinks(ctx, keys)
		for _, link := range links {
			if end := link.ExpiresAt.Unix(); end >= s.from && end < s.to && !yield(link, nil) {
				return false
			}
		}
	}
	if err != nil {
		yield(broker.Link{}, failed("walking over the links", err))
	}
	return err == nil
}

// redisEnd is an entry among the ends.
type redisEnd struct {
	second int64
	key    broker.Key
}

// readEnds gives the ends in a stretch, in order.
func (r *Redis) readEnds(ctx context.Context, s stretch) (ends []redisEnd, err error) {
	if s.from >= s.to {
		return nil, nil
	}
	for first := 0; first < redisShards; first += shardsAtOnce {
		some, err := r.endsOf(ctx, first, first+shardsAtOnce, func(key string) rueidis.Completed {
			return r.client.B().Zrange().Key(key).Min(strconv.FormatInt(s.from, 10)).Max(strconv.FormatInt(s.to-1, 10)).
				Byscore().Withscores().Build()
		})
		if err != nil {
			return nil, err
		}
		ends = append(ends, some...)
	}
	slices.SortFunc(ends, func(a, b redisEnd) int {
		return cmp.Or(cmp.Compare(a.second, b.second), compareKeys(a.key, b.key))
	})
	return ends, nil
}

// endsOf asks each of a row of shards for ends.
func (r *Redis) endsOf(ctx context.Context, first, last int, of func(key string) rueidis.Completed) (ends []redisEnd, err error) {
	commands := make([]rueidis.Completed, 0, last-first)
	for i := first; i < last; i++ {
		commands = append(commands, of(r.inShard(redisEnds, i)))
	}
	for _, result := range r.doAll(ctx, commands) {
		scores, err := result.AsZScores()
		if err != nil {
			return nil, err
		}
		for _, score := range scores {
			if len(score.Member) == len(broker.Key{}) {
				ends = append(ends, redisEnd{int64(score.Score), broker.Key([]byte(score.Member))})
			}
		}
	}
	return ends, nil
}
