package broker

import (
	"crypto/sha256"
	"encoding/hex"
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

var roles = []Role{RoleRead, RoleGenerate, RoleAdmin}

// Includes reports whether a client of this role may do what needs the other.
func (r Role) Includes(other Role) bool {
	return slices.Contains(roles, other) && slices.Index(roles, r) >= slices.Index(roles, other)
}

// Client is an API key's owner: who asks, and what they may do.
type Client struct {
	Name        string      `json:"name"`
	Role        Role        `json:"role"`
	Publishable bool        `json:"publishable,omitempty"` // its key stands in web pages, so everybody knows it
	Keys        []ClientKey `json:"keys"`                  // one, and two while it is rotated
	Disabled    bool        `json:"disabled,omitempty"`
	ExpiresAt   time.Time   `json:"expires_at,omitzero"` // zero = never
	CreatedAt   time.Time   `json:"created_at,omitzero"` // zero for a client of the configuration
	Grant       Grant       `json:"grant,omitzero"`
}

// ClientKey is one API key of a client. The key itself is kept nowhere.
type ClientKey struct {
	Digest    KeyDigest `json:"digest"`
	Hint      string    `json:"hint,omitempty"` // how the key begins: tells keys apart and opens nothing
	CreatedAt time.Time `json:"created_at,omitzero"`
	ExpiresAt time.Time `json:"expires_at,omitzero"` // zero = with its client
	UsedAt    time.Time `json:"used_at,omitzero"`
}

// ETag names this state of the client, as Alias.ETag does. When its keys were used is no part of it: brokers note that
// all the time, and it must neither age what an administrator has before him nor need his attention.
func (c Client) ETag() string {
	c.CreatedAt, c.ExpiresAt, c.Keys = c.CreatedAt.UTC(), c.ExpiresAt.UTC(), slices.Clone(c.Keys)
	for i := range c.Keys {
		k := &c.Keys[i]
		k.CreatedAt, k.ExpiresAt, k.UsedAt = k.CreatedAt.UTC(), k.ExpiresAt.UTC(), time.Time{}
	}
	return etagOf(struct {
		Client

		Grant Grant `json:"grant"` // stands there even if it is empty: lists without entries come back as none
	}{c, c.Grant})
}

// KeyDigest is the SHA-256 of an API key.
type KeyDigest [sha256.Size]byte

// MarshalText gives the hexadecimal form.
func (d KeyDigest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

// UnmarshalText reads the hexadecimal form.
func (d *KeyDigest) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(d)) {
		return Errorf(InvalidArgument, "a digest has %d hexadecimal digits", hex.EncodedLen(len(d)))
	}
	_, err := hex.Decode(d[:], text)
	return err
}

// DigestKey gives the digest under which an API key is kept.
func DigestKey(key string) KeyDigest {
	var space [longestKey]byte
	return sha256.Sum256(append(space[:0], key...))
}

// Enabled reports whether the client may ask at the moment.
func (c *Client) Enabled(now time.Time) bool {
	return !c.Disabled && (c.ExpiresAt.IsZero() || now.Before(c.ExpiresAt)) &&
		slices.ContainsFunc(c.Keys, func(k ClientKey) bool { return k.live(now) })
}

// Configured reports whether the client stands in the configuration, where alone it can be changed.
func (c Client) Configured() bool { return c.CreatedAt.IsZero() }

// MayUse reports whether the client may use the app.
func (c *Client) MayUse(app string) bool {
	return len(c.Grant.Apps) == 0 || slices.Contains(c.Grant.Apps, app)
}

func (k ClientKey) live(now time.Time) bool { return k.ExpiresAt.IsZero() || now.Before(k.ExpiresAt) }
