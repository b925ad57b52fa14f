package cli

import (
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing wrong with the configuration.
type Problem struct {
	Origin string // where the value was set: config.yaml:12, a variable, a flag; empty for a default
	Path   string // apps[0].secret; empty for the file as a whole
	Text   string // says what is wrong and what to do
}

// String is how an operator reads it.
func (p Problem) String() string {
	var parts []string
	for _, part := range []string{p.Origin, p.Path, p.Text} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ": ")
}

// misconfigured is an error that lasts until somebody changes the configuration: to start again does not help.
type misconfigured struct{ error }

// Unwrap gives the error itself.
func (m misconfigured) Unwrap() error { return m.error }

// Problems are all that is wrong with the configuration. They are reported together, so that one start tells all.
type Problems []Problem

// Error lists the problems, one a line.
func (p Problems) Error() string {
	if len(p) == 1 {
		return "the configuration has a problem: " + p[0].String()
	}
	var list strings.Builder
	fmt.Fprintf(&list, "the configuration has %d problems:", len(p))
	for _, problem := range p {
		list.WriteString("\n  " + problem.String())
	}
	return list.String()
}

// concern reports whether there is a problem in one of the sections, or with the file as a whole.
func (p Problems) concern(sections ...string) bool { return len(p.about(sections...)) > 0 }

// about gives the problems of some sections, and those of the file as a whole.
func (p Problems) about(sections ...string) Problems {
	var about Problems
	for _, problem := range p {
		section, _, _ := strings.Cut(problem.Path, ".")
		section, _, _ = strings.Cut(section, "[")
		if section == "" || slices.Contains(sections, section) {
			about = append(about, problem)
		}
	}
	return about
}
