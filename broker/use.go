package broker

import (
	"slices"
	"sync"
)

// Uses are counted in memory and written every few seconds: a write for each hit would make the disk, not the
// memory, answer. A crash loses seconds of counting, never a link.
type uses struct {
	shards [64]struct {
		mu   sync.Mutex
		uses map[Key]*Use
	}

	taking sync.Mutex
	next   int // the shard that is taken first, guarded by taking
}

// maxUsesPerShard bounds the memory while the store cannot be written: about a million links in all. What is used
// beyond that is not counted.
const maxUsesPerShard = 1 << 14

// add counts a use.
func (u *uses) add(use Use) {
	shard := &u.shards[use.Key[0]%64]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	switch sum := shard.uses[use.Key]; {
	case sum != nil:
		sum.Count += use.Count
		if use.UsedAt.After(sum.UsedAt) {
			sum.UsedAt = use.UsedAt
		}
	case len(shard.uses) < maxUsesPerShard:
		if shard.uses == nil {
			shard.uses = make(map[Key]*Use)
		}
		shard.uses[use.Key] = new(use) // a copy: use itself is to stay off the heap
	}
}

// take takes what is counted shard by shard, in turn, until there are so many, and gives it in the order of the keys. Who
// cannot write it puts it back with add.
func (u *uses) take(most int) []Use {
	u.taking.Lock()
	defer u.taking.Unlock()
	var all []Use
	for i := 0; i < len(u.shards) && len(all) < most; i++ {
		shard := &u.shards[u.next]
		u.next = (u.next + 1) % len(u.shards)
		shard.mu.Lock()
		taken := shard.uses
		shard.uses = nil
		shard.mu.Unlock()
		for _, use := range taken {
			all = append(all, *use)
		}
	}
	slices.SortFunc(all, func(a, b Use) int { return slices.Compare(a.Key[:], b.Key[:]) })
	return all
}
