package broker

import (
	"context"
	"iter"
	"time"
)

// Store keeps what must survive a restart. Every method is safe for concurrent use. What a method has returned
// without an error is durable: it is found after a crash. A missing thing is an error of Code NotFound, every other
// failure one of StoreFailed.
type Store interface {
	LinkStore
	LedgerStore
	BlobStore
	ClientStore
	AuditStore
	AliasStore
	StatStore
	Close() error
}

// LinkStore keeps links by their key. A record that cannot be read, or whose target does not hash to its key, is
// a missing link and never a wrong one.
type LinkStore interface {
	// Link finds one link. It may be dead: freshness is the domain's to judge.
	Link(ctx context.Context, key Key) (Link, error)

	// LinkByURL finds the link that has this URL at present. It may be dead.
	LinkByURL(ctx context.Context, url string) (Link, error)

	// PutLink stores a generated link in place of an earlier one, whose uses and pin it keeps (Link.Replacing).
	PutLink(ctx context.Context, link Link) error

	// PinLink sets or takes away the pin.
	PinLink(ctx context.Context, key Key, pinned bool) error

	// DeleteLink forgets one link. A link that is not there is NotFound.
	DeleteLink(ctx context.Context, key Key) error

	// TouchLinks adds uses (Link.Touched). Keys that are not there are passed over. It is all or nothing, except in a store
	// that several machines share: there each use is added by itself, and of an error nobody knows which were. In any store
	// a use that cannot be stored is found before the first is added. What another machine remembers of a link is not
	// told of its uses: it sees them when it next reads the link.
	TouchLinks(ctx context.Context, uses []Use) error

	// ListLinks gives up to limit links in the order of their keys, after the key given; the zero key is the
	// beginning. Fewer than limit means that the end is reached.
	ListLinks(ctx context.Context, after Key, limit int) ([]Link, error)

	// ExpiringLinks walks the links with from <= ExpiresAt < to (both in whole seconds) in the order of their end.
	// It reads page by page and holds no transaction while the caller works on a link; links put meanwhile may be
	// missed or seen. An error ends the walk.
	ExpiringLinks(ctx context.Context, from, to time.Time) iter.Seq2[Link, error]

	// PurgeLinks deletes up to limit links that ended before the moment given, and says how many.
	PurgeLinks(ctx context.Context, before time.Time, limit int) (int, error)
}

// LedgerStore counts units of quota by account and day.
type LedgerStore interface {
	// ReserveQuota takes up to n units for an account on a day, as long as all that is reserved then stays within
	// the limit. It grants what is left, which may be 0, and gives the total reserved. n may be negative: it gives
	// reserved units back.
	ReserveQuota(ctx context.Context, account, day string, n, limit int64) (granted, total int64, err error)

	// ReservedQuota says how much is reserved for an account on a day: 0 if nothing was.
	ReservedQuota(ctx context.Context, account, day string) (int64, error)

	// PurgeQuota forgets the days before the one given (days are ISO 8601, so they sort).
	PurgeQuota(ctx context.Context, before string) error
}

// BlobStore keeps a few small named values: the key that signs broker tokens, an access token, a sandbox's state.
type BlobStore interface {
	Blob(ctx context.Context, name string) ([]byte, error)
	PutBlob(ctx context.Context, name string, value []byte) error

	// AddBlob stores a value unless there is one under the name already, and gives the one that is there then: of several
	// brokers that begin together all get the same.
	AddBlob(ctx context.Context, name string, value []byte) (kept []byte, err error)
}
