package handlers

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"linkbroker/broker"
)

// column is one of a table: what a row has in it as a cell of CSV.
type column[Row any] struct {
	name  string
	write func(r *Row) string
	read  func(r *Row, cell string) error
}

// csvTable reads rows of CSV (RFC 4180). The first row names the columns, which may be in any order.
type csvTable[Row any] struct {
	allowance allowance
	in        *csv.Reader
	columns   []column[Row] // as they are in the file
	needed    string        // the column that is read also where it is empty
	row       int
}

// openCSV reads the names of the columns. One that is not known is refused, for what stands below it would be lost.
func openCSV[Row any](body io.Reader, columns []column[Row], needed string) (*csvTable[Row], error) {
	t := &csvTable[Row]{allowance: allowance{from: bufio.NewReader(body)}, needed: needed}
	t.in = csv.NewReader(&t.allowance)
	t.in.ReuseRecord = true
	t.allowance.reset()
	if mark, err := t.allowance.from.Peek(3); err == nil && string(mark) == "\uFEFF" {
		_, _ = t.allowance.from.Discard(len(mark))
	}
	names, err := t.in.Read()
	if errors.Is(err, io.EOF) {
		return nil, broker.Errorf(emptyBody, "the body is empty: its first row names the columns")
	}
	if err != nil {
		return nil, complainOfCSV(err)
	}
	for i, name := range names {
		at := slices.IndexFunc(columns, func(c column[Row]) bool { return c.name == name })
		switch {
		case at < 0:
			return nil, broker.Errorf(malformed, "unknown column %q", name)
		case slices.Contains(names[:i], name):
			return nil, broker.Errorf(malformed, "the column %q appears twice", name)
		}
		t.columns = append(t.columns, columns[at])
	}
	if !slices.Contains(names, needed) {
		return nil, broker.Errorf(malformed, "the column %q is missing", needed)
	}
	return t, nil
}

// next reads the next row. bad is wrong with this row alone; after end there are no more, and it is io.EOF if all were
// read.
func (t *csvTable[Row]) next(r *Row) (number int, bad, end error) {
	t.allowance.reset()
	t.row++
	cells, err := t.in.Read()
	if _, ok := errors.AsType[*csv.ParseError](err); ok {
		return t.row, complainOfCSV(err), nil
	}
	if err != nil {
		return t.row, nil, err
	}
	for i, cell := range cells {
		column := t.columns[i]
		if cell = bare(cell); cell == "" && column.name != t.needed {
			continue
		}
		err := guarded(func() error { return column.read(r, cell) })
		if !utf8.ValidString(cell) {
			err = errors.New("is not valid UTF-8")
		}
		if err != nil {
			return t.row, broker.Errorf(malformed, "column %q %w", column.name, err), nil
		}
	}
	return t.row, nil, nil
}

// complainOfCSV says what is wrong with a row. It repeats no cell.
func complainOfCSV(err error) error {
	switch {
	case errors.Is(err, csv.ErrFieldCount):
		return broker.Errorf(malformed, "the row has not as many cells as the first one has columns")
	case errors.Is(err, csv.ErrBareQuote), errors.Is(err, csv.ErrQuote):
		return broker.Errorf(malformed, `the row has a " in the wrong place: a cell with one stands in quotes, and it is doubled`)
	default:
		return err
	}
}

// allowance bounds how much is read for a row: a quote that is missing would have all of a body read as one cell.
type allowance struct {
	from *bufio.Reader
	left int
}

const readAhead = 4 << 10 // of csv.Reader's

func (a *allowance) reset() { a.left = maxTransferRow + readAhead }

// Read reads.
func (a *allowance) Read(p []byte) (int, error) {
	if a.left <= 0 {
		return 0, broker.Errorf(tooLarge, "a row is larger than %d bytes: is a quote missing?", maxTransferRow)
	}
	n, err := a.from.Read(p[:min(len(p), a.left)])
	a.left -= n
	return n, err
}

