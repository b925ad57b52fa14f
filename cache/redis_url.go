package cache

import (
	"context"
	"crypto/sha256"
	"time"

	"linkbroker/broker"
)

// redisURLHash is how many bytes of a URL's hash stand in a key: enough for what only begins alike to be rare.
const redisURLHash = 12

// addURL adds a link to those that have its URL. It is done before the link is stored: what is stored is always found. It is
// never undone, for nobody could tell whether the same link is not just being stored again; Redis forgets it with the link.
var addURL = newScript(`
redis.call('HSET', KEYS[1], ARGV[1], '')
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 1`)

func (r *Redis) listURL(ctx context.Context, link broker.Link, life time.Duration) error {
	args := []string{string(link.Key[:]), millis(life)}
	return r.run(ctx, addURL, []string{r.ofURL(link.URL)}, args).Error()
}

func (r *Redis) ofURL(url string) string {
	hash := sha256.Sum256([]byte(url))
	return r.key(redisURL, string(hash[:redisURLHash]))
}

// LinkByURL finds the link that has a URL.
func (r *Redis) LinkByURL(ctx context.Context, url string) (broker.Link, error) {
	names, err := r.do(ctx, r.client.B().Hkeys().Key(r.ofURL(url)).Build()).AsStrSlice()
	if err != nil {
		return broker.Link{}, failed("reading a link", err)
	}
	links, err := r.readLinks(ctx, linkKeys(names))
	if err != nil {
		return broker.Link{}, failed("reading a link", err)
	}
	for _, link := range links {
		if link.URL == url {
			return link, nil
		}
	}
	return broker.Link{}, noURL()
}

// linkKeys gives the keys that have the length of one.
func linkKeys(names []string) []broker.Key {
	keys := make([]broker.Key, 0, len(names))
	for _, name := range names {
		if len(name) == len(broker.Key{}) {
			keys = append(keys, broker.Key([]byte(name)))
		}
	}
	return keys
}
