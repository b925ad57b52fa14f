package broker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// ParsePathRule reads a rule as people write it. The short form looks like the address of a page: pages/item without a
// query, pages/item?* with any, pages/item?id=[0-9]+&from with these parameters, of which id has to fit a pattern; a
// page's path contains no question mark. What the short form cannot say is JSON:
// {"path":"pages/item","params":[{"name":"id","max_length":200}]}. The words of its errors go on from a name of the text.
func ParsePathRule(text string) (rule PathRule, err error) {
	switch {
	case !utf8.ValidString(text):
		return rule, errNoRule()
	case strings.HasPrefix(text, "{"):
		return parseLongRule(text)
	}
	path, query, hasQuery := strings.Cut(text, "?")
	rule.Path = path
	switch {
	case path == "":
		return rule, errNoRule()
	case !hasQuery:
		return rule, nil
	case query == "*":
		rule.AnyQuery = true
		return rule, nil
	}
	for param := range strings.SplitSeq(query, "&") {
		name, pattern, _ := strings.Cut(param, "=")
		if name == "" {
			return rule, errNoRule()
		}
		rule.Params = append(rule.Params, ParamRule{Name: name, Pattern: pattern})
	}
	return rule, nil
}

func errNoRule() error {
	return errors.New("must be a page such as pages/item, pages/item?* or pages/item?id=[0-9]+&from")
}

func parseLongRule(text string) (rule PathRule, err error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&rule); err != nil {
		return rule, fmt.Errorf("is no JSON of a rule: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return rule, errors.New("must end where its JSON does")
	}
	return rule, nil
}

// String writes a rule on one line, as ParsePathRule reads it: short wherever that says the same.
func (r PathRule) String() string {
	short := r.Path
	for i, param := range r.Params {
		short += map[bool]string{true: "?", false: "&"}[i == 0] + param.Name
		if param.Pattern != "" {
			short += "=" + param.Pattern
		}
	}
	if r.AnyQuery {
		short += "?*"
	}
	back, err := ParsePathRule(short)
	if err == nil && back.equal(r) && strings.TrimSpace(short) == short && !strings.ContainsAny(short, "\r\n") {
		return short
	}
	var long strings.Builder
	encoder := json.NewEncoder(&long)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(r) // of texts and numbers
	return strings.TrimSuffix(long.String(), "\n")
}

func (r PathRule) equal(other PathRule) bool {
	return r.Path == other.Path && r.AnyQuery == other.AnyQuery && slices.EqualFunc(r.Params, other.Params, func(a, b ParamRule) bool {
		return a.Name == b.Name && a.Pattern == b.Pattern && a.Longest == b.Longest
	})
}
