package cache

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"iter"
)

// doubt tells whether an index agrees with its links without looking up each in the other: fingerprints of the entries that the
// links should have are added and those of the entries that are there taken away, in a sum for each beginning of a link's key.
// What agrees leaves 0. Looking up is two thirds of the work of a copy.
type doubt struct {
	index index
	seed  maphash.Seed
	sums  [1 << 16]uint64 // by the first two bytes of the key
}

// about reports whether something may be wrong with an entry.
func (d *doubt) about(entry []byte) bool { return *d.sum(entry) != 0 }

// beginnings gives what the keys of links begin with whose entries may be wrong.
func (d *doubt) beginnings() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i, sum := range d.sums {
			if sum != 0 && !yield([]byte{byte(i >> 8), byte(i)}) {
				return
			}
		}
	}
}

// any reports whether anything is wrong.
func (d *doubt) any() bool { return d.sums != [len(d.sums)]uint64{} }

func (d *doubt) mark(entry []byte) uint64 { return maphash.Bytes(d.seed, entry) }

// sum is what an entry is part of. Those that are too short to be any share one.
func (d *doubt) sum(entry []byte) *uint64 {
	if len(entry) < d.index.size {
		return &d.sums[0]
	}
	return &d.sums[binary.BigEndian.Uint16(entry[d.index.key:])]
}

// doubts are about each of the indexes.
type doubts [len(indexes)]*doubt

func newDoubts() (ds doubts) {
	for i := range ds {
		ds[i] = &doubt{index: indexes[i], seed: maphash.MakeSeed()}
	}
	return ds
}

// read says what is wrong with a record of a bucket, as readable does, and notes what it means for the indexes.
func (ds doubts) read(bucket, key, record []byte) error {
	if bytes.Equal(bucket, bucketLinks) {
		return ds.readLink(key, record)
	}
	for _, d := range ds {
		if !bytes.Equal(bucket, d.index.bucket) {
			continue
		}
		for entry := range d.index.entries(key, record) {
			*d.sum(entry) -= d.mark(entry)
		}
	}
	return readable(bucket, key, record)
}

func (ds doubts) readLink(key, record []byte) error {
	link, err := readRecord(key, record)
	if err != nil {
		return err
	}
	for _, d := range ds {
		entry := d.index.entry(link)
		*d.sum(entry) += d.mark(entry)
	}
	return nil
}
