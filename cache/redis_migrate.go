package cache

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"linkbroker/broker"
)

// redisRecords are the records of a store in Redis, as they are moved. What has no list of its own is searched for among all
// keys, which does not hold the server up, and once for each walk.
type redisRecords struct {
	*Redis

	names map[string][]string // what was found, by the beginning of the keys
}

func newRedisRecords(r *Redis) *redisRecords { return &redisRecords{r, make(map[string][]string)} }

// moveLink stores a link whose uses stand in its record.
var moveLink = newScript(`
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('DEL', KEYS[2])
redis.call('ZADD', KEYS[3], ARGV[3], ARGV[4])
if redis.call('PTTL', KEYS[3]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[3], ARGV[2]) end
return 1`)

// commandsAtOnce is how many commands of a migration go to a server together: they take it about 10 ms.
const commandsAtOnce = 1 << 10

func (r *redisRecords) records(ctx context.Context, kind Kind, place []byte, about int) (page []record, next []byte, err error) {
	read := map[Kind]func(context.Context, []byte, int) ([]record, []byte, error){
		kindLinks: r.linkRecords, kindAliases: r.aliasRecords, kindClients: r.clientRecords, kindStats: r.statRecords,
		kindAudit: r.auditRecords, kindBlobs: r.blobRecords, kindLedger: r.ledgerRecords,
	}
	page, next, err = read[kind](ctx, place, about)
	return page, next, failed("reading records", err)
}

// linkRecords gives links, shard by shard. What they are is one record elsewhere: their uses are put into it.
func (r *redisRecords) linkRecords(ctx context.Context, place []byte, about int) (page []record, next []byte, err error) {
	first := 0
	if place != nil {
		first = int(binary.BigEndian.Uint16(place))
	}
	keys, last, err := r.keysFrom(ctx, first, broker.Key{}, about)
	if err != nil {
		return nil, nil, err
	}
	for some := range slices.Chunk(keys, commandsAtOnce/2) {
		pieces, err := r.readPieces(ctx, some)
		if err != nil {
			return nil, nil, err
		}
		for i, p := range pieces {
			if p.record != nil { // or it has ended
				page = append(page, record{some[i][:], inOne(some[i], p)})
			}
		}
	}
	if last < redisShards {
		next = binary.BigEndian.AppendUint16(nil, uint16(last)) //nolint:gosec // at most 12 bits
	}
	return page, next, nil
}

// inOne puts a link's uses into its record. A damaged one stays as it is.
func inOne(key broker.Key, p linkPieces) []byte {
	link, err := decodeLink(key, p.record)
	if err != nil || len(p.uses) == 0 {
		return p.record
	}
	whole, err := encodeLink(withUses(link, p.uses))
	if err != nil {
		return p.record
	}
	return whole
}

func (r *redisRecords) aliasRecords(ctx context.Context, place []byte, about int) (page []record, next []byte, err error) {
	slugs, err := r.slugsBehind(ctx, string(place), about)
	if err != nil || len(slugs) == 0 {
		return nil, nil, err
	}
	page, err = r.values(ctx, redisAlias, slugs)
	return page, []byte(slugs[len(slugs)-1]), err
}

// values gives the records under keys of a kind.
func (r *redisRecords) values(ctx context.Context, kind string, names []string) (page []record, err error) {
	for some := range slices.Chunk(names, commandsAtOnce) {
		commands := make([]rueidis.Completed, 0, len(some))
		for _, name := range some {
			commands = append(commands, r.client.B().Get().Key(r.key(kind, name)).Build())
		}
		for i, result := range r.doAll(ctx, commands) {
			value, err := found(result)
			if err != nil {
				return nil, err
			}
			if value != nil {
				page = append(page, record{[]byte(some[i]), value})
			}
		}
	}
	return page, nil
}

func (r *redisRecords) clientRecords(ctx context.Context, _ []byte, _ int) (page []record, next []byte, err error) {
	clients, err := r.do(ctx, r.client.B().Hgetall().Key(r.key(redisClients, "")).Build()).AsStrMap()
	for name, value := range clients {
		page = append(page, record{[]byte(name), []byte(value)})
	}
	return page, nil, err
}

