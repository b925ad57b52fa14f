package handlers

import (
	"fmt"
	"html/template"
	"strings"
)

// part is one part of a bar: how much, and the class that colours it.
type part struct {
	Class string
	N     float64
}

// bar draws shares of a whole, or of their sum where that is 0. It is SVG because the page's policy forbids style attributes; a table or the words beside
// it say the same.
func bar(whole float64, parts []part) template.HTML {
	if whole == 0 {
		for _, p := range parts {
			whole += p.N
		}
	}
	var b strings.Builder
	b.WriteString(`<svg class="share" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">`)
	at := 0.0
	for _, p := range parts {
		if whole <= 0 || p.N <= 0 {
			continue
		}
		width := min(p.N/whole*100, 100-at)
		fmt.Fprintf(&b, `<rect class="%s" x="%.3f" width="%.3f" height="1"/>`, template.HTMLEscapeString(p.Class), at, width)
		at += width
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) //nolint:gosec // escaped above
}
