package cache

import (
	"context"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"linkbroker/broker"
)

// redisTotal is the field of what was counted in all.
const redisTotal = "all"

var (
	// putStats puts records in place of those that are expected, each in a hash of its own, if all are as expected.
	putStats = newScript(`
for i = 2, #KEYS do
	local at = 4 * (i - 2)
	if (redis.call('HGET', KEYS[i], ARGV[at + 1]) or '') ~= ARGV[at + 2] then return 0 end
end
for i = 2, #KEYS do
	local at = 4 * (i - 2)
	redis.call('HSET', KEYS[i], ARGV[at + 1], ARGV[at + 3])
	if ARGV[at + 4] ~= '' then redis.call('ZADD', KEYS[1], ARGV[at + 4], ARGV[at + 4]) end
end
return 1`)

	// purgeHour deletes series of an hour, and the hour if nothing is left in it.
	purgeHour = newScript(`
local purged = 0
for i = 2, #ARGV do purged = purged + redis.call('HDEL', KEYS[2], ARGV[i]) end
if redis.call('EXISTS', KEYS[2]) == 0 then redis.call('ZREM', KEYS[1], ARGV[1]) end
return purged`)
)

// statPlace is where counts are kept, and what is to be added there.
type statPlace struct {
	hash, field string
	hour        string // empty for other grains
	key         []byte // with which the record is sealed
	more        map[string]uint64
}

func (r *Redis) statPlace(stat broker.Stat) *statPlace {
	within := rangeFor(stat)
	p := &statPlace{key: within.key(), more: make(map[string]uint64)}
	second := strconv.FormatUint(within.from, 10)
	switch stat.Grain {
	case broker.Hourly:
		p.hash, p.field, p.hour = r.key(redisHour, second), stat.Series, second
	case broker.Daily:
		p.hash, p.field = r.key(redisDays, stat.Series), second
	default:
		p.hash, p.field = r.key(redisDays, stat.Series), redisTotal
	}
	return p
}

// AddStats adds counts, all at once. A damaged record is begun anew.
func (r *Redis) AddStats(ctx context.Context, stats []broker.Stat) error {
	places, err := r.statPlaces(stats)
	if err != nil || len(places) == 0 {
		return failed("counting", err)
	}
	keys := []string{r.key(redisHours, "")}
	for _, p := range places {
		keys = append(keys, p.hash)
	}
	for {
		args, err := r.addAll(ctx, places)
		if err != nil {
			return failed("counting", err)
		}
		added, err := r.run(ctx, putStats, keys, args).AsInt64()
		if err != nil || added == 1 {
			return failed("counting", err)
		}
	}
}

// statPlaces puts together what is to be added in one place.
func (r *Redis) statPlaces(stats []broker.Stat) (places []*statPlace, err error) {
	known := make(map[string]*statPlace)
	for _, stat := range stats {
		if err := storableStat(stat); err != nil {
			return nil, err
		}
		p := r.statPlace(stat)
		if old := known[string(p.key)]; old != nil {
			p = old
		}
		known[string(p.key)] = p
		addCounts(p.more, stat.Counts)
	}
	for _, p := range known {
		if len(p.more) > 0 {
			places = append(places, p)
		}
	}
	return places, nil
}

// addAll reads what is kept, and gives what putStats is to make of it.
func (r *Redis) addAll(ctx context.Context, places []*statPlace) (args []string, err error) {
	commands := make([]rueidis.Completed, 0, len(places))
	for _, p := range places {
		commands = append(commands, r.client.B().Hget().Key(p.hash).Field(p.field).Build())
	}
	for i, result := range r.doAll(ctx, commands) {
		p := places[i]
		kept, err := found(result)
		if err != nil {
			return nil, err
		}
		counts := make(map[string]uint64)
		if old, ok := intact(r, redisDays, p.key, kept, decodeCounts); ok {
			counts = old
		}
		addCounts(counts, p.more)
		args = append(args, p.field, string(kept), string(encodeCounts(p.key, counts)), p.hour)
	}
	return args, nil
}

// Stats gives a stretch of a series.
func (r *Redis) Stats(ctx context.Context, series string, grain broker.Grain, from, to time.Time) ([]broker.Stat, error) {
	s := statSeries{series, grain}
	within := rangeOf(s, from, to)
	read := r.days
	if grain == broker.Hourly {
		read = r.hours
	}
	records, err := read(ctx, series, within)
	if err != nil {
		return nil, failed("reading counts", err)
	}
	var stats []broker.Stat
	for second, record := range records {
		if second < within.from || second >= within.to {
			continue
		}
		at := within
		at.from = second
		if counts, ok := intact(r, redisDays, at.key(), []byte(record), decodeCounts); ok {
			stats = append(stats, s.stat(second, counts))
		}
	}
	slices.SortFunc(stats, func(a, b broker.Stat) int { return a.At.Compare(b.At) })
	return stats, nil
}

