package cli

import (
	"fmt"
	"reflect"
	"strings"

	"linkbroker/handlers"
	"linkbroker/wechat"
)

// rows gives the effective configuration value by value, where each was set beside it, and no secret.
func (s *Settings) rows() []handlers.Setting { return s.appendRows(nil, "", reflect.ValueOf(s.Config)) }

func (s *Settings) appendRows(rows []handlers.Setting, path string, value reflect.Value) []handlers.Setting {
	switch kind := value.Type(); {
	case isTextual(kind):
		rule, _ := value.Interface().(PathConfig)
		return append(rows, handlers.Setting{Path: path, Value: rule.rule().String(), Source: s.Origin(path)})
	case isSection(kind):
		for i, f := range fieldsOf(kind) {
			rows = s.appendRows(rows, join(path, f.name), value.Field(i))
		}
		return rows
	case isSectionList(kind) && value.Len() > 0:
		for i := range value.Len() {
			rows = s.appendRows(rows, fmt.Sprintf("%s[%d]", path, i), value.Index(i))
		}
		return rows
	default:
		return append(rows, rowOf(path, value, s.Origin(path)))
	}
}

func rowOf(path string, value reflect.Value, origin string) handlers.Setting {
	row := handlers.Setting{Path: path, Source: origin}
	switch v := plain(value.Interface()).(type) {
	case nil:
	case []string:
		row.Value = strings.Join(v, ", ")
	default:
		if value.Type() == reflect.TypeFor[wechat.Secret]() {
			row.Secret = value.Len() > 0
			return row
		}
		if value.Kind() != reflect.Slice { // an empty list of sections
			row.Value = fmt.Sprint(v)
		}
	}
	return row
}

// pending gives the rows after a reload: of what only a restart takes over, those of the start and what they will be.
func pending(start, latest []handlers.Setting) []handlers.Setting {
	before := make(map[string]handlers.Setting, len(start))
	for _, row := range start {
		before[row.Path] = row
	}
	var rows []handlers.Setting
	for _, row := range latest {
		old, known := before[row.Path]
		delete(before, row.Path)
		switch {
		case isTaken(row.Path):
		case known:
			old.Pending = old.Value != row.Value || old.Secret != row.Secret
			if old.Pending {
				old.Next = row.Value
			}
			row = old
		case row.Source == handlers.SourceDefault: // of a further app, say
			continue
		default:
			row = handlers.Setting{Path: row.Path, Source: row.Source, Pending: true, Next: row.Value}
		}
		rows = append(rows, row)
	}
	for _, row := range start { // what the configuration has no longer
		if _, gone := before[row.Path]; gone && !isTaken(row.Path) {
			row.Pending = true
			rows = append(rows, row)
		}
	}
	return rows
}

// isTaken reports whether a reload takes a setting over.
func isTaken(path string) bool {
	for _, prefix := range []string{"clients", "limits.", "log.level", "tls.", "admin.tls."} {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return false
}
