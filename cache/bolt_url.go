package cache

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"

	bolt "go.etcd.io/bbolt"

	"linkbroker/broker"
)

// Of hash and key so little is enough: what an entry leads to is compared with the whole URL, and of 15 million links
// one in 150 searches looks at a second link. A whole hash and a whole key would make the file a fifth larger.
const (
	urlHashSize = 4
	urlTailSize = 4
	urlKeySize  = urlHashSize + urlTailSize
	urlRestSize = urlKeySize - 2
)

// urlKey is a link's place among the URLs.
func urlKey(url string, key broker.Key) []byte {
	hash := sha256.Sum256([]byte(url))
	return append(hash[:urlHashSize:urlHashSize], key[:urlTailSize]...)
}

// readURL gives the link of an entry among the URLs, if it still has that URL.
func readURL(tx *bolt.Tx, entry []byte) (broker.Link, error) {
	if len(entry) != urlKeySize {
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
		found, err = searchURL(tx, url)
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

// searchURL looks at the entries that share a key with the URL's.
func searchURL(tx *bolt.Tx, url string) (broker.Link, error) {
	urls := indexes[byURL]
	hash := urlKey(url, broker.Key{})[:urlHashSize]
	c := tx.Bucket(bucketURLs).Cursor()
	for key, value := c.Seek(urls.shared(hash)); key != nil && bytes.Compare(key[:min(len(key), urlHashSize)], hash) <= 0; key, value = c.Next() {
		for entry := range urls.entries(key, value) {
			if !bytes.HasPrefix(entry, hash) {
				continue
			}
			if link, err := readURL(tx, entry); err == nil && link.URL == url {
				return link, nil
			}
		}
	}
	return broker.Link{}, errMissing
}
