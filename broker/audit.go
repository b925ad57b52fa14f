package broker

import (
	"context"
	"time"
)

// AuditEntry is who did what, for what cannot be undone or must be answered for.
type AuditEntry struct {
	ID      uint64    `json:"id"` // ascending
	At      time.Time `json:"at"`
	Actor   string    `json:"actor"`             // the client's name; "command" for one given on the machine
	Address string    `json:"address,omitempty"` // from where
	Action  string    `json:"action"`            // as in client.create
	Object  string    `json:"object,omitempty"`  // to what
	Detail  string    `json:"detail,omitempty"`
}

// Audit notes what somebody did. The entry's moment is now.
func (b *Broker) Audit(ctx context.Context, entry AuditEntry) error {
	entry.At = b.clock().UTC().Truncate(time.Millisecond)
	return b.store.AppendAudit(ctx, entry)
}

// AuditLog gives up to limit entries before the ID given, newest first; 0 is the end.
func (b *Broker) AuditLog(ctx context.Context, before uint64, limit int) ([]AuditEntry, error) {
	return b.store.ListAudit(ctx, before, min(max(limit, 1), maxLimit))
}

// AuditStore keeps the audit. It is appended to and never changed; only its old end is purged.
type AuditStore interface {
	// AppendAudit stores an entry under the next ID.
	AppendAudit(ctx context.Context, entry AuditEntry) error

	// ListAudit gives up to limit entries before the ID given, newest first; 0 is the end.
	ListAudit(ctx context.Context, before uint64, limit int) ([]AuditEntry, error)

	// PurgeAudit deletes entries from before the moment, and says how many.
	PurgeAudit(ctx context.Context, before time.Time) (int, error)
}

// ClientStore keeps clients by their name.
type ClientStore interface {
	// PutClient stores a client in place of the one whose ETag is given; empty means that there is none yet. If somebody
	// else was faster it is a Conflict.
	PutClient(ctx context.Context, client Client, replaces string) error

	// DeleteClient forgets one client. One that is not there is NotFound.
	DeleteClient(ctx context.Context, name string) error

	ListClients(ctx context.Context) ([]Client, error)
}
