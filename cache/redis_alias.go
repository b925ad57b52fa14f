package cache

import (
	"context"

	"linkbroker/broker"
)

// swapAlias swaps an alias, and puts its slug in order or takes it out.
var swapAlias = newScript(`
local kept = redis.call('GET', KEYS[1]) or ''
if kept ~= ARGV[1] then return kept end
if ARGV[2] == '' then
	redis.call('DEL', KEYS[1])
	redis.call('ZREM', KEYS[2], ARGV[3])
else
	redis.call('SET', KEYS[1], ARGV[2])
	redis.call('ZADD', KEYS[2], 0, ARGV[3])
end
return 1`)

func (r *Redis) swapAlias(slug string) swap {
	return swap{script: swapAlias, keys: []string{r.key(redisAlias, slug), r.key(redisSlugs, "")}, args: []string{slug}}
}

// Alias finds one alias. A damaged one is missing.
func (r *Redis) Alias(ctx context.Context, slug string) (broker.Alias, error) {
	record, err := r.readRecord(ctx, r.key(redisAlias, slug))
	if err != nil {
		return broker.Alias{}, failed("reading an alias", err)
	}
	if alias, ok := intact(r, redisAlias, []byte(slug), record, decodeAlias); ok {
		return alias, nil
	}
	return broker.Alias{}, noAlias(slug)
}

// PutAlias stores an alias in place of the one whose ETag is given. What is damaged has no ETag, and is replaced like nothing.
func (r *Redis) PutAlias(ctx context.Context, alias broker.Alias, replaces string) error {
	record, err := encodeAlias(alias)
	if err != nil {
		return failed("storing an alias", err)
	}
	kept, err := r.readRecord(ctx, r.key(redisAlias, alias.Slug))
	if err != nil {
		return failed("storing an alias", err)
	}
	return failed("storing an alias", r.exchange(ctx, r.swapAlias(alias.Slug), kept, func(kept []byte) ([]byte, error) {
		if etagIn([]byte(alias.Slug), kept) != replaces {
			return nil, aliasChanged(alias.Slug)
		}
		return record, nil
	}))
}

// DeleteAlias forgets the alias whose ETag is given. A damaged record is deleted too, but was no alias.
func (r *Redis) DeleteAlias(ctx context.Context, slug, etag string) error {
	kept, err := r.readRecord(ctx, r.key(redisAlias, slug))
	if err != nil {
		return failed("deleting an alias", err)
	}
	found := ""
	err = r.exchange(ctx, r.swapAlias(slug), kept, func(kept []byte) ([]byte, error) {
		if found = etagIn([]byte(slug), kept); found != "" && found != etag {
			return nil, aliasChanged(slug)
		}
		return nil, nil
	})
	if err == nil && found == "" {
		return noAlias(slug)
	}
	return failed("deleting an alias", err)
}

// ListAliases gives a page of aliases in the order of their slugs.
func (r *Redis) ListAliases(ctx context.Context, after string, limit int) ([]broker.Alias, error) {
	var aliases []broker.Alias
	for len(aliases) < limit {
		most := min(pageSize, limit-len(aliases))
		slugs, err := r.slugsBehind(ctx, after, most)
		if err != nil || len(slugs) == 0 {
			return aliases, failed("listing aliases", err)
		}
		page, err := r.readAliases(ctx, slugs)
		if err != nil {
			return nil, failed("listing aliases", err)
		}
		aliases = append(aliases, page...)
		if len(slugs) < most {
			break
		}
		after = slugs[len(slugs)-1]
	}
	return aliases, nil
}

// slugsBehind gives slugs behind one, in order. The empty one is before the first.
func (r *Redis) slugsBehind(ctx context.Context, after string, most int) ([]string, error) {
	from := "-"
	if after != "" {
		from = "(" + after
	}
	return r.do(ctx, r.client.B().Zrange().Key(r.key(redisSlugs, "")).Min(from).Max("+").
		Bylex().Limit(0, int64(most)).Build()).AsStrSlice()
}

// readAliases reads aliases at once. Those that are missing or damaged are left out.
func (r *Redis) readAliases(ctx context.Context, slugs []string) ([]broker.Alias, error) {
	keys := make([]string, 0, len(slugs))
	for _, slug := range slugs {
		keys = append(keys, r.key(redisAlias, slug))
	}
	records, err := r.do(ctx, r.client.B().Mget().Key(keys...).Build()).ToArray()
	if err != nil {
		return nil, err
	}
	aliases := make([]broker.Alias, 0, len(slugs))
	for i, slug := range slugs {
		if records[i].IsNil() {
			continue
		}
		record, err := records[i].AsBytes()
		if err != nil {
			return nil, err
		}
		if alias, ok := intact(r, redisAlias, []byte(slug), record, decodeAlias); ok {
			aliases = append(aliases, alias)
		}
	}
	return aliases, nil
}
