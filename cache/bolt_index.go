package cache

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"

	bolt "go.etcd.io/bbolt"

	"linkbroker/broker"
)

// index is a bucket in which links are found otherwise than by their keys. Its entries are made of a link alone and have
// no value, so that one that is missing or left behind is mended by looking at the links.
type index struct {
	bucket []byte
	entry  func(broker.Link) []byte
	follow func(tx *bolt.Tx, entry []byte) (broker.Link, error) // errMissing or a damage if it leads to no link
}

// indexes are all there are.
var indexes = []index{
	{bucketExpiry, func(l broker.Link) []byte { return expiryKey(l.ExpiresAt, l.Key) }, readEnd},
	{bucketURLs, func(l broker.Link) []byte { return urlKey(l.URL, l.Key) }, readURL},
}

// enlist puts a link into every index.
func enlist(tx *bolt.Tx, link broker.Link) error {
	for _, index := range indexes {
		if err := tx.Bucket(index.bucket).Put(index.entry(link), nil); err != nil {
			return err
		}
	}
	return nil
}

// unlist takes a link out of every index.
func unlist(tx *bolt.Tx, link broker.Link) error {
	for _, index := range indexes {
		if err := tx.Bucket(index.bucket).Delete(index.entry(link)); err != nil {
			return err
		}
	}
	return nil
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

// Of hash and key so little is enough: what an entry leads to is compared with the whole URL, and of 15 million links
// one in 150 searches looks at a second link. A whole hash and a whole key would make the file a tenth larger.
const (
	urlHashSize = 4
	urlTailSize = 4
)

// urlKey is a link's place among the URLs.
func urlKey(url string, key broker.Key) []byte {
	hash := sha256.Sum256([]byte(url))
	return append(hash[:urlHashSize:urlHashSize], key[:urlTailSize]...)
}

// readURL gives the link of an entry among the URLs, if it still has that URL.
func readURL(tx *bolt.Tx, entry []byte) (broker.Link, error) {
	if len(entry) != urlHashSize+urlTailSize {
		return broker.Link{}, damagedForm
	}
	tail := entry[urlHashSize:]
	c := tx.Bucket(bucketLinks).Cursor()
	for key, record := c.Seek(tail); bytes.HasPrefix(key, tail); key, record = c.Next() {
		link, err := readRecord(key, record)
		if err == nil && bytes.Equal(urlKey(link.URL, link.Key), entry) {
			return link, nil
		}
	}
	return broker.Link{}, errMissing
}

// LinkByURL finds the link that has a URL.
func (b *Bolt) LinkByURL(ctx context.Context, url string) (broker.Link, error) {
	if err := ctx.Err(); err != nil {
		return broker.Link{}, failed("reading a link", err)
	}
	found, err := broker.Link{}, errMissing
	viewErr := b.view(func(tx *bolt.Tx) error {
		hash := urlKey(url, broker.Key{})[:urlHashSize]
		c := tx.Bucket(bucketURLs).Cursor()
		for entry, _ := c.Seek(hash); bytes.HasPrefix(entry, hash); entry, _ = c.Next() {
			if found, err = readURL(tx, entry); err == nil && found.URL == url {
				return nil
			}
		}
		err = errMissing
		return nil
	})
	switch {
	case viewErr != nil:
		return broker.Link{}, failed("reading a link", viewErr)
	case errors.Is(err, errMissing):
		return broker.Link{}, noURL()
	}
	return found, nil
}
