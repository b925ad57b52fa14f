package cli

import (
	"reflect"
	"strings"
	"time"
)

// field is one key of a section of the configuration.
type field struct {
	name string
	kind reflect.Type
}

// fieldsOf lists the keys of a section in the order in which Config declares them.
func fieldsOf(section reflect.Type) []field {
	fields := make([]field, 0, section.NumField())
	for f := range section.Fields() {
		fields = append(fields, field{name: f.Tag.Get("koanf"), kind: f.Type})
	}
	return fields
}

// isSection reports whether the value is a mapping of further keys.
func isSection(kind reflect.Type) bool {
	return kind.Kind() == reflect.Struct && kind != reflect.TypeFor[time.Time]()
}

// isSectionList reports whether the value is a list of sections, as apps and clients are.
func isSectionList(kind reflect.Type) bool {
	return kind.Kind() == reflect.Slice && isSection(kind.Elem())
}

// isTextual reports whether a text can stand for a section as well.
func isTextual(kind reflect.Type) bool { return kind == reflect.TypeFor[PathConfig]() }

// settingNamed finds the setting that the rest of an environment variable's name means, and gives its path:
// ADMIN_LISTEN is admin.listen, APPS_0_SECRET is apps.0.secret. Keys contain underscores themselves, so only the
// tree of settings tells where one ends.
func settingNamed(name string, kind reflect.Type) (path string, found bool) {
	switch {
	case name == "" && isTextual(kind):
		return "", true
	case isSection(kind):
		for _, f := range fieldsOf(kind) {
			rest, matches := strings.CutPrefix(name, strings.ToUpper(f.name))
			if !matches || rest != "" && rest[0] != '_' {
				continue
			}
			if below, ok := settingNamed(strings.TrimPrefix(rest, "_"), f.kind); ok {
				return join(f.name, below), true
			}
		}
		return "", false
	case isSectionList(kind):
		index, rest, _ := strings.Cut(name, "_")
		below, ok := settingNamed(rest, kind.Elem())
		return join(index, below), ok && isIndex(index)
	default:
		return "", name == ""
	}
}

// join adds a key to a path of keys.
func join(path, key string) string {
	if path == "" || key == "" {
		return path + key
	}
	return path + "." + key
}

// isIndex reports whether a key of a path is the index of a list.
func isIndex(key string) bool {
	return key != "" && len(key) <= 3 && strings.Trim(key, "0123456789") == ""
}

// nearest finds the key that was probably meant, or "".
func nearest(name string, fields []field) string {
	best, distance := "", 1+len(name)/3
	for _, f := range fields {
		if d := editDistance(strings.ToLower(name), f.name); d <= distance {
			best, distance = f.name, d-1
		}
	}
	return best
}

// editDistance counts the single-character edits between two words.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			changed := diagonal
			if a[i] != b[j] {
				changed++
			}
			diagonal = row[j+1]
			row[j+1] = min(changed, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
