package cache

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// oldestRedis is the version from which on all is there that is used here. Valkey says that it is Redis 7.2.
const oldestRedis = 7

// checkServer refuses a server that is too old, and warns of one that may forget what was stored.
func (r *Redis) checkServer(ctx context.Context) error {
	info, err := r.do(ctx, r.client.B().Info().Build()).ToString()
	if err != nil {
		return failed("asking Redis for its version", err)
	}
	report := reportOf(info)
	if report.TooOld != nil {
		return report.TooOld
	}
	if policy := report.Policy; policy != "" && policy != "noeviction" {
		r.log.Error("the store forgets what it was told to keep when its memory is full: set maxmemory-policy to noeviction", "policy", policy)
	}
	return nil
}

// checkVersion judges what INFO says to be redis_version, which is empty where it says nothing.
func checkVersion(version string) error {
	if version == "" {
		return errors.New("the store does not say that it is Redis or Valkey")
	}
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err == nil && n < oldestRedis {
		return fmt.Errorf("the store is in Redis %s: it needs Redis 7.0 or later, or Valkey", version)
	}
	return nil
}
