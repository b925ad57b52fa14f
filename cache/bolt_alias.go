package cache

import (
	"context"
	"errors"

	bolt "go.etcd.io/bbolt"

	"linkbroker/broker"
)

// Alias finds one alias. A damaged one is missing.
func (b *Bolt) Alias(ctx context.Context, slug string) (broker.Alias, error) {
	if err := ctx.Err(); err != nil {
		return broker.Alias{}, failed("reading an alias", err)
	}
	key := []byte(slug)
	var alias broker.Alias
	err := b.view(func(tx *bolt.Tx) (err error) {
		record := tx.Bucket(bucketAliases).Get(key)
		if record == nil {
			return errMissing
		}
		alias, err = decodeAlias(key, record)
		return err
	})
	switch _, damaged := errors.AsType[damage](err); {
	case damaged:
		b.skip(bucketAliases, key, err)
		return broker.Alias{}, noAlias(slug)
	case errors.Is(err, errMissing):
		return broker.Alias{}, noAlias(slug)
	case err != nil:
		return broker.Alias{}, failed("reading an alias", err)
	}
	return alias, nil
}

// PutAlias stores an alias in place of the one whose ETag is given. What is damaged has no ETag, and is replaced like
// nothing.
func (b *Bolt) PutAlias(ctx context.Context, alias broker.Alias, replaces string) error {
	record, err := encodeAlias(alias)
	if err != nil {
		return failed("storing an alias", err)
	}
	key, overtaken := []byte(alias.Slug), false
	err = b.write(ctx, "storing an alias", func(tx *bolt.Tx) (bool, error) {
		aliases := tx.Bucket(bucketAliases)
		if overtaken = etagIn(key, aliases.Get(key)) != replaces; overtaken {
			return false, nil // rather than an error, which would undo what is committed beside it
		}
		return true, aliases.Put(key, record)
	})
	if err == nil && overtaken {
		return aliasChanged(alias.Slug)
	}
	return err
}

// DeleteAlias forgets the alias whose ETag is given. A damaged record is deleted too, but was no alias.
func (b *Bolt) DeleteAlias(ctx context.Context, slug, etag string) error {
	key, found := []byte(slug), ""
	err := b.write(ctx, "deleting an alias", func(tx *bolt.Tx) (bool, error) {
		aliases := tx.Bucket(bucketAliases)
		record := aliases.Get(key)
		found = etagIn(key, record)
		if record == nil || found != "" && found != etag {
			return false, nil
		}
		return true, aliases.Delete(key)
	})
	switch {
	case err != nil:
		return err
	case found == "":
		return noAlias(slug)
	case found != etag:
		return aliasChanged(slug)
	}
	return nil
}

// ListAliases gives a page of aliases in the order of their slugs.
func (b *Bolt) ListAliases(ctx context.Context, after string, limit int) ([]broker.Alias, error) {
	var place []byte
	if after != "" {
		place = []byte(after)
	}
	aliases, err := list(ctx, b, bucketAliases, place, limit, decodeAlias)
	return aliases, failed("listing aliases", err)
}