func (r *redisRecords) auditRecords(ctx context.Context, place []byte, about int) (page []record, next []byte, err error) {
	from := "-inf"
	if place != nil {
		from = "(" + strconv.FormatUint(binary.BigEndian.Uint64(place), 10)
	}
	items, err := r.do(ctx, r.client.B().Zrange().Key(r.key(redisAudit, "")).Min(from).Max("+inf").Byscore().
		Limit(0, int64(min(about, commandsAtOnce))).Withscores().Build()).AsZScores()
	for _, item := range items {
		next = auditKey(uint64(item.Score))
		page = append(page, record{next, []byte(item.Member)})
	}
	return page, next, err
}

func (r *redisRecords) blobRecords(ctx context.Context, place []byte, about int) (page []record, next []byte, err error) {
	names, next, err := r.namesBehind(ctx, redisBlob, place, about)
	if err != nil {
		return nil, nil, err
	}
	page, err = r.values(ctx, redisBlob, names)
	return page, next, err
}

// ledgerRecords gives account by account.
func (r *redisRecords) ledgerRecords(ctx context.Context, place []byte, about int) (page []record, next []byte, err error) {
	accounts, err := r.do(ctx, r.client.B().Smembers().Key(r.key(redisAccounts, "")).Build()).AsStrSlice()
	if err != nil {
		return nil, nil, err
	}
	slices.Sort(accounts)
	accounts, next = behind(accounts, place, min(about, commandsAtOnce))
	days, err := r.hashes(ctx, accounts, r.ledger)
	for i, account := range accounts {
		for day, value := range days[i] {
			page = append(page, ledgerRecord(ledgerKey(account, day), []byte(value)))
		}
	}
	return page, next, err
}

// ledgerRecord is the count of a day, whoever has reserved it. A damaged one is moved as it is.
func ledgerRecord(key, value []byte) record {
	if parts, err := decodeParts(key, value); err == nil {
		value = encodeCount(key, parts.sum())
	}
	return record{key, value}
}

// hashes gives whole hashes, in the order of their names, or none.
func (r *redisRecords) hashes(ctx context.Context, names []string, key func(name string) string) ([]map[string]string, error) {
	commands := make([]rueidis.Completed, 0, len(names))
	for _, name := range names {
		commands = append(commands, r.client.B().Hgetall().Key(key(name)).Build())
	}
	hashes := make([]map[string]string, len(names))
	for i, result := range r.doAll(ctx, commands) {
		fields, err := result.AsStrMap()
		if err != nil {
			return make([]map[string]string, len(names)), err
		}
		hashes[i] = fields
	}
	return hashes, nil
}

// namesBehind gives names of things that have keys of a kind, and no list: those behind a place.
func (r *redisRecords) namesBehind(ctx context.Context, kind string, place []byte, about int) (names []string, next []byte, err error) {
	if _, known := r.names[kind]; !known || place == nil {
		if r.names[kind], err = r.search(ctx, kind); err != nil {
			return nil, nil, err
		}
	}
	names, next = behind(r.names[kind], place, about)
	return names, next, nil
}

// behind gives so many of sorted names behind a place, and the place to go on from.
func behind(names []string, place []byte, most int) (page []string, next []byte) {
	at, found := slices.BinarySearch(names, string(place))
	if found && place != nil {
		at++
	}
	if page = names[at:min(at+most, len(names))]; at+most < len(names) {
		next = []byte(page[len(page)-1])
	}
	return page, next
}

