//go:build linux || darwin || freebsd

package cli

import (
	"os"
	"syscall"
)

// freeDisk says how many bytes the disk that holds a path still takes from us.
func freeDisk(path string) (uint64, error) {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(path, &disk); err != nil {
		return 0, err
	}
	return uint64(disk.Bavail) * uint64(disk.Bsize), nil //nolint:gosec,unconvert,nolintlint // a block has a few thousand bytes; the types differ by system
}

// mayWrite reports whether files can be made in a folder.
func mayWrite(dir string) bool {
	const writeAndSearch = 2 | 1
	return syscall.Access(dir, writeAndSearch) == nil
}

// lockFile keeps other processes from locking an open file, until it is closed.
func lockFile(file *os.File) error {
	return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
