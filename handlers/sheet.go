package handlers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// What the columns of a batch's file mean stands here for the command and for the admin page.

// cellKind is how a cell is sent.
type cellKind string

const (
	textCell   cellKind = "text"
	numberCell cellKind = "number"
	truthCell  cellKind = "truth"
	jsonCell   cellKind = "json"
)

//nolint:gochecknoglobals // constant tables
var (
	sheetColumns = []struct {
		name string
		kind cellKind
	}{
		{"app", textCell},
		{"kind", textCell},
		{"path", textCell},
		{"query", textCell},
		{"env_version", textCell},
		{"expire_type", numberCell},
		{"expire_interval", numberCell},
		{"expire_time", numberCell},
		{"cloud_base", jsonCell},
		{"least_life", textCell},
		{"scope", textCell},
		{"splice", truthCell},
		{"extra", jsonCell},
	}
	sheetResults = []string{"url", "key", "expires_at", "outcome", "spliced", "error"}
)

// SheetColumns are the columns that say what is asked, in the order in which they are sent. All others are carried over.
func SheetColumns() []string {
	names := make([]string, len(sheetColumns))
	for i, column := range sheetColumns {
		names[i] = column.name
	}
	return names
}

// SheetResults are the columns that stand behind those of the input.
func SheetResults() []string { return slices.Clone(sheetResults) }

// ErrSheetTaken is the error of an input that has a column of the output's.
func ErrSheetTaken(name string) error {
	return fmt.Errorf("has the column %q, which is one of the output's (%s): rename it", name, strings.Join(sheetResults, ", "))
}

// CheckSheet refuses a header that is none, and one whose meaning is not certain.
func CheckSheet(columns []string) error {
	asks, seen := SheetColumns(), make(map[string]bool)
	for _, name := range columns {
		plain := strings.ToLower(strings.TrimSpace(name))
		switch {
		case slices.Contains(sheetResults, name):
			return ErrSheetTaken(name)
		case name != plain && (slices.Contains(asks, plain) || slices.Contains(sheetResults, plain)):
			return fmt.Errorf("has the column %q: write it %q, or another name if it is not meant", name, plain)
		case name != "" && seen[name]:
			return fmt.Errorf("has the column %q twice", name)
		}
		seen[name] = true
	}
	if !seen["path"] {
		return fmt.Errorf("has no column path: its first row has to name the columns, and has %q. Commas stand between them", columns)
	}
	return nil
}

// SheetRequest gives the JSON that is sent for a row, of which it is told the cells by their columns. An empty path is
// the home page; other empty cells are absent.
func SheetRequest(cell func(column string) (string, bool)) []byte {
	request := []byte{'{'}
	for _, column := range sheetColumns {
		text, ok := cell(column.name)
		if !ok || text == "" && column.name != "path" {
			continue
		}
		if len(request) > 1 {
			request = append(request, ',')
		}
		request = append(strconv.AppendQuote(request, column.name), ':')
		request = append(request, cellJSON(text, column.kind)...)
	}
	return append(request, '}')
}

// cellJSON gives a cell as JSON. What it is not it stays, as a text, for the broker to refuse: there is one rule book.
func cellJSON(cell string, kind cellKind) []byte {
	switch {
	case kind == jsonCell && json.Valid([]byte(cell)):
		var compact bytes.Buffer
		_ = json.Compact(&compact, []byte(cell)) // is valid
		return compact.Bytes()
	case kind == truthCell && (strings.EqualFold(cell, "true") || strings.EqualFold(cell, "false")): // TRUE of Excel's
		return []byte(strings.ToLower(cell))
	}
	text, _ := json.Marshal(cell) // of a string
	return text
}

// SheetError says in one cell what was wrong with a row.
func SheetError(text string, errcode int, rid string) string {
	switch {
	case errcode != 0 && rid != "":
		return fmt.Sprintf("%s (errcode %d, rid %s)", text, errcode, rid)
	case errcode != 0:
		return fmt.Sprintf("%s (errcode %d)", text, errcode)
	default:
		return text
	}
}
