package cache

import (
	"github.com/maypok86/otter/v2"

	"linkbroker/broker"
)

// shelf is what memory holds of one kind of thing, as it was read.
type shelf[K comparable, V any] struct {
	memory  *otter.Cache[K, *kept[V]]
	hash    func(K) uint64
	stripes [512]stripe // by hash
}

// kept is one thing as it was read in an epoch of its layer. It is immutable.
type kept[V any] struct {
	value V
	epoch uint64
}

// hold makes room for so many things, of which one may count as several.
func (s *shelf[K, V]) hold(things int, hash func(K) uint64, weight func(*V) uint32) {
	s.hash = hash
	s.memory = otter.Must(&otter.Options[K, *kept[V]]{
		MaximumWeight: uint64(things), //nolint:gosec // not below 0
		Weigher:       func(_ K, k *kept[V]) uint32 { return weight(&k.value) },
	})
}

func (s *shelf[K, V]) stripe(key K) *stripe { return &s.stripes[s.hash(key)%uint64(len(s.stripes))] }

// read asks the store, and brings memory in line with what it says. What does not last is not kept.
func (s *shelf[K, V]) read(key K, epoch uint64, ask func() (V, error), lasts func(*V) bool) (V, error) {
	stripe := s.stripe(key)
	generation := stripe.begun()
	value, err := ask()
	switch {
	case err == nil && lasts(&value):
		stripe.ifUnwritten(generation, func() { s.memory.Set(key, &kept[V]{value, epoch}) })
	case broker.CodeOf(err) == broker.NotFound:
		stripe.ifUnwritten(generation, func() { s.memory.Invalidate(key) })
	}
	return value, err
}

// write changes one thing and forgets it, whether or not the change went well.
func (s *shelf[K, V]) write(key K, change func() error) error {
	stripe := s.stripe(key)
	stripe.begin()
	defer stripe.end(func() { s.memory.Invalidate(key) })
	return change()
}

// forget forgets one thing that somebody else has changed. What is being read of it is not kept either.
func (s *shelf[K, V]) forget(key K) {
	stripe := s.stripe(key)
	stripe.begin()
	stripe.end(func() { s.memory.Invalidate(key) })
}
