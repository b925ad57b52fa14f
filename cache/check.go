package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	bolt "go.etcd.io/bbolt"
)

// Report is what Check found in a file whose pages hang together.
type Report struct {
	Links        int   // that can be read
	Aliases      int   // that can be read
	Damaged      int   // records that cannot; each is answered as missing
	Unlisted     int   // links that are missing from the order of ends: they are found, but never purged
	LeadsNowhere int   // entries of the order of ends at which no link ends; PurgeLinks takes them away
	Unfindable   int   // links that are not found by their URL
	StrayURLs    int   // entries among the URLs that lead to no link: damaged records leave them, and no copy has them
	Bytes        int64 // of the file that are in use, or were and are kept for reuse
}

// Clean reports whether there is nothing to complain of. Stray URLs do no harm.
func (r Report) Clean() bool {
	return r.Damaged == 0 && r.Unlisted == 0 && r.LeadsNowhere == 0 && r.Unfindable == 0
}

// faults gives where is counted what is wrong with an index: links that it misses, and entries that lead nowhere.
func (r *Report) faults(i index) (missing, stray *int) {
	if bytes.Equal(i.bucket, bucketURLs) {
		return &r.Unfindable, &r.StrayURLs
	}
	return &r.Unlisted, &r.LeadsNowhere
}

// Check looks at every page and every record of a file that nobody is writing to. The error is ErrDamaged if its
// pages do not hang together; what else is wrong stands in the report and does not keep the file from being served.
//
// A badly damaged file can kill the process. See Options.Probe.
func Check(ctx context.Context, path string) (report Report, err error) {
	db, err := openFile(path, true)
	if err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := checkPages(db); err != nil {
		return Report{}, fmt.Errorf("%s: %w: %w", path, ErrDamaged, err)
	}
	b := &Bolt{db: db}
	report.Bytes = b.Size()
	err = checkRecords(ctx, b.view, &report)
	if _, damaged := errors.AsType[damage](err); damaged {
		err = fmt.Errorf("%s: %w: %w", path, ErrDamaged, err)
	}
	return report, err
}

// maxComplaints is how many of bolt's complaints are repeated. A damaged page can cause thousands.
const maxComplaints = 5

func checkPages(db *bolt.DB) error {
	return db.View(func(tx *bolt.Tx) error {
		var complaints []error
		n := 0
		for complaint := range tx.Check() { // to the end: the checking goroutine waits for it
			if n++; n <= maxComplaints {
				complaints = append(complaints, complaint)
			}
		}
		if n > maxComplaints {
			complaints = append(complaints, fmt.Errorf("and %d more", n-maxComplaints))
		}
		return errors.Join(complaints...)
	})
}

// checkRecords looks at every record, and then at what of the indexes may be wrong.
func checkRecords(ctx context.Context, view viewer, report *Report) error {
	doubts := newDoubts()
	for _, name := range buckets {
		err := visitAll(ctx, view, name, nil, func(_ *bolt.Tx, key, value []byte) { report.add(name, doubts.read(name, key, value)) })
		if err != nil {
			return err
		}
	}
	for _, d := range doubts {
		if err := report.addFaults(ctx, view, d); err != nil {
			return err
		}
	}
	return nil
}

// addFaults counts what is wrong with an index, where there is doubt about it.
func (r *Report) addFaults(ctx context.Context, view viewer, d *doubt) error {
	if !d.any() {
		return nil
	}
	missing, stray := r.faults(d.index)
	for beginning := range d.beginnings() {
		err := visitAll(ctx, view, bucketLinks, beginning, func(tx *bolt.Tx, key, record []byte) {
			*missing += len(d.index.unlisted(tx, key, record))
		})
		if err != nil {
			return err
		}
	}
	return visitAll(ctx, view, d.index.bucket, nil, func(tx *bolt.Tx, key, value []byte) {
		*stray += len(d.index.leadingNowhere(tx, key, value, d.about))
	})
}

// add counts one entry of a bucket.
func (r *Report) add(bucket []byte, err error) {
	switch {
	case err != nil:
		r.Damaged++
	case bytes.Equal(bucket, bucketLinks):
		r.Links++
	case bytes.Equal(bucket, bucketAliases):
		r.Aliases++
	}
}

// readable says what is wrong with a record of a bucket, as whoever reads it would find.
func readable(bucket, key, record []byte) (err error) {
	switch string(bucket) {
	case string(bucketLinks):
		_, err = readRecord(key, record)
	case string(bucketAliases):
		_, err = decodeAlias(key, record)
	case string(bucketStats):
		if _, err = decodeCounts(key, record); err == nil && !isStatKey(key) {
			err = damagedForm
		}
	case string(bucketClients):
		_, err = decodeClient(key, record)
	case string(bucketAudit):
		_, err = decodeAudit(key, record)
	case string(bucketLedger), string(bucketBlobs):
		_, err = unseal(key, record)
	}
	return err
}

// visitAll visits those keys of a bucket that have a beginning.
func visitAll(
	ctx context.Context, view viewer, name, beginning []byte,
	visit func(tx *bolt.Tx, key, value []byte),
) error {
	for place := beginning; ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		last, err := readPage(view, name, place, copyBite, func(tx *bolt.Tx, key, value []byte) bool {
			if !bytes.HasPrefix(key, beginning) {
				return false
			}
			visit(tx, key, value)
			return true
		})
		if err != nil || last == nil {
			return err
		}
		place = last
	}
}

// samples is how many places of each bucket QuickCheck looks at.
const samples = 128

// QuickCheck looks at what every access needs (meta pages, free list, the roots of the buckets) and at a sample of
// the pages below. It takes about as long for a large file as for a small one. Its errors are those of Check, of
// which it misses most where only a few pages are damaged.
func QuickCheck(path string) (err error) {
	db, err := openFile(path, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	b := &Bolt{db: db}
	if err := b.view(samplePages); err != nil {
		return fmt.Errorf("%s: %w: %w", path, ErrDamaged, err)
	}
	return nil
}

// samplePages walks down to random places of each bucket. What it finds there need not be readable, but in order.
func samplePages(tx *bolt.Tx) error {
	return tx.ForEach(func(name []byte, bucket *bolt.Bucket) error {
		first, _ := bucket.Cursor().First()
		last, _ := bucket.Cursor().Last()
		if bytes.Compare(first, last) > 0 {
			return fmt.Errorf("the keys of %s are out of order", name)
		}
		for range samples {
			c := bucket.Cursor()
			sought := between(first, last)
			key, _ := c.Seek(sought)
			next, _ := c.Next()
			if key != nil && bytes.Compare(key, sought) < 0 || next != nil && bytes.Compare(next, key) <= 0 {
				return fmt.Errorf("the keys of %s are out of order", name)
			}
		}
		return nil
	})
}

// between gives a random key of the same form as two others and between them, more or less: what they begin with in
// common, as the ends of links do, it has too.
func between(first, last []byte) []byte {
	key := bytes.Clone(last)
	same := 0
	for same < min(len(first), len(last)) && first[same] == last[same] {
		same++
	}
	for i := same; i < len(key); i++ {
		key[i] = byte(rand.Uint32()) //nolint:gosec // a sample, no secret
	}
	if same < len(key) && same < len(first) && last[same] > first[same] {
		key[same] = first[same] + byte(rand.UintN(uint(last[same]-first[same])+1)) //nolint:gosec // a sample, no secret
	}
	return key
}
