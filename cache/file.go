package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

const (
	// lockTimeout is how long a file in use is waited for: long enough for a probe or a command that looks at it.
	lockTimeout = time.Second

	// mapSize is address space, not memory: a file that outgrows its map waits for every reader to be mapped anew.
	mapSize = 1 << 30

	// halfSuffix is what the names of files that are being filled end with.
	halfSuffix = ".tmp"
)

// openFile opens a file that exists, and checks that it is one of ours. Its errors are ErrInUse, ErrDamaged,
// ErrNewer, or what the operating system says.
func openFile(path string, readOnly bool) (*bolt.DB, error) {
	switch info, err := os.Stat(path); {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no file", path)
	case info.Size() == 0: // bolt would take it for a new one
		return nil, fmt.Errorf("%s: %w: it is empty", path, ErrDamaged)
	}
	for range 5 {
		db, file, err := openBare(path, readOnly)
		if err != nil {
			return nil, err
		}
		// Whoever held the lock before us may have put another file in the place of this one.
		if !samePlace(file, path) {
			_ = db.Close() // nothing was written
			continue
		}
		if err := db.View(func(tx *bolt.Tx) error { return checkFile(tx, file) }); err != nil {
			_ = db.Close() // nothing was written
			return nil, err
		}
		return db, nil
	}
	return nil, fmt.Errorf("%s is replaced again and again by another process", path)
}

// openBare lets bolt open a file, and turns the panics that a damaged one causes into errors.
func openBare(path string, readOnly bool) (db *bolt.DB, file *os.File, err error) {
	defer func() {
		if db == nil && file != nil {
			_ = file.Close() // after a panic nobody else does, and its lock would stay
		}
		err = classify(path, err)
	}()
	defer catch(&err, debug.SetPanicOnFault(true))
	db, err = bolt.Open(path, 0o600, &bolt.Options{
		Timeout:         lockTimeout,
		FreelistType:    bolt.FreelistArrayType,
		PreLoadFreelist: true, // also to read: a damaged free list shall be noticed by whoever looks
		InitialMmapSize: mapSize,
		NoStatistics:    true,
		ReadOnly:        readOnly,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			file, err = os.OpenFile(name, flag&^os.O_CREATE, mode)
			return file, err
		},
	})
	return db, file, err
}

// classify tells damage from an environment that does not let us have the file.
func classify(path string, err error) error {
	_, system := errors.AsType[syscall.Errno](err)
	_, fault := errors.AsType[damage](err)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, berrors.ErrTimeout):
		return fmt.Errorf("%s: %w", path, ErrInUse)
	case errors.Is(err, berrors.ErrVersionMismatch):
		return fmt.Errorf("%s: %w", path, ErrNewer)
	case system && !fault:
		return err
	default:
		return fmt.Errorf("%s: %w: %w", path, ErrDamaged, err)
	}
}

// checkFile refuses a file that is shorter than it says, before anybody reads beyond its end, and one that is not
// for us.
func checkFile(tx *bolt.Tx, file *os.File) (err error) {
	defer catch(&err, debug.SetPanicOnFault(true))
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if info.Size() < tx.Size() {
		return fmt.Errorf("%w: %d of its %d bytes are left", ErrDamaged, info.Size(), tx.Size())
	}
	return checkSchema(tx)
}

func samePlace(file *os.File, path string) bool {
	opened, err := file.Stat()
	if err != nil {
		return false
	}
	placed, err := os.Stat(path)
	return err == nil && os.SameFile(opened, placed)
}

// makeFile makes a file under another name, has it filled and puts it into its place when it is whole and on the
// disk: no crash leaves half a file. Unless it may replace, a file that is there already is left alone, which is
// no error.
func makeFile(path string, replace bool, fill func(*bolt.DB) error) (err error) {
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*"+halfSuffix) // 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removeIfThere(temp.Name())) }()
	if err := temp.Close(); err != nil {
		return err
	}
	if err := fillFile(temp.Name(), fill); err != nil {
		return err
	}
	if replace {
		err = os.Rename(temp.Name(), path)
	} else {
		err = placeNew(temp.Name(), path)
	}
	if err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// fillFile fills an empty file and cuts off what bolt allocated in advance.
func fillFile(path string, fill func(*bolt.DB) error) error {
	db, _, err := openBare(path, false)
	if err != nil {
		return err
	}
	db.NoSync = true // once, at the end, is enough for a file that is not in its place yet
	var size int64
	err = fill(db)
	if err == nil {
		err = db.View(func(tx *bolt.Tx) error {
			size = tx.Size()
			return nil
		})
	}
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(file.Truncate(size), file.Sync(), file.Close())
}

// placeNew puts a file where there is none. A link instead of a rename: two processes that start together would
// else each serve a file of its own.
func placeNew(temp, path string) error {
	err := os.Link(temp, path)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil { // a file system without hard links
		return os.Rename(temp, path)
	}
	return nil
}

// removeHalves deletes what a crash left of files that were to take the place of another.
func removeHalves(path string) error {
	halves, err := filepath.Glob(path + ".*" + halfSuffix)
	for _, half := range halves {
		err = errors.Join(err, removeIfThere(half))
	}
	return err
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// syncFolder makes a name that was given or taken away survive a crash.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
