package cache

import (
	"context"
	"time"

	bolt "go.etcd.io/bbolt"

	"linkbroker/broker"
)

// AppendAudit stores an entry under the next ID.
func (b *Bolt) AppendAudit(ctx context.Context, entry broker.AuditEntry) error {
	return b.write(ctx, "writing the audit", func(tx *bolt.Tx) (bool, error) {
		audit := tx.Bucket(bucketAudit)
		id, err := audit.NextSequence() // rolled back with the transaction, and never given twice
		if err != nil {
			return false, err
		}
		entry.ID = id
		record, err := encodeAudit(entry)
		if err != nil {
			return false, err
		}
		return true, audit.Put(auditKey(id), record)
	})
}

// ListAudit gives a page of the audit, newest first.
func (b *Bolt) ListAudit(_ context.Context, before uint64, limit int) ([]broker.AuditEntry, error) {
	var entries []broker.AuditEntry
	err := b.view(func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketAudit).Cursor()
		key, record := c.Last()
		if before != 0 {
			if key, _ = c.Seek(auditKey(before)); key == nil {
				key, record = c.Last()
			} else {
				key, record = c.Prev()
			}
		}
		for ; key != nil && len(entries) < limit; key, record = c.Prev() {
			entry, err := decodeAudit(key, record)
			if err != nil {
				b.skip(bucketAudit, key, err)
				continue
			}
			entries = append(entries, entry)
		}
		return nil
	})
	return entries, failed("reading the audit", err)
}

// PurgeAudit deletes the oldest entries, up to the first that is young enough.
func (b *Bolt) PurgeAudit(ctx context.Context, before time.Time) (int, error) {
	purged := 0
	for {
		n := 0
		err := b.write(ctx, "purging the audit", func(tx *bolt.Tx) (bool, error) {
			audit := tx.Bucket(bucketAudit)
			var past [][]byte // a cursor would lose its place by deleting
			c := audit.Cursor()
			for key, record := c.First(); key != nil && len(past) < purgeBite; key, record = c.Next() {
				if entry, err := decodeAudit(key, record); err == nil && !entry.At.Before(before) {
					break
				}
				past = append(past, append([]byte(nil), key...))
			}
			for _, key := range past {
				if err := audit.Delete(key); err != nil {
					return false, err
				}
			}
			n = len(past)
			return n > 0, nil
		})
		purged += n
		if err != nil || n < purgeBite {
			return purged, err
		}
	}
}
