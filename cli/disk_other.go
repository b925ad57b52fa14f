//go:build !linux && !darwin && !freebsd

package cli

import "errors"

func freeDisk(string) (uint64, error) { return 0, errors.ErrUnsupported }

// mayWrite says nothing here: the store itself will.
func mayWrite(string) bool { return true }
