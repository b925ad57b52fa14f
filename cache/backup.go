package cache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// stamp is the form of a moment in file names. It sorts.
const stamp = "20060102T150405Z"

// BackupName is the name of a backup made at a moment.
func BackupName(at time.Time) string { return "links-" + at.UTC().Format(stamp) + ".db" }

// Backup copies the store into a new file while it is being used; progress, which may be nil, is told how many
// links are copied. The file is a store like any other, without what is damaged and without unused pages. It has
// its name only when it is whole.
func (b *Bolt) Backup(ctx context.Context, path string, progress func(links int)) (Copied, error) {
	if _, err := os.Lstat(path); err == nil {
		return Copied{}, fmt.Errorf("%s exists already", path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return Copied{}, err
	}
	var copied Copied
	err := makeFile(path, false, func(to *bolt.DB) (err error) {
		copied, err = copyStore(ctx, b.view, to, copyPause, progress)
		return err
	})
	return copied, err
}

// Backups gives the backups in a folder, the newest first.
func Backups(dir string) ([]string, error) {
	if dir == "" {
		return nil, nil
	}
	paths, err := filepath.Glob(filepath.Join(dir, "links-*.db"))
	slices.Sort(paths)
	slices.Reverse(paths)
	return paths, err
}

// PruneBackups deletes all but the newest backups in a folder, and what backups that were cut off left behind. It
// must not run beside a backup into the same folder.
func PruneBackups(dir string, keep int) (deleted []string, err error) {
	backups, err := Backups(dir)
	if err != nil {
		return nil, err
	}
	err = removeHalves(filepath.Join(dir, "links-*.db"))
	for _, path := range backups[min(max(keep, 1), len(backups)):] {
		if e := removeIfThere(path); e != nil {
			err = errors.Join(err, e)
			continue
		}
		deleted = append(deleted, path)
	}
	return deleted, err
}
