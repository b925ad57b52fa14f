package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"linkbroker/handlers"
)

// form is how a file of rows is written.
type form string

// The forms.
const (
	formCSV    form = "csv"
	formNDJSON form = "ndjson"
)

// formOf gives the form of a file by the ending of its name.
func formOf(name string) (form, error) {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".csv":
		return formCSV, nil
	case ".ndjson", ".jsonl":
		return formNDJSON, nil
	default:
		return "", fmt.Errorf("%s: its name must end in .csv, or in .ndjson or .jsonl for one JSON object a line", name)
	}
}

// maxRow bounds a row in bytes, and so the memory that a missing quote could take.
const maxRow = 1 << 20

// errLongRow is what a missing quote looks like, too.
var errLongRow = fmt.Errorf("is longer than %d bytes: is a quote missing?", maxRow)

// sheet is a file of rows whose columns have names: the input of a batch or its output, which is the input with the
// columns of results behind it.
type sheet interface {
	// next gives the next row, or io.EOF. With any other error it gives where the row begins and ends.
	next() (row, error)

	// outputHead is what stands above the rows of the output of this input.
	outputHead() []byte

	// request gives the JSON that is sent for a row.
	request(r row) []byte

	// appendOutput appends the row of the output.
	appendOutput(to []byte, r row, result result) []byte

	// belongs reports whether a row of this output is that of a row of its input.
	belongs(r, input row) bool

	// result reads what stands behind a row of this output.
	result(r row) result
}

// row is a row of a sheet.
type row struct {
	line  int    // where it begins, from 1
	text  []byte // as it stands there and begins its row of the output; good until the next row is read
	ended bool   // its line has an end: it is not cut off
	next  int64  // where the next row begins, in bytes
	cells map[string]string
}

// badRow says what is wrong with a row of a file.
type badRow struct {
	line    int
	err     error
	unended bool // the file ends before the row does
}

// Error names the line.
func (b *badRow) Error() string { return fmt.Sprintf("line %d %v", b.line, b.err) }

// Unwrap gives what is wrong.
func (b *badRow) Unwrap() error { return b.err }

// result is what became of a row.
type result struct {
	URL       string `json:"url"`
	Key       string `json:"key"`
	ExpiresAt string `json:"expires_at"`
	Outcome   string `json:"outcome"`
	Spliced   bool   `json:"spliced"`
	Error     string `json:"-"`
}

// requestColumns say what is asked, and resultColumns stand behind those of the input. All others are carried over.
var (
	requestColumns = handlers.SheetColumns()
	resultColumns  = handlers.SheetResults()
)

func isRequestColumn(name string) bool { return slices.Contains(requestColumns, name) }

func isResultColumn(name string) bool { return slices.Contains(resultColumns, name) }

// openInput begins to read the input of a batch.
func openInput(of form, r io.Reader) (sheet, error) {
	if of == formNDJSON {
		return newNDJSONSheet(r, false)
	}
	s, err := newCSVSheet(r)
	if err != nil {
		return nil, err
	}
	return s, handlers.CheckSheet(s.columns)
}

// errForeignHead is said of an output that begins otherwise.
var errForeignHead = errors.New("its columns are not those of the input and of the results")

// openOutput begins to read the output of an input.
func openOutput(of form, r io.Reader, input sheet) (sheet, error) {
	if of == formNDJSON {
		return newNDJSONSheet(r, true)
	}
	s, err := newCSVSheet(r)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(append(s.head, s.lineEnd...), input.outputHead()) {
		return nil, errForeignHead
	}
	return s, nil
}

// byteOrderMark is what Excel needs at the beginning of a file to take it for UTF-8.
var byteOrderMark = []byte("\xEF\xBB\xBF")

// withoutMark takes the byte order mark off, and refuses text that is not made of bytes.
func withoutMark(r io.Reader) (rest *bufio.Reader, mark []byte, err error) {
	rest = bufio.NewReaderSize(r, maxRow)
	begin, err := rest.Peek(len(byteOrderMark))
	switch {
	case bytes.Equal(begin, byteOrderMark):
		_, err = rest.Discard(len(byteOrderMark))
		return rest, byteOrderMark, err
	case bytes.HasPrefix(begin, []byte{0xFF, 0xFE}), bytes.HasPrefix(begin, []byte{0xFE, 0xFF}):
		return nil, nil, errors.New("it is UTF-16: save it as UTF-8")
	case err != nil && !errors.Is(err, io.EOF):
		return nil, nil, err
	}
	return rest, nil, nil
}
