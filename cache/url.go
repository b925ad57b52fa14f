package cache

import (
	"errors"
	"strings"
)

// CheckURL reports what is wrong with a store's URL, without opening anything. Its error does not repeat the URL, which may
// hold a password.
func CheckURL(url string) error {
	scheme, rest, ok := strings.Cut(url, "://")
	switch {
	case ok && scheme == "memory" && rest == "", ok && scheme == "bolt" && rest != "":
		return nil
	case ok && isRedis(scheme):
		_, err := parseRedisURL(url)
		return err
	default:
		return errUnknownURL
	}
}

var errUnknownURL = errors.New("must be bolt:// and the path of a file, redis://host:port or rediss:// with TLS for a store that " +
	"several machines share, or memory:// to keep nothing over a restart")

// isRedis reports whether a scheme is one of a store in Redis or Valkey.
func isRedis(scheme string) bool {
	switch scheme {
	case "redis", "rediss", "valkey", "valkeys":
		return true
	default:
		return false
	}
}
