package cache

import (
	"bytes"
	"context"
	"time"

	bolt "go.etcd.io/bbolt"

	"linkbroker/broker"
)

// AddStats adds counts, all in one transaction. A damaged record is begun anew.
func (b *Bolt) AddStats(ctx context.Context, stats []broker.Stat) error {
	for _, stat := range stats {
		if err := storableStat(stat); err != nil {
			return failed("counting", err)
		}
	}
	return b.write(ctx, "counting", func(tx *bolt.Tx) (bool, error) {
		changed := false
		for _, stat := range stats {
			counted, err := b.addStat(tx, stat)
			if err != nil {
				return false, err
			}
			changed = changed || counted
		}
		return changed, nil
	})
}

func (b *Bolt) addStat(tx *bolt.Tx, stat broker.Stat) (counted bool, err error) {
	place, bucket := rangeFor(stat), tx.Bucket(bucketStats)
	key, counts := place.key(), make(map[string]uint64)
	if record := bucket.Get(key); record != nil {
		if kept, err := decodeCounts(key, record); err != nil {
			b.skip(bucketStats, key, err)
		} else {
			counts = kept
		}
	}
	addCounts(counts, stat.Counts)
	if len(counts) == 0 {
		return false, nil
	}
	return true, bucket.Put(key, encodeCounts(key, counts))
}

// Stats gives a stretch of a series.
func (b *Bolt) Stats(ctx context.Context, series string, grain broker.Grain, from, to time.Time) ([]broker.Stat, error) {
	s := statSeries{series, grain}
	var stats []broker.Stat
	err := b.eachStat(ctx, rangeOf(s, from, to), func(second uint64, key, record []byte) {
		counts, err := decodeCounts(key, record)
		if err != nil {
			b.skip(bucketStats, key, err)
			return
		}
		stats = append(stats, s.stat(second, counts))
	})
	return stats, failed("reading counts", err)
}

// eachStat visits a range, in short transactions. What visit is given is gone when it returns.
func (b *Bolt) eachStat(ctx context.Context, r statRange, visit func(second uint64, key, record []byte)) error {
	for r.from < r.to {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := b.view(func(tx *bolt.Tx) error {
			c := tx.Bucket(bucketStats).Cursor()
			for n := 0; n < pageSize && r.from < r.to; n++ {
				key, record := c.Seek(r.key())
				if second, mine := r.advance(key); mine {
					visit(second, key, record)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// DeleteStats forgets a series. Its hours lie all over the bucket: they are searched for before anything is written,
// so that no search holds up the writer.
func (b *Bolt) DeleteStats(ctx context.Context, series string) error {
	var keys [][]byte
	for _, grain := range []broker.Grain{broker.Total, broker.Daily, broker.Hourly} {
		err := b.eachStat(ctx, wholeRange(statSeries{series, grain}), func(_ uint64, key, _ []byte) {
			keys = append(keys, bytes.Clone(key))
		})
		if err != nil {
			return failed("deleting counts", err)
		}
	}
	for len(keys) > 0 {
		bite := keys[:min(purgeBite, len(keys))]
		err := b.write(ctx, "deleting counts", func(tx *bolt.Tx) (bool, error) {
			return true, deleteAll(tx.Bucket(bucketStats), bite)
		})
		if err != nil {
			return err
		}
		keys = keys[len(bite):]
	}
	return nil
}

// PurgeStats deletes the oldest hours, which lie together.
func (b *Bolt) PurgeStats(ctx context.Context, before time.Time, limit int) (int, error) {
	end := statRange{prefix: []byte("h"), from: secondFrom(before)}
	purged := 0
	for purged < limit {
		n, bite := 0, min(purgeBite, limit-purged)
		err := b.write(ctx, "purging counts", func(tx *bolt.Tx) (bool, error) {
			bucket := tx.Bucket(bucketStats)
			past := keysBetween(bucket, end.prefix, end.key(), bite)
			n = len(past)
			return n > 0, deleteAll(bucket, past)
		})
		if err != nil {
			return purged, err
		}
		if purged += n; n < bite {
			break
		}
	}
	return purged, nil
}

// keysBetween collects keys before any is deleted: a cursor would lose its place by that.
func keysBetween(bucket *bolt.Bucket, from, to []byte, limit int) (keys [][]byte) {
	c := bucket.Cursor()
	for key, _ := c.Seek(from); key != nil && bytes.Compare(key, to) < 0 && len(keys) < limit; key, _ = c.Next() {
		keys = append(keys, bytes.Clone(key))
	}
	return keys
}

func deleteAll(bucket *bolt.Bucket, keys [][]byte) error {
	for _, key := range keys {
		if err := bucket.Delete(key); err != nil {
			return err
		}
	}
	return nil
}
