package cache

import (
	"context"
	"encoding/binary"
	"math"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"linkbroker/broker"
)

// hoursAtOnce is how many hours are read together. In each there may be every alias.
const hoursAtOnce = 64

// What a place among the counts begins with: hours come first, then the days of each series.
const (
	placeHour = 'h'
	placeDays = 'd'
)

func (r *redisRecords) statRecords(ctx context.Context, place []byte, about int) (page []record, next []byte, err error) {
	if place != nil && place[0] == placeDays {
		return r.dayRecords(ctx, place[1:], about)
	}
	from := uint64(0)
	if place != nil {
		from = binary.BigEndian.Uint64(place[1:]) + 1
	}
	hours, err := r.hoursBetween(ctx, from, math.MaxInt64)
	if err != nil {
		return nil, nil, err
	}
	if len(hours) == 0 {
		return nil, []byte{placeDays}, nil
	}
	names := make([]string, 0, hoursAtOnce)
	for _, hour := range hours[:min(hoursAtOnce, len(hours))] {
		names = append(names, strconv.FormatUint(hour, 10))
	}
	hashes, err := r.hashes(ctx, names, func(hour string) string { return r.key(redisHour, hour) })
	for i, hash := range hashes {
		for series, value := range hash {
			page = append(page, record{keyOfStat(series, broker.Hourly, hours[i]), []byte(value)})
		}
	}
	return page, binary.BigEndian.AppendUint64([]byte{placeHour}, hours[len(names)-1]), err
}

func (r *redisRecords) dayRecords(ctx context.Context, place []byte, about int) (page []record, next []byte, err error) {
	if len(place) == 0 {
		place = nil
	}
	series, last, err := r.namesBehind(ctx, redisDays, place, min(about, commandsAtOnce))
	if err != nil {
		return nil, nil, err
	}
	hashes, err := r.hashes(ctx, series, func(series string) string { return r.key(redisDays, series) })
	for i, hash := range hashes {
		for field, value := range hash {
			page = append(page, record{keyOfDay(series[i], field), []byte(value)})
		}
	}
	if last != nil {
		next = append([]byte{placeDays}, last...)
	}
	return page, next, err
}

// keyOfStat gives what the record of a stat is sealed with, and has as its key elsewhere.
func keyOfStat(series string, grain broker.Grain, second uint64) []byte {
	within := rangeFor(broker.Stat{Series: series, Grain: grain, At: time.Unix(int64(second), 0)}) //nolint:gosec // was an int64
	return within.key()
}

func keyOfDay(series, field string) []byte {
	second, err := strconv.ParseUint(field, 10, 63)
	if err != nil { // redisTotal
		return keyOfStat(series, broker.Total, 0)
	}
	return keyOfStat(series, broker.Daily, second)
}

func (r *redisRecords) putStat(p record) []rueidis.Completed {
	s, at := seriesOf(p.key)
	second, value := strconv.FormatUint(at, 10), string(p.value)
	if s.grain == broker.Hourly {
		return []rueidis.Completed{
			r.client.B().Zadd().Key(r.key(redisHours, "")).ScoreMember().ScoreMember(float64(at), second).Build(),
			r.client.B().Hset().Key(r.key(redisHour, second)).FieldValue().FieldValue(s.series, value).Build(),
		}
	}
	if s.grain == broker.Total {
		second = redisTotal
	}
	return []rueidis.Completed{r.client.B().Hset().Key(r.key(redisDays, s.series)).FieldValue().FieldValue(second, value).Build()}
}

// count asks for numbers where there are any, and else walks.
func (r *redisRecords) count(ctx context.Context, kind Kind) (int, error) {
	var command rueidis.Completed
	switch kind {
	case kindLinks:
		n, err := r.sum(ctx, r.countLinks)
		return int(n), failed("counting records", err)
	case kindAliases:
		command = r.client.B().Zcard().Key(r.key(redisSlugs, "")).Build()
	case kindClients:
		command = r.client.B().Hlen().Key(r.key(redisClients, "")).Build()
	case kindAudit:
		command = r.client.B().Zcard().Key(r.key(redisAudit, "")).Build()
	default:
		n := 0
		for place, more := []byte(nil), true; more; more = place != nil {
			page, next, err := r.records(ctx, kind, place, moveBite)
			if err != nil {
				return 0, err
			}
			n, place = n+len(page), next
		}
		return n, nil
	}
	n, err := r.do(ctx, command).AsInt64()
	return int(n), failed("counting records", err)
}
