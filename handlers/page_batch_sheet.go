package handlers

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"

	"linkbroker/broker"
)

// sheet reads the file of a batch: CSV whose first row names the columns.
type sheet struct {
	allowance allowance
	in        *csv.Reader
	columns   []string
	marked    bool // begins with a byte order mark, which Excel needs in the output as well
	rows      int
}

// sheetRow is a row of it.
type sheetRow struct {
	line  int // where it begins, from 1
	cells []string
}

//nolint:gochecknoglobals // constants that Go has no constants for
var (
	byteOrderMark = []byte("\xEF\xBB\xBF")
	utf16Marks    = [][]byte{{0xFF, 0xFE}, {0xFE, 0xFF}}
)

// openSheet reads the header.
func openSheet(r io.Reader) (*sheet, error) {
	s := &sheet{allowance: allowance{from: bufio.NewReader(r)}}
	begin, err := s.allowance.from.Peek(len(byteOrderMark))
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return nil, err
	case slices.ContainsFunc(utf16Marks, func(mark []byte) bool { return bytes.HasPrefix(begin, mark) }):
		return nil, broker.Errorf(malformed, "the file is UTF-16: save it as UTF-8")
	case bytes.Equal(begin, byteOrderMark):
		s.marked = true
		_, _ = s.allowance.from.Discard(len(byteOrderMark))
	}
	s.in = csv.NewReader(&s.allowance)
	s.allowance.reset()
	s.columns, err = s.in.Read()
	switch {
	case errors.Is(err, io.EOF):
		return nil, broker.Errorf(emptyBody, "the file is empty: its first row has to name the columns")
	case err != nil:
		return nil, s.bad(err)
	}
	if err := CheckSheet(s.columns); err != nil {
		return nil, broker.Errorf(malformed, "the file %w", err)
	}
	return s, nil
}

// next gives the next row, or io.EOF.
func (s *sheet) next() (sheetRow, error) {
	s.allowance.reset()
	cells, err := s.in.Read()
	if errors.Is(err, io.EOF) {
		return sheetRow{}, io.EOF
	}
	if err != nil {
		return sheetRow{}, s.bad(err)
	}
	if s.rows++; s.rows > mostLines {
		return sheetRow{}, broker.Errorf(tooLarge, "the file has more than %d rows: take it apart", mostLines)
	}
	line, _ := s.in.FieldPos(0)
	return sheetRow{line, cells}, nil
}

// bad says where a file is broken. It repeats no cell.
func (s *sheet) bad(err error) error {
	parse, ok := errors.AsType[*csv.ParseError](err)
	if !ok {
		return err
	}
	return broker.Errorf(malformed, "line %d: %w", parse.StartLine, complainOfCSV(err))
}

// request gives the JSON that asks for a row.
func (s *sheet) request(r sheetRow) []byte {
	return SheetRequest(func(column string) (string, bool) {
		at := slices.Index(s.columns, column)
		if at < 0 {
			return "", false
		}
		return r.cells[at], true
	})
}

// sheetOutput writes the file with the results behind its columns. What the file had is written as it was: whoever loaded
// it has it already.
type sheetOutput struct {
	buffer *bufio.Writer
	out    *csv.Writer
}

func newSheetOutput(w io.Writer, of *sheet) (*sheetOutput, error) {
	o := &sheetOutput{buffer: bufio.NewWriter(w)}
	if of.marked {
		_, _ = o.buffer.Write(byteOrderMark) // its error comes with the next
	}
	o.out = csv.NewWriter(o.buffer)
	return o, o.out.Write(slices.Concat(of.columns, sheetResults))
}

func (o *sheetOutput) write(r sheetRow, results []string) error {
	return o.out.Write(append(r.cells, results...))
}

func (o *sheetOutput) flush() error {
	o.out.Flush()
	return errors.Join(o.out.Error(), o.buffer.Flush())
}

// sheetResult gives the cells of results.
func (a *api) sheetResult(answer broker.Answer, err error) []string {
	if err != nil {
		p := a.lineProblem(err)
		return []string{"", "", "", "", "", defused(SheetError(p.Detail, p.ErrCode, p.RID))}
	}
	outcome, spliced := answer.Outcome, "false"
	if answer.Collapsed {
		outcome = broker.Hit // it has cost nothing
	}
	if answer.CQ != "" {
		spliced = "true"
	}
	expires := string(appendTime(nil, answer.Link.ExpiresAt))
	return []string{answer.URL(), answer.Link.Key.String(), expires, string(outcome), spliced, ""}
}
