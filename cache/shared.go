package cache

import (
	"context"

	"linkbroker/broker"
)

// shared is a store that several brokers share, with this broker's memory in front.
type shared struct {
	*Layer

	redis *Redis
}

var _ broker.Leaser = shared{}

// Lease takes the turn for a name.
func (s shared) Lease(ctx context.Context, name string) (broker.Turn, error) {
	return s.redis.Lease(ctx, name)
}

// PutNote leaves a note under a name.
func (s shared) PutNote(ctx context.Context, name string, note broker.Note) error {
	return s.redis.PutNote(ctx, name, note)
}

// NoteOf gives what was left under a name.
func (s shared) NoteOf(ctx context.Context, name string) (broker.Note, error) {
	return s.redis.NoteOf(ctx, name)
}

// Share says that this broker uses something.
func (s shared) Share(ctx context.Context, name string) (brokers int, err error) {
	return s.redis.Share(ctx, name)
}

// Served is the store as a broker is to be made with it: one that several brokers share is a broker.Leaser too.
func (s *Store) Served() broker.Store {
	if s.redis == nil {
		return s.Layer
	}
	return shared{s.Layer, s.redis}
}

// Health says how a store that several brokers share is.
type Health struct {
	State  string // one of Troubles; empty = it is well, or the store is no such
	Doubts uint64 // how often all that memory holds had to be asked for again
}

// Troubles are the states of a store that several brokers share in which not all goes on: full, read-only, loading and away.
func Troubles() []string { return troubles[full:] }

// Health says how the store is. What it says of a store that only one broker has is always that it is well.
func (s *Store) Health() Health {
	if s.redis == nil {
		return Health{}
	}
	return Health{State: trouble(s.redis.health.worst.Load()).String(), Doubts: s.epoch.Load()}
}

// WatchClients has changed called once another broker has changed a client, and when that may have been missed. It may be called for
// nothing, and is called again a second after it has failed. Nothing is changed in a store that only one broker has.
func (s *Store) WatchClients(changed func() error) {
	if s.redis != nil {
		s.redis.watchClients(changed)
	}
}
