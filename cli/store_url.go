package cli

import (
	"log/slog"
	"maps"
	"net/url"
	"regexp"
	"slices"
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
	if err != nil || parsed.Hostname() == "" {
		scheme, _, _ := strings.Cut(string(u), ":")
		return scheme + "://***"
	}
	shown := url.URL{Scheme: parsed.Scheme, Host: parsed.Host}
	switch _, hasPassword := parsed.User.Password(); {
	case hasPassword:
		shown.User = url.UserPassword(parsed.User.Username(), "xxxxx")
	case parsed.User != nil: // which may be the password, without its colon
		shown.User = url.User("xxxxx")
	}
	if databasePath.MatchString(parsed.Path) {
		shown.Path = parsed.Path
	}
	text := shown.String()
	if settings := shownSettings(parsed.Query()); settings != "" {
		text += "?" + settings
	}
	return text
}

var databasePath = regexp.MustCompile(`^/[0-9]*$`)

// harmless are the settings of a store's URL that are shown, and what they look like: anything else may be part of a password.
var harmless = map[string]*regexp.Regexp{
	"addr":       regexp.MustCompile(`^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}$`),
	"db":         regexp.MustCompile(`^[0-9]+$`),
	"master_set": regexp.MustCompile(`^[A-Za-z0-9._-]+$`),
	"prefix":     regexp.MustCompile(`^[A-Za-z0-9._-]+$`),
	"replicas":   regexp.MustCompile(`^[0-9]+$`),
	"timeout":    regexp.MustCompile(`^[0-9.]+(ms|s|m)$`),
}

// shownSettings gives what may be shown of settings, and … for the rest.
func shownSettings(settings url.Values) string {
	var shown []string
	hidden := false
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		for _, value := range settings[name] {
			if form := harmless[name]; form == nil || !form.MatchString(value) {
				hidden = true
				continue
			}
			shown = append(shown, name+"="+value)
		}
	}
	if hidden {
		shown = append(shown, "…")
	}
	return strings.Join(shown, "&")
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
