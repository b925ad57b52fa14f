package cli

import (
	"fmt"
	"strconv"
)

// merge lays one layer over another. Lists are replaced as a whole by the file, and reached into by variables:
// apps.0.secret.
func merge(above, below map[string]any) error {
	for key, value := range above {
		merged, err := overlay(key, below[key], value)
		if err != nil {
			return err
		}
		below[key] = merged
	}
	return nil
}

func overlay(path string, below, above any) (any, error) {
	section, ok := above.(map[string]any)
	if !ok {
		return above, nil
	}
	if list, isList := below.([]any); isList || isIndexed(section) {
		return overlayList(path, list, section)
	}
	merged, ok := below.(map[string]any)
	if !ok {
		merged = make(map[string]any, len(section))
	}
	return merged, merge(section, merged)
}

func overlayList(path string, list []any, entries map[string]any) (any, error) {
	for i := 0; len(entries) > 0; i++ {
		entry, set := entries[strconv.Itoa(i)]
		switch {
		case !set && i >= len(list):
			return nil, fmt.Errorf("%s: variables set entries beyond %s[%d], which is not there: number them without a gap", path, path, i)
		case !set:
			continue
		case i >= len(list):
			list = append(list, nil)
		}
		merged, err := overlay(path, list[i], entry)
		if err != nil {
			return nil, err
		}
		list[i] = merged
		delete(entries, strconv.Itoa(i))
	}
	return list, nil
}

func isIndexed(section map[string]any) bool {
	for key := range section {
		return isIndex(key)
	}
	return false
}