// defused keeps spreadsheets from running a cell as a formula, by the quote that they themselves have for it. Full-width
// signs are signs to some of them. encoding/csv reads \r\n as \n, so a cell with \r stands in quotes of Go's.
func defused(cell string) string {
	first, _ := utf8.DecodeRuneInString(cell)
	switch {
	case strings.Contains(cell, "\r"):
		return "'" + strconv.Quote(cell)
	case cell != "" && strings.ContainsRune("=+-@\t\n'＝＋－＠", first):
		return "'" + cell
	default:
		return cell
	}
}

// bare gives the cell that was defused. Of what nobody defused it takes a leading quote off as well, as spreadsheets do.
func bare(cell string) string {
	rest, ok := strings.CutPrefix(cell, "'")
	if !ok {
		return cell
	}
	if strings.HasPrefix(rest, `"`) {
		if text, err := strconv.Unquote(rest); err == nil {
			return text
		}
	}
	return rest
}

// writeCSV writes cells, defused.
func writeCSV(out *csv.Writer, cells []string) error {
	for i, cell := range cells {
		cells[i] = defused(cell)
	}
	return out.Write(cells)
}

func textColumn[Row any, T ~string](name string, field func(*Row) *T) column[Row] {
	return column[Row]{
		name:  name,
		write: func(r *Row) string { return string(*field(r)) },
		read: func(r *Row, cell string) error {
			*field(r) = T(cell)
			return nil
		},
	}
}

// momentColumn has RFC 3339 with milliseconds; the zero moment is empty.
func momentColumn[Row any](name string, field func(*Row) *time.Time) column[Row] {
	return column[Row]{
		name: name,
		write: func(r *Row) string {
			if field(r).IsZero() {
				return ""
			}
			return field(r).UTC().Format("2006-01-02T15:04:05.000Z07:00")
		},
		read: func(r *Row, cell string) (err error) {
			if *field(r), err = time.Parse(time.RFC3339, cell); err != nil {
				return errors.New("is no moment such as 2006-01-02T15:04:05Z")
			}
			return nil
		},
	}
}

// numberColumn has no negative numbers; 0 is empty.
func numberColumn[Row any, T int64 | uint64](name string, field func(*Row) *T) column[Row] {
	return column[Row]{
		name: name,
		write: func(r *Row) string {
			if *field(r) == 0 {
				return ""
			}
			return strconv.FormatUint(uint64(*field(r)), 10)
		},
		read: func(r *Row, cell string) error {
			n, err := strconv.ParseUint(cell, 10, 64)
			*field(r) = T(n)
			if err != nil || *field(r) < 0 {
				return errors.New("is no whole number from 0 on")
			}
			return nil
		},
	}
}

// truthColumn takes what spreadsheets make of true and false, too.
func truthColumn[Row any](name string, field func(*Row) *bool) column[Row] {
	return column[Row]{
		name:  name,
		write: func(r *Row) string { return strconv.FormatBool(*field(r)) },
		read: func(r *Row, cell string) (err error) {
			if *field(r), err = strconv.ParseBool(strings.ToLower(cell)); err != nil {
				return errors.New("is neither true nor false")
			}
			return nil
		},
	}
}

// jsonColumn has as JSON what is no single value; what is not there is empty.
func jsonColumn[Row, T any](name string, field func(*Row) *T) column[Row] {
	return column[Row]{
		name: name,
		write: func(r *Row) string {
			text := strings.TrimSuffix(string(encode(*field(r))), "\n")
			if text == "null" || text == `""` || text == "[]" {
				return ""
			}
			return text
		},
		read: func(r *Row, cell string) error {
			if err := json.Unmarshal([]byte(cell), field(r), json.RejectUnknownMembers(true)); err != nil {
				return fmt.Errorf("is not the JSON that is expected: %w", complain(err))
			}
			return nil
		},
	}
}
