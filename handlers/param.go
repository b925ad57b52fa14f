package handlers

import (
	"net/url"
	"slices"
	"strings"

	"linkbroker/broker"
)

// param gives the first value of a parameter in a raw query, empty if there is none.
func param(query, name string) string {
	for segment := range strings.SplitSeq(query, "&") {
		n, value, _ := strings.Cut(segment, "=")
		if n != name {
			continue
		}
		if decoded, err := url.QueryUnescape(value); err == nil {
			return decoded
		}
	}
	return ""
}

// eachParam walks the parameters of a raw query in their order. It refuses what could be read in two ways.
func eachParam(query string, do func(name, value string) error) error {
	var space [16]string
	seen := space[:0]
	for segment := range strings.SplitSeq(query, "&") {
		if segment == "" {
			continue
		}
		rawName, rawValue, _ := strings.Cut(segment, "=")
		name, err := url.QueryUnescape(rawName)
		if err != nil {
			return broker.Errorf(malformed, "the name of a parameter is badly percent-encoded")
		}
		value, err := url.QueryUnescape(rawValue)
		if err != nil {
			return broker.Errorf(malformed, "parameter %q is badly percent-encoded", name)
		}
		if slices.Contains(seen, name) {
			return broker.Errorf(malformed, "parameter %q is given twice", name)
		}
		seen = append(seen, name)
		if err := do(name, value); err != nil {
			return err
		}
	}
	return nil
}
