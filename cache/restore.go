package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
)

// Restore puts a backup into the place of a store that no process has open. The backup is looked over first; the
// file it replaces is kept under the name given back, empty if there was none. The store remembers that it was
// restored: see Store.Restored.
func Restore(ctx context.Context, backup, path string, opts Options) (kept string, err error) {
	if err := opts.check(); err != nil {
		return "", err
	}
	if err := opts.Probe(ctx, Full, backup); err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	switch db, err := openFile(path, false); {
	case err == nil:
		defer db.Close() //nolint:errcheck // it was opened only to keep others away
		kept = opts.aside(path, "replaced")
	case errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, ErrDamaged), errors.Is(err, ErrNewer):
		kept = opts.aside(path, "replaced")
	default:
		return "", err
	}
	return kept, replaceFile(ctx, path, kept, backup)
}

// aside names what a file is kept as when another takes its place. Of two within a second, the later has a number.
func (o Options) aside(path, why string) string {
	name := path + "." + why + "-" + o.Clock().UTC().Format(stamp)
	free := name
	for n := 2; isThere(free); n++ {
		free = fmt.Sprintf("%s-%d", name, n)
	}
	return free
}

func isThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// replaceFile puts a copy of a backup, or an empty store if that is "", into the place of a file, and marks it as
// restored. The file is kept under another name unless that is "". There is no moment at which a crash would leave
// no file, for the next start would take that for a first one and forget what quota was spent.
func replaceFile(ctx context.Context, path, kept, backup string) error {
	return makeFile(path, true, func(to *bolt.DB) error {
		if backup != "" {
			if err := copyBackup(ctx, backup, to); err != nil {
				return fmt.Errorf("copying %s: %w", backup, err)
			}
		}
		err := to.Update(func(tx *bolt.Tx) error {
			if err := layOut(tx); err != nil {
				return err
			}
			return tx.Bucket(bucketMeta).Put(metaRestored, []byte(filepath.Base(backup)))
		})
		if err != nil || kept == "" {
			return err
		}
		return keepAside(path, kept)
	})
}

func copyBackup(ctx context.Context, backup string, to *bolt.DB) (err error) {
	from, err := openFile(backup, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	_, err = copyStore(ctx, (&Bolt{db: from}).view, to, 0, nil)
	return err
}

func keepAside(path, kept string) error {
	err := os.Link(path, kept)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Rename(path, kept) // a file system without hard links
}
