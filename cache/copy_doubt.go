package cache

import "hash/maphash"

// doubt tells whether an index agrees with its links without looking up each in the other: fingerprints of the entries that the
// links should have are added and those of the entries that are there taken away, in many sums, and what agrees leaves 0.
// Looking up is two thirds of the work of a copy.
type doubt struct {
	seed maphash.Seed
	sums [1 << 16]uint64
}

func newDoubt() *doubt { return &doubt{seed: maphash.MakeSeed()} }

// wanted notes an entry that a link should have.
func (d *doubt) wanted(entry []byte) {
	print := maphash.Bytes(d.seed, entry)
	d.sums[print>>48] += print
}

// found notes an entry of the index.
func (d *doubt) found(entry []byte) {
	print := maphash.Bytes(d.seed, entry)
	d.sums[print>>48] -= print
}

// any reports whether anything is wrong.
func (d *doubt) any() bool { return d.sums != [len(d.sums)]uint64{} }

// about reports whether something may be wrong with an entry.
func (d *doubt) about(entry []byte) bool { return d.sums[maphash.Bytes(d.seed, entry)>>48] != 0 }
