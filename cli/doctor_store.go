package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"linkbroker/cache"
)

// How much of the disk should be free, and what is hardly enough to write anything.
const (
	freeEnough = 1_000_000_000
	freeLeast  = 50_000_000
)

func (d *diagnosis) examineStore(ctx context.Context, cfg Config) {
	path, isFile := cfg.Store.file()
	switch {
	case cfg.Store.shared():
		d.examineShared(ctx, cfg)
		return
	case !isFile:
		d.add(odd, "store", cfg.Store.String()+" forgets every link when it ends, and what quota was spent", "set store: bolt://data/links.db")
		return
	}
	d.examineFile(ctx, cfg, path)
	d.examineDisk("store", path)
	d.examineFolder("store", filepath.Dir(path))
	if cfg.Backup.Dir != "" && cfg.Jobs.Backup != "" {
		d.examineFolder("backup.dir", cfg.Backup.Dir)
	} else {
		d.add(odd, "backup.dir", "no backups are made", "set backup.dir and jobs.backup")
	}
}

func (d *diagnosis) examineFile(ctx context.Context, cfg Config, path string) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		d.add(fine, "store", path+" is not there yet: the first start makes it", "")
		return
	}
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		d.add(odd, "store", fmt.Sprintf("%s is open to others (mode %04o), and holds the key that signs tokens", path, info.Mode().Perm()), "chmod 600 "+path)
	}
	options, optErr := storeOptions(cfg, slog.New(slog.DiscardHandler))
	if err = errors.Join(err, optErr); err == nil {
		err = options.Probe(ctx, cache.Quick, path)
	}
	switch {
	case err == nil:
		d.add(fine, "store", path+" is sound at a first look, and no broker has it open", "")
	case errors.Is(err, cache.ErrInUse):
		d.add(fine, "store", path+" is in use by a running linkbroker", "")
	case errors.Is(err, cache.ErrDamaged):
		d.add(failing, "store", err.Error(), "the next start puts the newest good backup in its place; `linkbroker check` looks at everything")
	case errors.Is(err, cache.ErrNewer):
		d.add(failing, "store", err.Error(), "run the later version, or restore a backup of this one")
	default:
		d.add(failing, "store", err.Error(), "run doctor as the broker's user, which has to own the file")
	}
}

// examineDisk says how much room there is: compacting and restoring need a second copy.
func (d *diagnosis) examineDisk(check, path string) {
	free, err := freeDisk(existing(path))
	if err != nil {
		d.add(odd, check, "how much of the disk is free cannot be told: "+err.Error(), "")
		return
	}
	size := uint64(0)
	if info, err := os.Stat(path); err == nil {
		size = uint64(info.Size()) //nolint:gosec // never negative
	}
	switch {
	case free < freeLeast:
		d.add(failing, check, megabytes(free)+" of its disk are free: links can hardly be stored", "make room, or use another disk")
	case free < max(freeEnough, 2*size):
		d.add(odd, check, megabytes(free)+" of its disk are free, of which a restore alone may take "+megabytes(size), "make room, or keep fewer backups (backup.keep)")
	default:
		d.add(fine, check, megabytes(free)+" of its disk are free", "")
	}
}

// examineFolder looks whether we can write and others cannot read.
func (d *diagnosis) examineFolder(check, dir string) {
	there := existing(dir)
	info, err := os.Stat(there)
	switch {
	case err != nil:
		d.add(failing, check, err.Error(), "run doctor as the broker's user")
	case !info.IsDir():
		d.add(failing, check, there+" is no folder", "move it away, or name another")
	case !mayWrite(there):
		d.add(failing, check, there+" cannot be written", "chown it to the broker's user, or run doctor as that")
	case there == dir && info.Mode().Perm()&0o077 != 0:
		d.add(odd, check, fmt.Sprintf("%s is open to others (mode %04o)", dir, info.Mode().Perm()), "chmod 700 "+dir)
	case there != dir:
		d.add(fine, check, dir+" is not there yet, and can be made", "")
	default:
		d.add(fine, check, dir+" can be written, by its owner alone", "")
	}
}

// existing gives the path itself or the nearest folder above it that is there.
func existing(path string) string {
	for {
		_, err := os.Stat(path)
		if !errors.Is(err, fs.ErrNotExist) || path == "." || path == "/" {
			return path
		}
		path = filepath.Dir(path)
	}
}
