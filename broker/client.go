package broker

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"regexp"
	"slices"
	"time"
)

// Role is what a client may do. Each role may do what the one before it may.
type Role string

// The roles.
const (
	RoleRead     Role = "read"     // get links that are stored
	RoleGenerate Role = "generate" // and have links generated
	RoleAdmin    Role = "admin"    // and everything on the admin listener
)

// Includes reports whether a client of this role may do what needs the other.
func (r Role) Includes(other Role) bool {
	order := []Role{RoleRead, RoleGenerate, RoleAdmin}
	return slices.Contains(order, other) && slices.Index(order, r) >= slices.Index(order, other)
}

// Client is an API key's owner: who asks, and what they may do.
type Client struct {
	Name      string
	Role      Role
	Apps      []string  // the appids it may use; empty = all
	Digest    KeyDigest // SHA-256 of its API key; the key itself is kept nowhere
	ExpiresAt time.Time // zero = never
}

// MayUse reports whether the client may use the app.
func (c Client) MayUse(app string) bool { return len(c.Apps) == 0 || slices.Contains(c.Apps, app) }

// Enabled reports whether the client's key is good at the moment.
func (c Client) Enabled(now time.Time) bool { return c.ExpiresAt.IsZero() || now.Before(c.ExpiresAt) }

// KeyDigest is the SHA-256 of an API key.
type KeyDigest [sha256.Size]byte

// DigestKey gives the digest under which an API key is kept.
func DigestKey(key string) KeyDigest { return sha256.Sum256([]byte(key)) }

// apiKey is the form of an API key. It fits unescaped into a path, a header and a query.
var apiKey = regexp.MustCompile(`^[A-Za-z0-9_-]{16,128}$`)

// CheckAPIKey refuses what cannot be an API key, without repeating it.
func CheckAPIKey(key string) error {
	if !apiKey.MatchString(key) {
		return Errorf(InvalidArgument, "an API key has 16 to 128 characters out of A-Z a-z 0-9 _ -")
	}
	return nil
}

// Clients is the directory of those who may ask. It is immutable.
type Clients struct {
	byDigest map[KeyDigest]Client
	byName   map[string]Client
}

// NewClients makes a directory. Two clients of one name or one key are refused.
func NewClients(clients []Client) (*Clients, error) {
	c := &Clients{byDigest: make(map[KeyDigest]Client, len(clients)), byName: make(map[string]Client, len(clients))}
	for _, client := range clients {
		if _, taken := c.byName[client.Name]; taken {
			return nil, fmt.Errorf("two clients are named %q", client.Name)
		}
		if other, taken := c.byDigest[client.Digest]; taken {
			return nil, fmt.Errorf("clients %q and %q have the same key", other.Name, client.Name)
		}
		c.byName[client.Name] = client
		c.byDigest[client.Digest] = client
	}
	return c, nil
}

// ByKey finds the client of an API key. Only digests are compared, so the time it takes tells nothing of a key.
func (c *Clients) ByKey(key string) (Client, bool) {
	digest := DigestKey(key)
	client, ok := c.byDigest[digest]
	return client, ok && subtle.ConstantTimeCompare(client.Digest[:], digest[:]) == 1
}

// ByName finds the client of a name.
func (c *Clients) ByName(name string) (Client, bool) {
	client, ok := c.byName[name]
	return client, ok
}

// Enabled counts the clients whose key is good at the moment.
func (c *Clients) Enabled(now time.Time) int {
	n := 0
	for _, client := range c.byDigest {
		if client.Enabled(now) {
			n++
		}
	}
	return n
}
