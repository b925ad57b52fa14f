package cache

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strconv"
	"sync/atomic"

	bolt "go.etcd.io/bbolt"
)

// The buckets of a file.
var (
	bucketMeta   = []byte("meta")   // what the file is
	bucketLinks  = []byte("links")  // key → record
	bucketExpiry = []byte("expiry") // end in seconds since 1970 (8 bytes, big-endian) + key → nothing
	bucketURLs   = []byte("urls")   // first 18 bits of the URL's SHA-256 → the rest of entries that begin so: see index
	bucketLedger = []byte("ledger") // day + 0 + account → record of a number
	bucketBlobs  = []byte("blobs")  // name → record of a value

	bucketClients = []byte("clients") // name → record of a client
	bucketAudit   = []byte("audit")   // ID (8 bytes, big-endian) → record of an entry

	bucketAliases = []byte("aliases") // slug → record of an alias
	bucketStats   = []byte("stats")   // see statRange → record of counts
)

// buckets are all that a sound file has. Files are made with them, so a missing one is damage.
var buckets = [][]byte{
	bucketMeta, bucketLinks, bucketExpiry, bucketURLs, bucketLedger, bucketBlobs, bucketClients, bucketAudit, bucketAliases, bucketStats,
}

// The keys of the meta bucket.
var (
	metaSchema   = []byte("schema")   // decimal
	metaRestored = []byte("restored") // present until somebody has drawn the consequences
	metaMoved    = []byte("moved")    // present until the migration that fills the file has ended: see moved
)

// schema is the layout of the file. A program refuses a file of a later one.
const schema = 1

// Bolt is a store in one file. It is safe for concurrent use, by one process at a time.
type Bolt struct {
	db      *bolt.DB
	log     *slog.Logger
	commits *committer
	damaged atomic.Int64
}

// openBolt serves a file that exists and has been looked over.
func openBolt(path string, log *slog.Logger) (*Bolt, error) {
	db, err := openFile(path, false)
	if err != nil {
		return nil, err
	}
	if err := removeHalves(path); err != nil {
		log.Warn("file cut off by a crash cannot be deleted", "error", err)
	}
	return newBolt(db, log), nil
}

func newBolt(db *bolt.DB, log *slog.Logger) *Bolt {
	b := &Bolt{db: db, log: log}
	b.commits = startCommitter(b.update)
	return b
}

// Close waits for the writes in flight and gives the file free.
func (b *Bolt) Close() error {
	if !b.commits.close() {
		return nil
	}
	return failed("closing the store", b.db.Close())
}

// Damaged counts the records that could not be read since the store was opened. Each was answered as missing.
func (b *Bolt) Damaged() int64 { return b.damaged.Load() }

// Size is how many bytes of the file are in use, or were and are kept for reuse.
func (b *Bolt) Size() int64 {
	var size int64
	_ = b.view(func(tx *bolt.Tx) error { // a closed store has no size
		size = tx.Size()
		return nil
	})
	return size
}

// view runs a read transaction. It must be short: pages freed meanwhile cannot be used again, and a file that grows
// beyond its map waits for it.
func (b *Bolt) view(read func(*bolt.Tx) error) (err error) {
	defer catch(&err, debug.SetPanicOnFault(true))
	return b.db.View(read)
}

// update runs a write transaction. Only the committer calls it.
func (b *Bolt) update(write func(*bolt.Tx) error) (err error) {
	defer catch(&err, debug.SetPanicOnFault(true))
	return b.db.Update(write)
}

// write queues a change and waits until it is on the disk. change may run more than once, so it must set whatever
// it sets anew; it says whether it changed anything. If the context ends before it was begun, it never runs;
// once begun it is waited for, because its outcome must be known.
func (b *Bolt) write(ctx context.Context, doing string, change func(*bolt.Tx) (changed bool, err error)) error {
	return failed(doing, b.commits.do(ctx, change))
}

// skip counts a damaged record and passes over it.
func (b *Bolt) skip(bucket, key []byte, err error) {
	b.damaged.Add(1)
	b.log.Error("damaged record", "bucket", string(bucket), "key", fmt.Sprintf("%x", key), "error", err)
}

// catch turns a panic into an error: bbolt panics on a page that makes no sense, and reading beyond the end of a
// truncated file is a fault. It must be deferred with the setting of debug.SetPanicOnFault to return to.
func catch(err *error, panicOnFault bool) {
	debug.SetPanicOnFault(panicOnFault)
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: %v", damagedPage, p)
	}
}

// layOut fills a new file.
func layOut(tx *bolt.Tx) error {
	for _, name := range buckets {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	return tx.Bucket(bucketMeta).Put(metaSchema, strconv.AppendInt(nil, schema, 10))
}

// checkSchema refuses a file that this program cannot read.
func checkSchema(tx *bolt.Tx) error {
	for _, name := range buckets {
		if tx.Bucket(name) == nil {
			return fmt.Errorf("%w: it has no bucket %q", ErrDamaged, name)
		}
	}
	written := string(tx.Bucket(bucketMeta).Get(metaSchema))
	version, err := strconv.Atoi(written)
	switch {
	case err != nil || version < 1:
		return fmt.Errorf("%w: its schema is %q", ErrDamaged, written)
	case version > schema:
		return fmt.Errorf("%w (its schema is %d, known is %d)", ErrNewer, version, schema)
	}
	return nil
}
