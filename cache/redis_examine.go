package cache

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"linkbroker/broker"
)

// RedisReport is how the server of a store in Redis is set. Of a Cluster it is one of the servers.
type RedisReport struct {
	Server, Version string // redis or valkey
	Mode            string // standalone, sentinel or cluster
	UsedMemory      int64
	Policy          string        // what it does when memory is full; empty if it does not say
	AppendOnly      bool          // it writes down what it is given, and reads that at its next start
	MaxMemory       int64         // 0 = it takes what there is
	Replica         bool          // it follows another, and takes no writes
	AppendFails     bool          // what it is given does not reach its append-only file
	TooOld          error         // why its version will not do; nil = it will
	RoundTrip       time.Duration // the shortest of some
}

// ExamineRedis asks the server of a store how it is set, and changes nothing.
func ExamineRedis(ctx context.Context, url string, clock broker.Clock) (RedisReport, error) {
	place, err := parseRedisURL(url)
	if err != nil {
		return RedisReport{}, err
	}
	client, err := rueidis.NewClient(place.connection())
	if err != nil {
		return RedisReport{}, place.notConnected(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 5*place.timeout)
	defer cancel()
	info, err := client.Do(ctx, client.B().Info().Build()).ToString()
	if err != nil {
		return RedisReport{}, failed("asking Redis how it is set", unsecret(err, place))
	}
	report := reportOf(info)
	report.RoundTrip, err = roundTrip(ctx, client, clock)
	return report, failed("asking Redis how it is set", err)
}

// Full reports whether the server takes no more.
func (r RedisReport) Full() bool { return r.MaxMemory > 0 && r.UsedMemory >= r.MaxMemory }

// reportOf reads what INFO answers.
func reportOf(info string) RedisReport {
	said := make(map[string]string)
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		said[name] = value
	}
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(said[name], 10, 64) // what is not said is 0
		return n
	}
	r := RedisReport{
		Server: "redis", Version: said["redis_version"], Mode: said["redis_mode"], UsedMemory: number("used_memory"),
		Policy: said["maxmemory_policy"], AppendOnly: said["aof_enabled"] == "1",
		MaxMemory: number("maxmemory"), Replica: said["role"] == "slave",
		AppendFails: said["aof_last_write_status"] == "err", TooOld: checkVersion(said["redis_version"]),
	}
	if version, ok := said["valkey_version"]; ok {
		r.Server, r.Version = "valkey", version
	}
	return r
}

// roundTrip is how long the server takes to answer at the least.
func roundTrip(ctx context.Context, client rueidis.Client, clock broker.Clock) (least time.Duration, err error) {
	for range 5 {
		began := clock()
		if err := client.Do(ctx, client.B().Ping().Build()).Error(); err != nil {
			return 0, err
		}
		if took := clock().Sub(began); least == 0 || took < least {
			least = took
		}
	}
	return least, nil
}