// search looks through all keys of all servers. It may come by a key more than once, and by those of replicas.
func (r *redisRecords) search(ctx context.Context, kind string) (names []string, err error) {
	beginning := r.key(kind, "")
	for _, node := range r.client.Nodes() {
		for cursor, more := uint64(0), true; more; more = cursor != 0 {
			entry, err := r.scan(ctx, node, beginning, cursor)
			if err != nil {
				return nil, err
			}
			for _, key := range entry.Elements {
				names = append(names, strings.TrimPrefix(key, beginning))
			}
			cursor = entry.Cursor
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func (r *redisRecords) scan(ctx context.Context, node rueidis.Client, beginning string, cursor uint64) (rueidis.ScanEntry, error) {
	ctx, cancel := context.WithTimeout(ctx, r.patience)
	defer cancel()
	return node.Do(ctx, node.B().Scan().Cursor(cursor).Match(beginning+"*").Count(commandsAtOnce).Build()).AsScanEntry()
}

func (r *redisRecords) putRecords(ctx context.Context, kind Kind, page []record, mark []byte) error {
	put := r.putSimple
	if kind == kindLinks {
		put = r.putLinks
	}
	for some := range slices.Chunk(page, commandsAtOnce/2) {
		if err := put(ctx, kind, some); err != nil {
			return failed("writing records", err)
		}
	}
	leave := r.client.B().Del().Key(r.key(redisMoved, "")).Build()
	if mark != nil {
		leave = r.client.B().Set().Key(r.key(redisMoved, "")).Value(string(mark)).Build()
	}
	return failed("writing records", r.write(ctx, leave).Error())
}

// putLinks lists the URLs before it stores the links, as PutLink does.
func (r *redisRecords) putLinks(ctx context.Context, _ Kind, page []record) error {
	urls, links := make([]call, 0, len(page)), make([]call, 0, len(page))
	for _, p := range page {
		link, err := readRecord(p.key, p.value)
		if err != nil {
			return err
		}
		key, life := string(p.key), millis(r.life(link))
		urls = append(urls, call{[]string{r.ofURL(link.URL)}, []string{key, life}})
		links = append(links, call{
			r.swapLink(moveLink, link.Key).keys,
			[]string{string(p.value), life, strconv.FormatInt(link.ExpiresAt.Unix(), 10), key},
		})
	}
	if err := firstError(r.runEach(ctx, addURL, urls)); err != nil {
		return err
	}
	return firstError(r.runEach(ctx, moveLink, links))
}

func (r *redisRecords) putSimple(ctx context.Context, kind Kind, page []record) error {
	var commands []rueidis.Completed
	for _, p := range page {
		commands = append(commands, r.putRecord(kind, p)...)
	}
	if kind == kindAudit && len(page) > 0 {
		highest := binary.BigEndian.Uint64(page[len(page)-1].key)
		commands = append(commands, r.client.B().Set().Key(r.key(redisAuditID, "")).Value(strconv.FormatUint(highest, 10)).Build())
	}
	return firstError(r.writeAll(ctx, commands))
}

// putRecord gives the commands that store a record. What it is found by comes first.
func (r *redisRecords) putRecord(kind Kind, p record) []rueidis.Completed {
	b, name, value := r.client.B(), string(p.key), string(p.value)
	switch kind {
	case kindAliases:
		return []rueidis.Completed{
			b.Set().Key(r.key(redisAlias, name)).Value(value).Build(),
			r.client.B().Zadd().Key(r.key(redisSlugs, "")).ScoreMember().ScoreMember(0, name).Build(),
		}
	case kindClients:
		return []rueidis.Completed{b.Hset().Key(r.key(redisClients, "")).FieldValue().FieldValue(name, value).Build()}
	case kindStats:
		return r.putStat(p)
	case kindAudit:
		id := float64(binary.BigEndian.Uint64(p.key))
		return []rueidis.Completed{b.Zadd().Key(r.key(redisAudit, "")).ScoreMember().ScoreMember(id, value).Build()}
	case kindLedger:
		day, account, _ := strings.Cut(name, "\x00")
		return []rueidis.Completed{
			b.Sadd().Key(r.key(redisAccounts, "")).Member(account).Build(),
			r.client.B().Hset().Key(r.ledger(account)).FieldValue().FieldValue(day, value).Build(),
		}
	default:
		return []rueidis.Completed{b.Set().Key(r.key(redisBlob, name)).Value(value).Build()}
	}
}

func (r *redisRecords) mark(ctx context.Context) ([]byte, error) {
	mark, err := r.readRecord(ctx, r.key(redisMoved, ""))
	return bytes.Clone(mark), failed("reading the store's state", err)
}

// identity is drawn for each store. What it keeps is no part of it.
func (r *redisRecords) identity(ctx context.Context) (string, error) {
	err := r.write(ctx, r.client.B().Set().Key(r.key(redisID, "")).Value(rand.Text()).Nx().Build()).Error()
	if err != nil && !rueidis.IsRedisNil(err) {
		return "", failed("naming the store", err)
	}
	id, err := r.do(ctx, r.client.B().Get().Key(r.key(redisID, "")).Build()).ToString()
	return "redis " + id, failed("reading the store's name", err)
}
