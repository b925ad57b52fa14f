package broker

import (
	"context"
	"crypto/subtle"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Clients is the directory of those who may ask: the clients of the configuration and those of the store. It is read
// without a lock, for every request reads it.
type Clients struct {
	store      ClientStore
	changing   onceLock // one change at a time; held across the store's I/O
	configured []Client // guarded by changing
	directory  atomic.Pointer[directory]

	mu   sync.Mutex
	used map[KeyDigest]time.Time // when a key of the store was last used; written by Flush
}

// directory is one state of the directory. Nobody changes a client in it: every request reads them.
type directory struct {
	byDigest map[KeyDigest]*Client
	byName   map[string]*Client
}

// OpenClients reads the clients of the store beside those of the configuration.
func OpenClients(ctx context.Context, store ClientStore, configured []Client) (*Clients, error) {
	c := &Clients{store: store, changing: newOnceLock(), used: make(map[KeyDigest]time.Time)}
	return c, c.Configure(ctx, configured)
}

// Configure takes over the clients of a new configuration. On an error the present ones stay.
func (c *Clients) Configure(ctx context.Context, configured []Client) error {
	if err := c.changing.lock(ctx); err != nil {
		return err
	}
	defer c.changing.unlock()
	stored, err := c.store.ListClients(ctx)
	if err != nil {
		return err
	}
	d, err := newDirectory(configured, stored)
	if err != nil {
		return err
	}
	c.configured = slices.Clone(configured)
	c.directory.Store(d)
	return nil
}

// Refresh reads the clients of the store anew, which other brokers on it may have changed. If it cannot be read the present
// directory stays.
func (c *Clients) Refresh(ctx context.Context) error {
	if err := c.changing.lock(ctx); err != nil {
		return err
	}
	defer c.changing.unlock()
	return c.read(ctx)
}

// read builds the directory anew. A client that another broker has stored under a name or key of this configuration is
// passed over and told of as a Conflict: the others must be known as they are, above all those that were disabled.
// Called with changing held.
func (c *Clients) read(ctx context.Context) error {
	stored, err := c.store.ListClients(ctx)
	if err != nil {
		return err
	}
	d, err := newDirectory(c.configured, stored)
	c.directory.Store(d)
	return err
}

// newDirectory gives a directory of the clients that can be in one, the first before the later, and why others cannot.
func newDirectory(configured, stored []Client) (*directory, error) {
	d := &directory{byDigest: make(map[KeyDigest]*Client), byName: make(map[string]*Client)}
	var errs []error
	for _, client := range slices.Concat(configured, stored) {
		errs = append(errs, d.add(&client))
	}
	return d, errors.Join(errs...)
}

func (d *directory) add(client *Client) error {
	if _, taken := d.byName[client.Name]; taken {
		return Errorf(Conflict, "two clients are named %q", client.Name)
	}
	for _, key := range client.Keys {
		if other, taken := d.byDigest[key.Digest]; taken {
			return Errorf(Conflict, "clients %q and %q have the same key", other.Name, client.Name)
		}
	}
	client.Grant = client.Grant.prepared()
	d.byName[client.Name] = client
	for _, key := range client.Keys {
		d.byDigest[key.Digest] = client
	}
	return nil
}

// ByKey finds the client of an API key that may be used at the moment. Only digests are compared, so the time it
// takes tells nothing of a key. The client is the directory's own and not to be changed.
func (c *Clients) ByKey(key string, now time.Time) (*Client, KeyDigest, bool) {
	digest := DigestKey(key)
	client, known := c.directory.Load().byDigest[digest]
	if !known {
		return nil, digest, false
	}
	ok := client.Enabled(now)
	for _, k := range client.Keys {
		if subtle.ConstantTimeCompare(k.Digest[:], digest[:]) == 1 {
			ok = ok && k.live(now)
		}
	}
	if ok && !client.Configured() {
		c.touch(digest, now)
	}
	return client, digest, ok
}

// ByName finds a client.
func (c *Clients) ByName(name string) (Client, bool) {
	if client, ok := c.directory.Load().byName[name]; ok {
		return *client, true
	}
	return Client{}, false
}

// named finds a client whose word is to be checked. For a name that is nobody's it gives a client who may nothing but
// has a key, so that checking takes as long and the time does not tell names.
func (c *Clients) named(name string) *Client {
	if client, ok := c.directory.Load().byName[name]; ok {
		return client
	}
	return &Client{Disabled: true, Keys: make([]ClientKey, 1)}
}

// List gives all clients in the order of their names.
func (c *Clients) List() []Client {
	d := c.directory.Load()
	list := make([]Client, 0, len(d.byName))
	for _, name := range slices.Sorted(maps.Keys(d.byName)) {
		list = append(list, *d.byName[name])
	}
	return list
}

// Enabled counts the clients that may ask at the moment.
func (c *Clients) Enabled(now time.Time) (n int) {
	for _, client := range c.directory.Load().byName {
		if client.Enabled(now) {
			n++
		}
	}
	return n
}

// Create stores a new client and gives its API key, which is shown this once and kept nowhere.
func (c *Clients) Create(ctx context.Context, client Client, now time.Time) (key string, err error) {
	key = NewAPIKey(client.Publishable)
	client.CreatedAt = now.UTC().Truncate(time.Second)
	client.Keys = []ClientKey{newClientKey(key, client.CreatedAt)}
	if err := client.Check(); err != nil {
		return "", err
	}
	return key, c.change(ctx, func() error {
		return c.replace(ctx, client.Name, func(old Client) (Client, error) {
			if old.Name != "" {
				return Client{}, Errorf(Conflict, "a client named %q exists", client.Name)
			}
			return client, nil
		})
	})
}

func newClientKey(key string, now time.Time) ClientKey {
	return ClientKey{Digest: DigestKey(key), Hint: keyHint(key), CreatedAt: now}
}

// Rotate gives a client a new key beside its present one, which ends after the overlap: two live keys, so that every
// machine can take the new one over. A form that is sent twice would so end the key in use at once: who says by its hint
// which key is to be followed is refused (Conflict) where that is no longer the present one; empty = whichever it is.
func (c *Clients) Rotate(ctx context.Context, name, hint string, overlap time.Duration, now time.Time) (key string, err error) {
	if overlap < 0 {
		return "", Errorf(InvalidArgument, "the overlap of two keys must not be negative")
	}
	err = c.Update(ctx, name, func(client *Client) error {
		newest := client.Keys[len(client.Keys)-1]
		if hint != "" && hint != newest.Hint {
			return Errorf(Conflict, "client %q has a newer key already, which was shown when it was made", name)
		}
		key = NewAPIKey(client.Publishable)
		if ends := now.Add(overlap).UTC().Truncate(time.Second); newest.ExpiresAt.IsZero() || ends.Before(newest.ExpiresAt) {
			newest.ExpiresAt = ends
		}
		client.Keys = []ClientKey{newest, newClientKey(key, now.UTC().Truncate(time.Second))}
		return nil
	})
	if err != nil {
		return "", err // of what was drawn nothing is stored
	}
	return key, nil
}

// Update changes a client of the store.
func (c *Clients) Update(ctx context.Context, name string, change func(*Client) error) error {
	return c.amend(ctx, name, func(client *Client) error {
		if err := change(client); err != nil {
			return err
		}
		return client.Check()
	})
}

// amend changes a client of the store as it is: one that an earlier version took must not fail to be disabled.
func (c *Clients) amend(ctx context.Context, name string, change func(*Client) error) error {
	return c.change(ctx, func() error { return c.follow(ctx, name, change) })
}

// follow makes a change of a client that is there. Called with changing held.
func (c *Clients) follow(ctx context.Context, name string, change func(*Client) error) error {
	return c.replace(ctx, name, func(client Client) (Client, error) {
		if err := changeable(client, name); err != nil {
			return Client{}, err
		}
		client.Keys = slices.Clone(client.Keys)
		return client, change(&client)
	})
}

// replace stores what follows a client; one without a name is none. If another broker on the store was faster, what is
// there by then is followed instead. Called with changing held.
func (c *Clients) replace(ctx context.Context, name string, next func(old Client) (Client, error)) error {
	for attempt := 1; ; attempt++ {
		old, ok := c.ByName(name)
		etag := ""
		if ok {
			etag = old.ETag()
		}
		client, err := next(old)
		if err != nil {
			return err
		}
		if err = c.store.PutClient(ctx, client, etag); !errors.Is(err, Conflict) || attempt == changeAttempts {
			return err
		}
		if err := c.read(ctx); err != nil && !errors.Is(err, Conflict) {
			return err
		}
	}
}

// Delete forgets a client of the store, with its keys and its tokens.
func (c *Clients) Delete(ctx context.Context, name string) error {
	return c.change(ctx, func() error {
		client, _ := c.ByName(name)
		if err := changeable(client, name); err != nil {
			return err
		}
		return c.store.DeleteClient(ctx, name)
	})
}

// DisableStored disables every client of the store: after a backup was restored, in which a key that was revoked
// since could have come back. Each is enabled again by hand.
func (c *Clients) DisableStored(ctx context.Context) (n int, err error) {
	for _, client := range c.List() {
		if client.Configured() || client.Disabled {
			continue
		}
		if err := c.amend(ctx, client.Name, func(c *Client) error { c.Disabled = true; return nil }); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// change makes one change in the store and reads the directory anew, also where the change failed or its asker has
// hung up: it may have taken effect, and a key that was revoked must not go on opening doors.
func (c *Clients) change(ctx context.Context, change func() error) error {
	if err := c.changing.lock(ctx); err != nil {
		return err
	}
	defer c.changing.unlock()
	err := change()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storePatience)
	defer cancel()
	if e := c.read(ctx); !errors.Is(e, Conflict) { // which is none of this change's: Refresh tells of it
		err = errors.Join(err, e)
	}
	return err
}

// changeable reports with an error why what was found under a name cannot be changed.
func changeable(client Client, name string) error {
	switch {
	case client.Name == "":
		return Errorf(NotFound, "no client is named %q", name)
	case client.Configured():
		return Errorf(Conflict, "client %q stands in the configuration: change it there and reload", name)
	}
	return nil
}
