package broker

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Flush writes when the keys of the store were last used.
func (c *Clients) Flush(ctx context.Context) error {
	c.mu.Lock()
	used := c.used
	c.used = make(map[KeyDigest]time.Time)
	c.mu.Unlock()
	if len(used) == 0 {
		return nil
	}
	err := c.change(ctx, func() error {
		for name := range c.usersOf(used) {
			if err := c.flush(ctx, name, used); err != nil && !errors.Is(err, NotFound) { // one that is gone has no uses
				return err
			}
		}
		return nil
	})
	if err != nil {
		for digest, at := range used {
			c.touch(digest, at) // for the next time
		}
	}
	return err
}

// usersOf gives the names of the clients whose keys were used later than is known of them: other brokers note uses, too.
func (c *Clients) usersOf(used map[KeyDigest]time.Time) map[string]bool {
	d, names := c.directory.Load(), make(map[string]bool)
	for digest, at := range used {
		client, ok := d.byDigest[digest]
		if ok && slices.ContainsFunc(client.Keys, func(k ClientKey) bool { return k.Digest == digest && k.UsedAt.Before(at) }) {
			names[client.Name] = true
		}
	}
	return names
}

// flush notes when the keys of one client were used. Called with changing held.
func (c *Clients) flush(ctx context.Context, name string, used map[KeyDigest]time.Time) error {
	return c.follow(ctx, name, func(client *Client) error {
		for i := range client.Keys {
			key := &client.Keys[i]
			if at := used[key.Digest]; at.After(key.UsedAt) {
				key.UsedAt = at
			}
		}
		return nil
	})
}

// touch notes a use, to the minute: what nobody reads more exactly must not cost a write each time.
func (c *Clients) touch(digest KeyDigest, now time.Time) {
	now = now.UTC().Truncate(time.Minute)
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.After(c.used[digest]) {
		c.used[digest] = now
	}
}
