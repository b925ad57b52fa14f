package cache

import (
	"errors"

	"linkbroker/broker"
)

// ErrInUse says that another process has the store's file open.
var ErrInUse = errors.New("the store is in use by another linkbroker process: stop that one first, or give this one a store of its own")

// ErrDamaged says that a file cannot be served: its pages do not hang together.
var ErrDamaged = errors.New("the file is damaged")

// ErrNewer says that a file was written by a later version of linkbroker.
var ErrNewer = errors.New("the file was written by a later version of linkbroker: run that version, or restore a backup made before the upgrade")

// ErrNotEmpty says that a migration would mix what it moves with something else.
var ErrNotEmpty = errors.New("the store that is moved to must be empty")

// ErrHalfMoved says that a store is being filled by a migration, so that it knows only of a part of what was made and spent.
var ErrHalfMoved = errors.New("the migration into this store has not ended: call the same `linkbroker migrate` again, it goes on where it was")

var errClosed = errors.New("the store is closed")

// failed gives an error the code that broker.Store promises.
func failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	if own, ok := errors.AsType[*broker.Error](err); ok {
		return own
	}
	return broker.Errorf(broker.StoreFailed, doing+": %w", err)
}

func noURL() error { return broker.Errorf(broker.NotFound, "no link that is stored has this URL") }

// noLink is what each miss is told twice, so no format is read for it.
func noLink(key broker.Key) error {
	return &broker.Error{Code: broker.NotFound, Message: "no link is stored under " + key.String()}
}

func noAlias(slug string) error {
	return broker.Errorf(broker.NotFound, "no alias is stored under the slug %q", slug)
}

func noClient(name string) error {
	return broker.Errorf(broker.NotFound, "no client is stored under the name %q", name)
}

func clientChanged(name string) error {
	return broker.Errorf(broker.Conflict, "somebody else has changed the client %q", name)
}

func aliasChanged(slug string) error {
	return broker.Errorf(broker.Conflict, "somebody else has changed the alias %q", slug)
}
