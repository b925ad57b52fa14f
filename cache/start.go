package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
)

// quickTime is how long a quick look may take. A slow disk is no damage: after that comes the full check.
const quickTime = 30 * time.Second

// Recovery says what was done about a damaged file.
type Recovery struct {
	Cause       error  // what was wrong
	Quarantined string // where the damaged file is kept
	Backup      string // the backup in its place; empty = none was good, the store began empty
}

// openSafely opens a file for serving, and makes it if there is none. A damaged one neither stops the start nor is
// served: it is kept aside, and the newest good backup takes its place.
func openSafely(ctx context.Context, path string, opts Options) (*Bolt, *Recovery, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, nil, err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := makeFile(path, false, func(db *bolt.DB) error { return db.Update(layOut) }); err != nil {
			return nil, nil, fmt.Errorf("making the store: %w", err)
		}
	}
	var b *Bolt
	err := lookOver(ctx, path, opts.Probe)
	if err == nil {
		b, err = openBolt(path, opts.Logger)
	}
	if !errors.Is(err, ErrDamaged) {
		return b, nil, err
	}
	recovery, err := recoverFile(ctx, path, err, opts)
	if err != nil {
		return nil, nil, err
	}
	b, err = openBolt(path, opts.Logger)
	return b, recovery, err
}

// lookOver lets the full check decide where the quick one finds damage or takes too long.
func lookOver(ctx context.Context, path string, probe Probe) error {
	quick, cancel := context.WithTimeout(ctx, quickTime)
	defer cancel()
	err := probe(quick, Quick, path)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, ErrDamaged) || errors.Is(err, context.DeadlineExceeded) {
		return probe(ctx, Full, path)
	}
	return err
}

func recoverFile(ctx context.Context, path string, cause error, opts Options) (*Recovery, error) {
	recovery := &Recovery{Cause: cause, Quarantined: opts.aside(path, "damaged")}
	backups, err := Backups(opts.BackupDir)
	if err != nil {
		return nil, err
	}
	for _, backup := range append(backups, "") {
		if backup != "" {
			if err := opts.Probe(ctx, Full, backup); err != nil && ctx.Err() == nil {
				opts.Logger.Error("backup cannot be restored", "backup", backup, "error", err)
				continue // whatever is wrong with it: an older one may do
			}
		}
		if err := replaceFile(ctx, path, recovery.Quarantined, backup); err != nil {
			return nil, fmt.Errorf("replacing the damaged store: %w", err)
		}
		recovery.Backup = backup
		break
	}
	opts.Logger.Error("store was damaged and has been replaced; an empty backup means that it begins empty",
		"path", path, "cause", cause, "quarantined", recovery.Quarantined, "backup", recovery.Backup)
	return recovery, nil
}
