package cache

import (
	"bytes"
	"encoding/binary"
	"iter"
	"slices"
	"sort"
	"time"

	bolt "go.etcd.io/bbolt"

	"linkbroker/broker"
)

// index is a bucket in which links are found otherwise than by their keys. Its entries are made of a link alone, so that
// one that is missing or left behind is mended by looking at the links.
//
// An entry is a key of the bucket. Or its last rest bytes stand in the value of a key that it shares with others, in order:
// bolt takes 16 bytes for each key.
type index struct {
	bucket []byte
	size   int // of an entry
	key    int // where in it the link's key begins
	rest   int // how much of it stands in a value; 0 = nothing
	entry  func(broker.Link) []byte
	follow func(tx *bolt.Tx, entry []byte) (broker.Link, error) // errMissing or a damage if it leads to no link
	split  func(b *bolt.Bucket, entry []byte)                   // says where a page is split that an entry makes too full; nil = amid
}

const (
	byEnd = iota
	byURL
)

// indexes are all there are.
var indexes = [...]index{
	byEnd: {
		bucketExpiry, expiryKeySize, 8, 0,
		func(l broker.Link) []byte { return expiryKey(l.ExpiresAt, l.Key) }, readEnd, splitEnds,
	},
	byURL: {
		bucketURLs, urlKeySize, urlHashSize, urlRestSize,
		func(l broker.Link) []byte { return urlKey(l.URL, l.Key) }, readURL, nil,
	},
}

// enlist puts a link into every index.
func enlist(tx *bolt.Tx, link broker.Link) error {
	for _, index := range indexes {
		b, entry := tx.Bucket(index.bucket), index.entry(link)
		if index.split != nil {
			index.split(b, entry)
		}
		if err := index.put(b, entry); err != nil {
			return err
		}
	}
	return nil
}

// unlist takes a link out of every index.
func unlist(tx *bolt.Tx, link broker.Link) error {
	for _, index := range indexes {
		if err := index.delete(tx.Bucket(index.bucket), index.entry(link)); err != nil {
			return err
		}
	}
	return nil
}

func (i index) put(b *bolt.Bucket, entry []byte) error {
	if i.rest == 0 {
		return b.Put(entry, nil)
	}
	key := i.shared(entry)
	value := b.Get(key)
	at, found := i.search(value, entry)
	if found {
		return nil
	}
	return b.Put(key, slices.Concat(value[:at], entry[i.size-i.rest:], value[at:]))
}

func (i index) delete(b *bolt.Bucket, entry []byte) error {
	if i.rest > 0 {
		key := i.shared(entry)
		value := b.Get(key)
		switch at, found := i.search(value, entry); {
		case found && len(value) == i.rest:
			return b.Delete(key)
		case found:
			return b.Put(key, slices.Concat(value[:at], value[at+i.rest:]))
		}
	}
	return b.Delete(entry)
}

func (i index) has(b *bolt.Bucket, entry []byte) bool {
	if i.rest > 0 {
		if _, found := i.search(b.Get(i.shared(entry)), entry); found {
			return true
		}
	}
	key, _ := b.Cursor().Seek(entry)
	return bytes.Equal(key, entry)
}

// shared is the key that an entry shares with those that are equal in its first 18 bits. Of 15 million links there are 57
// to a key, a twelfth of a page.
func (i index) shared(entry []byte) []byte {
	return append(entry[:2:2], entry[2]&0xC0)
}

// search gives where in a value the rest of an entry is or belongs.
func (i index) search(value, entry []byte) (at int, found bool) {
	rest := entry[i.size-i.rest:]
	n, found := sort.Find(len(value)/i.rest, func(n int) int { return bytes.Compare(rest, value[n*i.rest:][:i.rest]) })
	return n * i.rest, found
}

// entries gives those of a key and its value. One of another size is damaged.
func (i index) entries(key, value []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if len(value) == 0 {
			yield(key)
			return
		}
		for rest := range slices.Chunk(value, max(i.rest, 1)) {
			if !yield(slices.Concat(key[:min(i.size-i.rest, len(key))], rest)) {
				return
			}
		}
	}
}

// expiryKey is a link's place in the order of ends.
func expiryKey(end time.Time, key broker.Key) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, expiryKeySize), uint64(end.Unix())) //nolint:gosec // after 1970: see storable
	return append(b, key[:]...)
}

const expiryKeySize = 8 + len(broker.Key{})

// splitExpiryKey is the inverse of expiryKey. A key of another length is in no order that we know.
func splitExpiryKey(entry []byte) (end int64, key broker.Key, ok bool) {
	if len(entry) != expiryKeySize {
		return 0, broker.Key{}, false
	}
	return int64(binary.BigEndian.Uint64(entry)), broker.Key(entry[8:]), true //nolint:gosec // was an int64
}

// How full a page of the order of ends is left that is split. Nearly all links end later than those before them: of a page
// at the end that is split amid, the second half would stay empty for good. Where shorter lives are put amid longer ones it is
// the other way round: each would split off the little that the one before left.
const (
	fillAtTheEnd = 0.95
	fillAmid     = 0.45 // and not 0.5, which is what a transaction begins with
	theEnd       = 3600 // seconds before the last link's end
)

// splitEnds says where pages are split in this transaction. One entry amid the others decides for all.
func splitEnds(b *bolt.Bucket, entry []byte) {
	last, _ := b.Cursor().Last()
	end, _, _ := splitExpiryKey(entry)
	if latest, _, ok := splitExpiryKey(last); ok && end < latest-theEnd {
		b.FillPercent = fillAmid
	} else if b.FillPercent != fillAmid {
		b.FillPercent = fillAtTheEnd
	}
}