// days gives the records of a series by the second in which each day began, and that of all time by 0.
func (r *Redis) days(ctx context.Context, series string, within statRange) (map[uint64]string, error) {
	if within.from >= within.to {
		return map[uint64]string{}, nil
	}
	fields, err := r.do(ctx, r.client.B().Hgetall().Key(r.key(redisDays, series)).Build()).AsStrMap()
	if err != nil {
		return nil, err
	}
	records := make(map[uint64]string, len(fields))
	total := within.prefix[0] == 't'
	for field, record := range fields {
		second, err := strconv.ParseUint(field, 10, 64)
		if total == (field == redisTotal) && (total || err == nil) {
			records[second] = record
		}
	}
	return records, nil
}

// hours gives the records of a series by the second in which each hour began.
func (r *Redis) hours(ctx context.Context, series string, within statRange) (map[uint64]string, error) {
	seconds, err := r.hoursBetween(ctx, within.from, within.to)
	if err != nil {
		return nil, err
	}
	records := make(map[uint64]string)
	for page := range slices.Chunk(seconds, pageSize) {
		commands := make([]rueidis.Completed, 0, len(page))
		for _, second := range page {
			hash := r.key(redisHour, strconv.FormatUint(second, 10))
			commands = append(commands, r.client.B().Hget().Key(hash).Field(series).Build())
		}
		for i, result := range r.doAll(ctx, commands) {
			record, err := found(result)
			if err != nil {
				return nil, err
			}
			if record != nil {
				records[page[i]] = string(record)
			}
		}
	}
	return records, nil
}

// hoursBetween gives the hours in which something was counted, from <= second < to.
func (r *Redis) hoursBetween(ctx context.Context, from, to uint64) ([]uint64, error) {
	if from >= to {
		return nil, nil
	}
	names, err := r.do(ctx, r.client.B().Zrange().Key(r.key(redisHours, "")).Min(strconv.FormatUint(from, 10)).
		Max("("+strconv.FormatUint(to, 10)).Byscore().Build()).AsStrSlice()
	hours := make([]uint64, 0, len(names))
	for _, name := range names {
		if second, err := strconv.ParseUint(name, 10, 64); err == nil {
			hours = append(hours, second)
		}
	}
	return hours, err
}

// DeleteStats forgets a series.
func (r *Redis) DeleteStats(ctx context.Context, series string) error {
	hours, err := r.hoursBetween(ctx, 0, math.MaxInt64)
	if err != nil {
		return failed("deleting counts", err)
	}
	if err := r.write(ctx, r.client.B().Del().Key(r.key(redisDays, series)).Build()).Error(); err != nil {
		return failed("deleting counts", err)
	}
	calls := make([]call, 0, len(hours))
	for _, hour := range hours {
		calls = append(calls, r.hourCall(hour, series))
	}
	return failed("deleting counts", firstError(r.runEach(ctx, purgeHour, calls)))
}

func (r *Redis) hourCall(hour uint64, series ...string) call {
	second := strconv.FormatUint(hour, 10)
	return call{keys: []string{r.key(redisHours, ""), r.key(redisHour, second)}, args: append([]string{second}, series...)}
}

// PurgeStats deletes the oldest hours.
func (r *Redis) PurgeStats(ctx context.Context, before time.Time, limit int) (int, error) {
	hours, err := r.hoursBetween(ctx, 0, secondFrom(before))
	purged := 0
	for i := 0; i < len(hours) && purged < limit && err == nil; i++ {
		var n int
		n, err = r.purgeHour(ctx, hours[i], limit-purged)
		purged += n
	}
	return purged, failed("purging counts", err)
}

func (r *Redis) purgeHour(ctx context.Context, hour uint64, limit int) (purged int, err error) {
	hash := r.key(redisHour, strconv.FormatUint(hour, 10))
	series, err := r.do(ctx, r.client.B().Hkeys().Key(hash).Build()).AsStrSlice()
	if err != nil {
		return 0, err
	}
	series = append(series[:min(len(series), limit)], "") // which is none: the place of an hour without any goes too
	for bite := range slices.Chunk(series, purgeBite) {
		c := r.hourCall(hour, bite...)
		n, err := r.run(ctx, purgeHour, c.keys, c.args).AsInt64()
		if purged += int(n); err != nil {
			return purged, err
		}
	}
	return purged, nil
}
