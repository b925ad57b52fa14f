package cli

import (
	"bufio"
	"bytes"
	stdjson "encoding/json"
	"errors"
	"io"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"linkbroker/handlers"
)

// ndjsonSheet reads one JSON object a line.
type ndjsonSheet struct {
	in       *bufio.Reader
	isOutput bool
	line     int
	offset   int64
}

func newNDJSONSheet(r io.Reader, isOutput bool) (*ndjsonSheet, error) {
	in, mark, err := withoutMark(r)
	return &ndjsonSheet{in: in, isOutput: isOutput, offset: int64(len(mark))}, err
}

func (s *ndjsonSheet) next() (row, error) {
	for {
		line, err := s.in.ReadSlice('\n')
		s.line++
		s.offset += int64(len(line))
		r := row{line: s.line, text: bytes.TrimSpace(line), ended: err == nil, next: s.offset}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return r, &badRow{line: s.line, err: errLongRow}
		case err != nil && !errors.Is(err, io.EOF):
			return r, err
		case len(r.text) > 0:
			err := s.read(&r)
			return r, err
		case err != nil:
			return row{}, io.EOF
		}
	}
}

// read reads the object of a line.
func (s *ndjsonSheet) read(r *row) error {
	var object map[string]jsontext.Value // the decoder refuses names that appear twice
	if err := json.Unmarshal(r.text, &object); err != nil || object == nil {
		return &badRow{line: r.line, err: errors.New("is no JSON object, or has a name twice"), unended: !r.ended}
	}
	r.text = bytes.TrimRight(r.text[:len(r.text)-1], " \t")
	r.cells = make(map[string]string, len(object))
	for name, value := range object {
		if isResultColumn(name) && !s.isOutput {
			return &badRow{line: r.line, err: handlers.ErrSheetTaken(name)}
		}
		if isRequestColumn(name) || isResultColumn(name) {
			r.cells[name] = string(value)
		}
	}
	return nil
}

func (s *ndjsonSheet) outputHead() []byte { return nil }

func (s *ndjsonSheet) request(r row) []byte {
	request := []byte{'{'}
	for _, name := range requestColumns {
		value, ok := r.cells[name]
		if !ok {
			continue
		}
		if len(request) > 1 {
			request = append(request, ',')
		}
		request = append(strconv.AppendQuote(request, name), ':')
		request = append(request, value...)
	}
	return append(request, '}')
}

func (s *ndjsonSheet) appendOutput(to []byte, r row, result result) []byte {
	to = append(to, r.text...)
	cells := []string{result.URL, result.Key, result.ExpiresAt, result.Outcome, "", result.Error}
	for i, name := range resultColumns {
		if i > 0 || !bytes.Equal(r.text, []byte("{")) {
			to = append(to, ',')
		}
		to = append(strconv.AppendQuote(to, name), ':')
		switch {
		case name == "spliced":
			to = strconv.AppendBool(to, result.Spliced)
		case cells[i] == "":
			to = append(to, "null"...)
		default:
			text, _ := stdjson.Marshal(cells[i]) // of a string
			to = append(to, text...)
		}
	}
	return append(to, "}\n"...)
}

// belongs relies on an input without a column of the output's.
func (s *ndjsonSheet) belongs(r, input row) bool {
	behind, ok := bytes.CutPrefix(r.text, input.text)
	return ok && bytes.HasPrefix(bytes.TrimPrefix(behind, []byte(",")), []byte(`"url":`))
}

func (s *ndjsonSheet) result(r row) (read result) {
	for name, to := range map[string]*string{
		"url": &read.URL, "key": &read.Key, "expires_at": &read.ExpiresAt, "outcome": &read.Outcome, "error": &read.Error,
	} {
		_ = json.Unmarshal([]byte(r.cells[name]), to) // what is no text stays empty
	}
	read.Spliced = r.cells["spliced"] == "true"
	return read
}
