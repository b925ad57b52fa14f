package cache

import (
	"context"
	"crypto/sha1" //nolint:gosec // is how Redis names its scripts
	"encoding/hex"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"linkbroker/broker"
)

// The keys of a store in Redis or Valkey, after the store's prefix. What stands in braces decides where in a Cluster a key
// lies, so what has to change together has the same there, and no command and no script ever names keys of two places.
//
//	l:{shard}key     record of a link, until a while after its end; the shard is the first 12 bits of the key
//	u:{shard}key     uses of that link since: a hash, see redis_use.go; as long as the link
//	x:{shard}        ends of the shard's links: sorted set, key by second; as long as the last of the links
//	t:{shard}key     who has the turn for a link, or what he left: see redis_lease.go
//	t:{name}         the same for anything else
//	w:hash           keys of the links that have a URL or had it, by the first 12 bytes of its SHA-256: a hash, which while it
//	                 is small takes a third of the memory that a set takes in Redis 7.0; as long as the last of the links
//	a:{a}slug        record of an alias
//	s:{a}            slugs, in order: sorted set
//	c:{c}            clients: hash, record by name
//	q:{account}      ledger of an account: hash, record by day
//	q                accounts: set
//	b:name           record of a blob
//	j:{j}            audit: sorted set, record by ID
//	i:{j}            last ID of the audit
//	h:{n}second      what was counted in an hour: hash, record by series
//	o:{n}            hours in which something was counted: sorted set
//	d:{n}series      what was counted day by day, and in all: hash, record by second and by "all"
//	p:{name}         brokers that use something: sorted set, name by second of the last time
//	z:{shard}        never there: see redis_health.go
//	meta             decimal version of this layout
//	moved            present until the migration that fills the store has ended: see moved
//	id               tells this store from others: see migrate.go
//
// Records are those of the other stores.
const (
	redisLink     = "l:"
	redisUses     = "u:"
	redisEnds     = "x:"
	redisTurn     = "t:"
	redisURL      = "w:"
	redisAlias    = "a:{a}"
	redisSlugs    = "s:{a}"
	redisClients  = "c:{c}"
	redisLedger   = "q:"
	redisAccounts = "q"
	redisBlob     = "b:"
	redisAudit    = "j:{j}"
	redisAuditID  = "i:{j}"
	redisHour     = "h:{n}"
	redisHours    = "o:{n}"
	redisDays     = "d:{n}"
	redisUsers    = "p:"
	redisProbe    = "z:"
	redisMeta     = "meta"
	redisMoved    = "moved"
	redisID       = "id"
)

// redisShards is how many parts the links are divided in. In each they have an order of ends and of keys.
const redisShards = 1 << 12

// Redis is a store in Redis 7 or Valkey: one server, one with replicas watched by Sentinels, or a Cluster. Any number of
// brokers may use it at the same time. It is safe for concurrent use.
type Redis struct {
	client   rueidis.Client
	writer   rueidis.Client // for what waits for replicas; nil = nothing does
	prefix   string         // of every key, with its colon
	replicas int64          // that must have a write before it counts as written
	patience time.Duration  // how long one command may take
	clock    broker.Clock
	log      *slog.Logger
	damaged  atomic.Int64
	purgeAt  atomic.Int64  // the shard at which the next purge begins
	waiting  chan struct{} // as many as wait for replicas
	grants   grants

	crew
}

// redisSchema is the version of the layout above. A program refuses a store of a later one.
const redisSchema = 1

// openRedis connects to a store and lays it out if it is new.
func openRedis(ctx context.Context, url string, opts Options) (*Redis, error) {
	place, err := parseRedisURL(url)
	if err != nil {
		return nil, err
	}
	r := &Redis{
		prefix: place.prefix + ":", replicas: place.replicas, patience: place.timeout, clock: opts.Clock, log: opts.Logger,
		waiting: make(chan struct{}, waitingAtOnce), grants: newGrants(),
	}
	r.crew = newCrew(r.prefix, redisPace(r.patience))
	if err := r.connect(place); err != nil {
		return nil, err
	}
	if err := r.checkServer(ctx); err != nil {
		_ = r.Close()
		return nil, err
	}
	if _, err := r.layOut(ctx); err != nil {
		_ = r.Close()
		return nil, err
	}
	r.background(r.lookAfter)
	return r, nil
}

// connection says how this store's client connects.
func (r *Redis) connection(place redisPlace) rueidis.ClientOption {
	option := place.connection()
	// A multiple of connections would bring each notice of a change as often; 0 would stand for as many as there are processors.
	option.PipelineMultiplex = -1
	option.ClientTrackingOptions = r.watch.tracking()
	option.OnInvalidations = r.watch.told
	option.RetryDelay = retryOnce
	return option
}

