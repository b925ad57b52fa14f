package cli

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"linkbroker/handlers"
)

// csvSheet reads CSV. What it does not know it carries over byte by byte, whatever its encoding.
type csvSheet struct {
	kept    keeper
	reader  *csv.Reader
	columns []string
	head    []byte // the line of the header, without its end
	lineEnd string // as the header has it
	line    int    // where the last row began
}

func newCSVSheet(r io.Reader) (*csvSheet, error) {
	in, mark, err := withoutMark(r)
	if err != nil {
		return nil, err
	}
	s := &csvSheet{kept: keeper{from: in, ahead: int64(len(mark))}, lineEnd: "\n"}
	s.reader = csv.NewReader(&s.kept)
	header, err := s.reader.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("it is empty: its first row has to name the columns")
	}
	if err != nil {
		return nil, s.bad(row{}, err)
	}
	line := s.kept.until(s.reader.InputOffset())
	if bytes.HasSuffix(line, []byte("\r\n")) {
		s.lineEnd = "\r\n"
	}
	s.head = slices.Concat(mark, trimLine(line))
	s.columns = slices.Clone(header)
	s.reader.ReuseRecord = true
	return s, nil
}

func (s *csvSheet) next() (row, error) {
	cells, err := s.reader.Read()
	line := s.kept.until(s.reader.InputOffset())
	if errors.Is(err, io.EOF) {
		return row{}, io.EOF
	}
	r := row{
		text: trimLine(line), ended: bytes.HasSuffix(line, []byte("\n")),
		next: s.reader.InputOffset() + s.kept.ahead, cells: make(map[string]string, len(cells)),
	}
	if err != nil {
		return r, s.bad(r, err)
	}
	s.line, _ = s.reader.FieldPos(0)
	r.line = s.line
	for i, name := range s.columns {
		if isRequestColumn(name) && !utf8.ValidString(cells[i]) { // as JSON, different texts would be one
			return r, &badRow{line: s.line, err: fmt.Errorf("has a cell below %q that is not UTF-8: save the file as UTF-8", name)}
		}
		if isRequestColumn(name) || isResultColumn(name) {
			r.cells[name] = cells[i]
		}
	}
	return r, nil
}

// bad words an error of the reader.
func (s *csvSheet) bad(r row, err error) error {
	parse, ok := errors.AsType[*csv.ParseError](err)
	if !ok {
		return &badRow{line: s.line + 1, err: err}
	}
	bad := &badRow{line: parse.StartLine, err: parse.Err, unended: !r.ended}
	switch {
	case errors.Is(err, csv.ErrFieldCount):
		bad.err = fmt.Errorf("has not as many cells as the header, which has %d", len(s.columns))
	case errors.Is(err, csv.ErrBareQuote):
		bad.err = errors.New(`has a " inside of a cell: such a cell stands in quotes, and each " in it is doubled`)
	case errors.Is(err, csv.ErrQuote):
		bad.err = errors.New(`has a cell in quotes that does not end with them`)
		bad.unended = bad.unended || s.kept.ended
	}
	return bad
}

func (s *csvSheet) outputHead() []byte {
	return slices.Concat(s.head, []byte(","+strings.Join(resultColumns, ",")+s.lineEnd))
}

func (s *csvSheet) request(r row) []byte {
	return handlers.SheetRequest(func(column string) (string, bool) {
		cell, ok := r.cells[column]
		return cell, ok
	})
}

func (s *csvSheet) appendOutput(to []byte, r row, result result) []byte {
	to = append(to, r.text...)
	spliced := ""
	if result.URL != "" {
		spliced = strconv.FormatBool(result.Spliced)
	}
	for _, cell := range []string{result.URL, result.Key, result.ExpiresAt, result.Outcome, spliced, defused(result.Error)} {
		to = appendCell(append(to, ','), cell)
	}
	return append(to, s.lineEnd...)
}

// appendCell appends a cell, in quotes where it needs them.
func appendCell(to []byte, cell string) []byte {
	if !strings.ContainsAny(cell, ",\"\r\n") {
		return append(to, cell...)
	}
	to = append(to, '"')
	to = append(to, strings.ReplaceAll(cell, `"`, `""`)...)
	return append(to, '"')
}

// defused keeps spreadsheets from running what WeChat said, or what a stranger wrote, as a formula.
func defused(cell string) string {
	if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r") {
		return "'" + cell
	}
	return cell
}

// belongs relies on the number of cells, which every row of the output has.
func (s *csvSheet) belongs(r, input row) bool {
	behind, ok := bytes.CutPrefix(r.text, input.text)
	return ok && bytes.HasPrefix(behind, []byte(","))
}

func (s *csvSheet) result(r row) result {
	return result{
		URL: r.cells["url"], Key: r.cells["key"], ExpiresAt: r.cells["expires_at"], Outcome: r.cells["outcome"],
		Spliced: r.cells["spliced"] == "true", Error: r.cells["error"],
	}
}

// trimLine takes the empty lines off that stand before a row, and the end of its own.
func trimLine(line []byte) []byte {
	line = bytes.TrimSuffix(bytes.TrimLeft(line, "\r\n"), []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r"))
}

// keeper keeps what is read until it is asked for, for a reader that only gives what it makes of it.
type keeper struct {
	from  *bufio.Reader
	ahead int64 // bytes before what is read
	kept  []byte
	past  int64 // how many bytes were given
	ended bool
}

// Read reads.
func (k *keeper) Read(p []byte) (int, error) {
	if len(k.kept) > 2*maxRow {
		return 0, errLongRow
	}
	n, err := k.from.Read(p)
	k.kept = append(k.kept, p[:n]...)
	k.ended = errors.Is(err, io.EOF)
	return n, err
}

// until gives what was read up to an offset and was not given yet. It is good until the next reading.
func (k *keeper) until(offset int64) []byte {
	given := k.kept[:offset-k.past]
	k.kept, k.past = k.kept[len(given):], offset
	return given
}
