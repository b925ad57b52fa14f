// Package web holds what the admin page is made of: templates, the style sheet and the script, and all text in every
// language. It is files only; package handlers makes pages of them.
//
// templates/layout.html is around every page, templates/parts.html has what several show, and each other template is the
// page of its name, with the blocks "title" and "main". messages/ has a file for each language: a message is a format
// of fmt, or an object with one for each plural form of its first argument.
package web

import (
	"embed"
	"io/fs"
)

//go:embed templates static messages
var files embed.FS

// Files gives the folders templates, static and messages.
func Files() fs.FS { return files }