// retryOnce tries what only reads once more, over a new connection. Trying until the deadline would have everybody wait for a server
// that is away.
func retryOnce(attempts int, _ rueidis.Completed, _ error) time.Duration {
	if attempts > 1 {
		return -1
	}
	return 0
}

// layOut sees to it that the store is one this program can read, and reports whether it was empty. It waits for no replica: who
// opens the store may read it without, and the next who opens it says the same again.
func (r *Redis) layOut(ctx context.Context) (fresh bool, err error) {
	version := strconv.Itoa(redisSchema)
	err = r.do(ctx, r.client.B().Set().Key(r.key(redisMeta, "")).Value(version).Nx().Build()).Error()
	if err != nil && !rueidis.IsRedisNil(err) {
		return false, failed("opening the store in Redis", err)
	}
	fresh = err == nil
	found, err := r.do(ctx, r.client.B().Get().Key(r.key(redisMeta, "")).Build()).ToString()
	if err != nil {
		return fresh, failed("opening the store in Redis", err)
	}
	known, err := strconv.Atoi(found)
	switch {
	case err != nil || known < 1:
		return fresh, fmt.Errorf("%w: the schema under %q is %q", ErrDamaged, r.key(redisMeta, ""), found)
	case known > redisSchema:
		return fresh, fmt.Errorf("%w (its schema is %d, known is %d)", ErrNewer, known, redisSchema)
	}
	return fresh, nil
}

// Damaged counts the records that could not be read since the store was opened. Each was answered as missing.
func (r *Redis) Damaged() int64 { return r.damaged.Load() }

// skip counts a damaged record and passes over it.
func (r *Redis) skip(key string, err error) {
	r.damaged.Add(1)
	r.log.Error("damaged record", "key", fmt.Sprintf("%q", key), "error", err)
}

// intact reads a record, and counts a damaged one. What is not there is neither.
func intact[T any](r *Redis, kind string, key, record []byte, decode func(key, record []byte) (T, error)) (thing T, ok bool) {
	if record == nil {
		return thing, false
	}
	thing, err := decode(key, record)
	if err != nil {
		r.skip(kind+string(key), err)
	}
	return thing, err == nil
}

// shard is the part of the links that a key belongs to.
func shard(key broker.Key) int { return int(key[0])<<4 | int(key[1])>>4 }

func (r *Redis) key(kind, rest string) string { return r.prefix + kind + rest }

// inShard is a key that lies with a shard.
func (r *Redis) inShard(kind string, shard int) string {
	return fmt.Sprintf("%s%s{%03x}", r.prefix, kind, shard)
}

func (r *Redis) ofLink(kind string, key broker.Key) string {
	return r.inShard(kind, shard(key)) + string(key[:])
}

// do runs a command that changes nothing.
func (r *Redis) do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	ctx, cancel := context.WithTimeout(ctx, r.patience)
	defer cancel()
	return r.client.Do(ctx, cmd)
}

// script is one that Redis runs. It names all the keys it touches, and all of them lie in one place.
type script struct{ text, sha string }

func newScript(text string) script {
	text = strings.TrimSpace(text)
	sum := sha1.Sum([]byte(text)) //nolint:gosec // see above
	return script{text: text, sha: hex.EncodeToString(sum[:])}
}

// run has Redis run a script, which it is told once.
func (r *Redis) run(ctx context.Context, s script, keys, args []string) rueidis.RedisResult {
	return r.runBy(ctx, r.write, s, keys, args)
}

// runPassing has Redis run a script for what lasts some seconds. It waits for no replica: what a failover loses of that costs a call
// at most, and where there is no replica turns must go on.
func (r *Redis) runPassing(ctx context.Context, s script, keys, args []string) rueidis.RedisResult {
	return r.runBy(ctx, r.do, s, keys, args)
}

type doer func(context.Context, rueidis.Completed) rueidis.RedisResult

func (r *Redis) runBy(ctx context.Context, do doer, s script, keys, args []string) rueidis.RedisResult {
	result := do(ctx, r.evalsha(s, keys, args))
	if unknownScript(result) {
		return do(ctx, r.client.B().Eval().Script(s.text).Numkeys(int64(len(keys))).Key(keys...).Arg(args...).Build())
	}
	return result
}

func (r *Redis) evalsha(s script, keys, args []string) rueidis.Completed {
	return r.client.B().Evalsha().Sha1(s.sha).Numkeys(int64(len(keys))).Key(keys...).Arg(args...).Build()
}
