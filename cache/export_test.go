package cache

import (
	"context"
	"errors"
	"log/slog"
	"time"

	bolt "go.etcd.io/bbolt"

	"linkbroker/broker"
)

// What tests of the record format need: no store hands records out.
var (
	EncodeLink = encodeLink
	DecodeLink = decodeLink
	Seal       = seal

	EncodeAlias  = encodeAlias
	DecodeAlias  = decodeAlias
	EncodeCounts = encodeCounts
	DecodeCounts = decodeCounts
)

// RecordHeader is the length of what precedes a record's body.
const RecordHeader = headerSize

// IsDamage reports whether an error says that a record cannot be read.
func IsDamage(err error) bool {
	_, ok := errors.AsType[damage](err)
	return ok
}

// KeyOfBody gives the key that a body's target hashes to, whatever else is wrong with it.
func KeyOfBody(body []byte) broker.Key {
	link, _ := readBody(body)
	return link.Target.Key()
}

// SlugOfBody gives the slug that a body repeats.
func SlugOfBody(body []byte) (slug []byte) {
	_ = eachField(body, string(body), func(f field) error {
		if f.number == fieldSlug {
			slug = []byte(f.text)
		}
		return nil
	})
	return slug
}

// KeepingUp counts the replicas that have all, by what INFO says.
func KeepingUp(info string) int64 { return keepingUp(info) }

// StatKey gives the key under which a stat is kept.
func StatKey(stat broker.Stat) []byte {
	r := rangeFor(stat)
	return r.key()
}

// ScanStats searches a range as the store does, in whatever seek finds.
func ScanStats(seek func(key string) string, series string, grain broker.Grain, from, to time.Time) (found []string) {
	for r := rangeOf(statSeries{series, grain}, from, to); r.from < r.to; {
		key := seek(string(r.key()))
		if _, mine := r.advance([]byte(key)); mine {
			found = append(found, key)
		}
	}
	return found
}

// OpenBolt opens a file without the memory layer and without looking it over, and makes it if there is none.
func OpenBolt(path string) (*Bolt, error) {
	if err := makeFile(path, false, func(db *bolt.DB) error { return db.Update(layOut) }); err != nil {
		return nil, err
	}
	return openBolt(path, slog.New(slog.DiscardHandler))
}

// Commits tells how many transactions a file has seen.
func (b *Bolt) Commits() (n int) {
	_ = b.view(func(tx *bolt.Tx) error {
		n = tx.ID()
		return nil
	})
	return n
}

// Change queues a change of the test's own.
func (b *Bolt) Change(ctx context.Context, apply func(*bolt.Tx) (bool, error)) error {
	return b.write(ctx, "testing", apply)
}

// Committer is for tests that have no file.
type Committer = committer

// Do queues a change.
func (c *committer) Do(ctx context.Context, apply func(*bolt.Tx) (bool, error)) error {
	return c.do(ctx, apply)
}

// Close drains the queue.
func (c *committer) Close() { c.close() }

// StartCommitter starts a committer over any way to run a transaction.
var StartCommitter = startCommitter

// Settle lets the memory layer finish what it does in the background.
func (l *Layer) Settle() {
	l.links.memory.CleanUp()
	l.aliases.memory.CleanUp()
}

// CachedAliases is about how many aliases memory holds.
func (l *Layer) CachedAliases() int { return l.aliases.memory.EstimatedSize() }

// OpenRedis opens a store without the memory layer.
func OpenRedis(ctx context.Context, url string, opts Options) (*Redis, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	return openRedis(ctx, url, opts)
}

// What tests need of a store in Redis.
var (
	WithUses   = withUses
	ReportOf   = reportOf
	RedisGrace = redisGrace
	UsesDays   = usesDays
)

// ParseRedisURL reads a URL.
func ParseRedisURL(text string) error {
	_, err := parseRedisURL(text)
	return err
}

// Movable is what can be moved.
type Movable = movable

// NewMigration moves so many records at once between two stores that are open.
func NewMigration(from, to Movable, bite int, progress func(Progress)) *Migration {
	clock := func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }
	return &Migration{from: from, to: to, clock: clock, log: slog.New(slog.DiscardHandler), progress: progress, bite: bite}
}

// RedisRecords gives a store in Redis as it is moved.
func RedisRecords(r *Redis) *redisRecords { return newRedisRecords(r) }

// Day gives the record of a day as it is kept.
func (r *Redis) Day(ctx context.Context, account, day string) ([]byte, error) {
	return r.readDay(ctx, account, day)
}

// SetDay puts one back.
func (r *Redis) SetDay(ctx context.Context, account, day string, record []byte) error {
	return r.do(ctx, r.client.B().Hset().Key(r.ledger(account)).FieldValue().FieldValue(day, string(record)).Build()).Error()
}
