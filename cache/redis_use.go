package cache

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"linkbroker/broker"
)

// The uses of a link since it was first stored here are a hash of numbers by the day (broker.DayNumber), of those of earlier
// days in all, and of the last moment. They are no part of the record, for all brokers remember that until it changes.
const (
	usesEarlier = "earlier"
	usesLast    = "last" // in nanoseconds since 1970, with leading zeros: Lua's numbers are not that fine, so texts are compared
)

// usesDays is how many days are told apart, somewhat more than broker.DailyUses needs.
const usesDays = 32

// touchLink adds a use to a link that is there. On the first of a day it looks after what has grown old.
var touchLink = newScript(`
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local last = redis.call('HGET', KEYS[2], 'last')
if not last or last < ARGV[2] then redis.call('HSET', KEYS[2], 'last', ARGV[2]) end
if redis.call('HINCRBY', KEYS[2], ARGV[3], ARGV[1]) > tonumber(ARGV[1]) then return 1 end
for _, day in ipairs(redis.call('HKEYS', KEYS[2])) do
	if (tonumber(day) or math.huge) < tonumber(ARGV[4]) then
		redis.call('HINCRBY', KEYS[2], 'earlier', redis.call('HGET', KEYS[2], day))
		redis.call('HDEL', KEYS[2], day)
	end
end
local life = redis.call('PTTL', KEYS[1])
if life > 0 then redis.call('PEXPIRE', KEYS[2], life) end
return 1`)

// TouchLinks adds uses, each by itself. What is wrong with one is found before any is added.
func (r *Redis) TouchLinks(ctx context.Context, uses []broker.Use) error {
	calls := make([]call, 0, len(uses))
	for _, use := range uses {
		if err := storableMoment(use.UsedAt); err != nil {
			return failed("counting uses", err)
		}
		day := broker.DayNumber(use.UsedAt)
		calls = append(calls, call{
			keys: []string{r.ofLink(redisLink, use.Key), r.ofLink(redisUses, use.Key)},
			args: []string{
				strconv.FormatUint(use.Count, 10), usedAt(use.UsedAt),
				strconv.FormatInt(day, 10), strconv.FormatInt(day-usesDays, 10),
			},
		})
	}
	return failed("counting uses", firstError(r.runEach(ctx, touchLink, calls)))
}

func usedAt(t time.Time) string {
	if t.IsZero() {
		return fmt.Sprintf("%019d", 0)
	}
	return fmt.Sprintf("%019d", t.UnixNano())
}

// withUses adds what is kept of a link's uses. What makes no sense is no use.
func withUses(link broker.Link, fields map[string]string) broker.Link {
	for name, number := range fields {
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || n < 0 {
			continue
		}
		day, err := strconv.ParseInt(name, 10, 32)
		switch {
		case name == usesEarlier:
			link.Uses += uint64(n)
		case name == usesLast && n > 0:
			if last := time.Unix(0, n).UTC(); last.After(link.UsedAt) && storableMoment(last) == nil {
				link.UsedAt = last
			}
		case err == nil && day >= 0 && storableMoment(broker.DayNumbered(day)) == nil:
			used := link.UsedAt
			link = link.Touched(broker.Use{Count: uint64(n), UsedAt: broker.DayNumbered(day)})
			link.UsedAt = used
		}
	}
	return link
}
