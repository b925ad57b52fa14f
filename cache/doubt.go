package cache

import (
	"bytes"
	"hash/maphash"
)

// doubt tells whether an index agrees with its links without looking up each in the other: fingerprints of the entries that the
// links should have are added and those of the entries that are there taken away, in many sums, and what agrees leaves 0.
// Looking up is two thirds of the work of a copy.
type doubt struct {
	seed maphash.Seed
	sums [1 << 16]uint64
}

// any reports whether anything is wrong.
func (d *doubt) any() bool { return d.sums != [len(d.sums)]uint64{} }

// about reports whether something may be wrong with an entry.
func (d *doubt) about(entry []byte) bool {
	_, sum := d.mark(entry)
	return *sum != 0
}

// mark gives an entry's fingerprint, and the sum it is part of.
func (d *doubt) mark(entry []byte) (mark uint64, sum *uint64) {
	mark = maphash.Bytes(d.seed, entry)
	return mark, &d.sums[mark>>48]
}

// doubts are about each of the indexes.
type doubts [len(indexes)]*doubt

func newDoubts() (ds doubts) {
	for i := range ds {
		ds[i] = &doubt{seed: maphash.MakeSeed()}
	}
	return ds
}

// read says what is wrong with a record of a bucket, as readable does, and notes what it means for the indexes.
func (ds doubts) read(bucket, key, record []byte) error {
	if bytes.Equal(bucket, bucketLinks) {
		return ds.readLink(key, record)
	}
	for i, index := range indexes {
		if !bytes.Equal(bucket, index.bucket) {
			continue
		}
		for entry := range index.entries(key, record) {
			mark, sum := ds[i].mark(entry)
			*sum -= mark
		}
	}
	return readable(bucket, key, record)
}

func (ds doubts) readLink(key, record []byte) error {
	link, err := readRecord(key, record)
	if err != nil {
		return err
	}
	for i, index := range indexes {
		mark, sum := ds[i].mark(index.entry(link))
		*sum += mark
	}
	return nil
}
