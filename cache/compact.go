package cache

import (
	"context"
	"errors"
	"fmt"
	"os"

	bolt "go.etcd.io/bbolt"
)

// Compacted says what Compact achieved.
type Compacted struct {
	Copied

	Before, After int64 // size of the file in bytes
}

// Compact copies a store that no process has open into a file without unused pages, and puts that into its place.
// Until then it needs the space of both.
func Compact(ctx context.Context, path string) (done Compacted, err error) {
	db, err := openFile(path, false)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if done.Before, err = fileSize(path); err != nil {
		return done, err
	}
	err = makeFile(path, true, func(to *bolt.DB) (err error) {
		done.Copied, err = copyStore(ctx, (&Bolt{db: db}).view, to, 0, nil)
		return err
	})
	if err != nil {
		return done, fmt.Errorf("compacting %s: %w", path, err)
	}
	done.After, err = fileSize(path)
	return done, err
}

func fileSize(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
