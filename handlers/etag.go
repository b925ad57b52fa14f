package handlers

import (
	"net/http"
	"strings"

	"linkbroker/broker"
)

// quoted gives an entity tag as it stands in a header. All of ours are strong.
func quoted(etag string) string { return `"` + etag + `"` }

// isKnown reports whether the asker of a GET has the entity of this tag already. Such a comparison is weak: caches on
// the way may have made the tag a weak one.
func isKnown(r *http.Request, etag string) bool {
	for _, header := range r.Header.Values("If-None-Match") {
		for known := range strings.SplitSeq(header, ",") {
			if known = strings.TrimSpace(known); known == "*" || strings.TrimPrefix(known, "W/") == etag {
				return true
			}
		}
	}
	return false
}

// preconditionOf reads the condition of a change. A weak tag holds for none, as HTTP has it.
func preconditionOf(r *http.Request) (when broker.Precondition, err error) {
	match, noneMatch := r.Header.Get("If-Match"), r.Header.Get("If-None-Match")
	switch {
	case noneMatch != "" && noneMatch != "*":
		return when, broker.Errorf(malformed, "a change takes If-None-Match: * only")
	case strings.Contains(match, ","):
		return when, broker.Errorf(malformed, "a change takes one entity tag in If-Match only")
	}
	when.NoneMatch, when.Match = noneMatch == "*", match
	if tag := strings.Trim(match, `"`); match == quoted(tag) && tag != "" {
		when.Match = tag // else nothing has it
	}
	return when, nil
}
