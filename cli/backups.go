package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
	"linkbroker/handlers"
)

// backups are copies of a store: those in a folder, and one that somebody downloads.
type backups struct {
	store *cache.Store
	path  string // of the store's file
	dir   string // empty = none are kept
	keep  int

	downloading chan struct{} // holds one: a second copy would need the disk once more
}

// copies gives the backups of a store; nil where it has no file.
func (c Config) copies(store *cache.Store) *backups {
	path, isFile := c.Store.file()
	if !isFile {
		return nil
	}
	return &backups{store: store, path: path, dir: c.Backup.Dir, keep: c.Backup.Keep, downloading: make(chan struct{}, 1)}
}

// add copies the store while it is in use, and deletes the oldest copies.
func (b *backups) add(ctx context.Context) (broker.Counts, error) {
	copied, err := b.store.Backup(ctx, filepath.Join(b.dir, cache.BackupName(time.Now())), nil)
	if err != nil {
		return nil, fmt.Errorf("copying the store: %w", err)
	}
	counts := broker.Counts{"links": copied.Links, "damaged": copied.Dropped}
	deleted, err := cache.PruneBackups(b.dir, b.keep)
	counts["deleted"] = len(deleted)
	if err != nil {
		return counts, fmt.Errorf("deleting old backups: %w", err)
	}
	return counts, nil
}

// List gives the copies in the folder.
func (b *backups) List() ([]handlers.Backup, error) {
	paths, err := cache.Backups(b.dir)
	if err != nil {
		return nil, err
	}
	var all []handlers.Backup
	for _, path := range paths {
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, os.ErrNotExist): // deleted meanwhile, as too old
		case err != nil:
			return nil, err
		default:
			all = append(all, handlers.Backup{Name: filepath.Base(path), At: info.ModTime(), Bytes: info.Size()})
		}
	}
	return all, nil
}

// Fresh copies the store into a file beside it, which has a name no longer than need be: what a crash leaves of it is
// deleted when the store is opened next, as its name says that it is half of something.
func (b *backups) Fresh(ctx context.Context) (_ io.ReadCloser, _ handlers.Backup, err error) {
	select {
	case b.downloading <- struct{}{}:
	default:
		return nil, handlers.Backup{}, broker.Errorf(broker.Busy, "a copy of the store is being downloaded already")
	}
	done := func() { <-b.downloading }
	defer func() {
		if err != nil {
			done()
		}
	}()
	path := b.path + ".download.tmp"
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, handlers.Backup{}, err
	}
	at := time.Now()
	if _, err := b.store.Backup(ctx, path, nil); err != nil {
		return nil, handlers.Backup{}, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, handlers.Backup{}, errors.Join(err, os.Remove(path))
	}
	info, err := file.Stat()
	if err != nil {
		return nil, handlers.Backup{}, errors.Join(err, file.Close(), os.Remove(path))
	}
	_ = os.Remove(path) // Windows keeps the name of an open file; then Close takes it away
	return &download{File: file, done: done}, handlers.Backup{Name: cache.BackupName(at), At: at, Bytes: info.Size()}, nil
}

// download is a copy that is gone once it is read.
type download struct {
	*os.File

	done func()
}

// Close lets the copy go, and the next one be made.
func (d *download) Close() error {
	defer d.done()
	err := d.File.Close()
	if e := os.Remove(d.Name()); e != nil && !errors.Is(e, os.ErrNotExist) {
		err = errors.Join(err, e)
	}
	return err
}
