package cache

import "sync"

// stripe guards what memory holds of some of the keys. A reader may have read a thing just before it was replaced or
// deleted, and must not put the old one into memory afterwards: it notes the generation before it reads, and keeps
// what it has read only if no write in the stripe is on its way or has ended since. The lock is held for a moment,
// never while a store is asked.
type stripe struct {
	mu         sync.Mutex
	writing    int
	generation uint64
}

// begun gives the generation in which a read begins.
func (s *stripe) begun() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.generation
}

// ifUnwritten runs keep if nothing in the stripe can have changed since the generation.
func (s *stripe) ifUnwritten(generation uint64, keep func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writing == 0 && s.generation == generation {
		keep()
	}
}

// begin announces a write.
func (s *stripe) begin() {
	s.mu.Lock()
	s.writing++
	s.mu.Unlock()
}

// end follows the write and brings memory in line with it.
func (s *stripe) end(settle func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writing--
	s.generation++
	settle()
}
