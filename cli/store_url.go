package cli

import (
	"log/slog"
	"net/url"
	"strings"
)

// StoreURL is where links are kept. One in Redis may hold a password, which is never shown.
type StoreURL string

// String gives the URL as it may be shown.
func (u StoreURL) String() string {
	if _, isFile := u.file(); isFile || u.inMemory() {
		return string(u)
	}
	parsed, err := url.Parse(string(u))
	if err != nil {
		scheme, _, _ := strings.Cut(string(u), ":")
		return scheme + "://***"
	}
	return parsed.Redacted()
}

// LogValue gives the URL as it may be logged.
func (u StoreURL) LogValue() slog.Value { return slog.StringValue(u.String()) }

// file gives the path of the store's file, if it is one.
func (u StoreURL) file() (path string, ok bool) { return strings.CutPrefix(string(u), "bolt://") }

// inMemory reports whether the store holds what there is in memory, and only as long as the program runs.
func (u StoreURL) inMemory() bool { return strings.HasPrefix(string(u), "memory://") }

// shared reports whether several machines may use the store.
func (u StoreURL) shared() bool {
	_, isFile := u.file()
	return !isFile && !u.inMemory()
}
