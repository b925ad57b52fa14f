package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	bolt "go.etcd.io/bbolt"

	"linkbroker/broker"
)

// Options are what Open needs beside the URL.
type Options struct {
	Clock broker.Clock // names files that are put aside; required

	// MemoryLinks is how many links are answered from memory, and a quarter as many aliases; 0 = 100,000. Each takes about
	// 0.7 kB, and one with much text counts once more for each KiB of it.
	MemoryLinks int

	// BackupDir is where a backup is looked for if the file is damaged; empty = nowhere.
	BackupDir string

	// Probe looks a file over before it is served; nil = Inspect. A program that shall survive whatever a damaged
	// file does gives Subprocess.
	Probe Probe

	// Logger is told of damage; nil = nobody is.
	Logger *slog.Logger
}

func (o *Options) check() error {
	if o.Clock == nil {
		return errors.New("cache.Options needs a Clock")
	}
	if o.MemoryLinks <= 0 {
		o.MemoryLinks = 100_000
	}
	if o.Probe == nil {
		o.Probe = Inspect
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Store is an open store with its memory layer in front.
type Store struct {
	*Layer

	bolt     *Bolt  // nil unless it is a file
	redis    *Redis // nil unless it is in Redis
	recovery *Recovery
}

// Open opens a store by its URL:
//
//	bolt://data/links.db       a file, relative to the working directory
//	bolt:///var/lib/links.db   a file
//	redis://host:6379          Redis 7 or Valkey, which several brokers may share; see parseRedisURL for the rest
//	rediss://host:6379         the same with TLS; valkey:// and valkeys:// are the same as these
//	memory://                  nothing survives a restart
//
// A damaged file is replaced by the newest good backup in Options.BackupDir (see Recovery); a file in use is
// ErrInUse and one of a later version ErrNewer.
func Open(ctx context.Context, url string, opts Options) (*Store, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	scheme, path, ok := strings.Cut(url, "://")
	switch {
	case ok && scheme == "memory":
		return &Store{Layer: NewLayer(NewMemory(), opts.MemoryLinks)}, nil
	case ok && scheme == "bolt" && path != "":
		b, recovery, err := openSafely(ctx, path, opts)
		if err != nil {
			return nil, err
		}
		if err := whole(ctx, b); err != nil {
			return nil, errors.Join(err, b.Close())
		}
		return &Store{Layer: NewLayer(b, opts.MemoryLinks), bolt: b, recovery: recovery}, nil
	case ok && isRedis(scheme):
		return openShared(ctx, url, opts)
	default: // without what follows the scheme, which may hold a password
		scheme, _, _ = strings.Cut(scheme, ":")
		return nil, fmt.Errorf("the store's URL begins with %q: known are bolt://path, redis://host:port, rediss://host:port, "+
			"valkey://host:port, valkeys://host:port and memory://", scheme)
	}
}

// openShared opens a store in Redis with this broker's memory in front.
func openShared(ctx context.Context, url string, opts Options) (*Store, error) {
	r, err := openRedis(ctx, url, opts)
	if err != nil {
		return nil, err
	}
	if err := whole(ctx, newRedisRecords(r)); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	layer := NewLayer(r, opts.MemoryLinks)
	r.watch.layer.Store(layer)
	return &Store{Layer: layer, redis: r}, nil
}

// Recovery says what was done about a damaged file when the store was opened; nil if it was sound.
func (s *Store) Recovery() *Recovery { return s.recovery }

// Size is how many bytes of the file are in use; 0 for a store that is none.
func (s *Store) Size() int64 {
	if s.bolt == nil {
		return 0
	}
	return s.bolt.Size()
}

// Damaged counts the damaged records met since the store was opened. Each was answered as missing.
func (s *Store) Damaged() int64 {
	switch {
	case s.bolt != nil:
		return s.bolt.Damaged()
	case s.redis != nil:
		return s.redis.Damaged()
	}
	return 0
}

// Backup copies the store into a new file. See Bolt.Backup.
func (s *Store) Backup(ctx context.Context, path string, progress func(links int)) (Copied, error) {
	switch {
	case s.redis != nil:
		return Copied{}, errors.New("a store in Redis is backed up by Redis: see BGSAVE and appendonly")
	case s.bolt == nil:
		return Copied{}, errors.New("a store in memory has no backups")
	}
	return s.bolt.Backup(ctx, path, progress)
}

// Restored reports whether the store was restored from a backup, or began empty for want of one, and nobody has
// confirmed that yet. Its ledger is then older than the truth.
func (s *Store) Restored() (bool, error) {
	if s.bolt == nil {
		return false, nil
	}
	return s.bolt.restored()
}

// ConfirmRestored says that the consequences of a restore are drawn and stored. Until then Restored stays true, also
// after a crash.
func (s *Store) ConfirmRestored(ctx context.Context) error {
	if s.bolt == nil {
		return nil
	}
	return s.bolt.confirmRestored(ctx)
}

func (b *Bolt) restored() (marked bool, err error) {
	err = b.view(func(tx *bolt.Tx) error {
		marked = tx.Bucket(bucketMeta).Get(metaRestored) != nil
		return nil
	})
	return marked, failed("reading the store's state", err)
}

func (b *Bolt) confirmRestored(ctx context.Context) error {
	return b.write(ctx, "confirming the restore", func(tx *bolt.Tx) (bool, error) {
		return true, tx.Bucket(bucketMeta).Delete(metaRestored)
	})
}
