package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// reader reads answers as cheaply as can be: the status, the length and the body. An answer is valid until the next.
type reader struct {
	from        io.Reader
	anyStatus   bool // answers with other statuses than 200 will do
	buffer      []byte
	start, stop int // of what was read and not yet used
}

func newReader(from io.Reader) *reader { return &reader{from: from, buffer: make([]byte, 16<<10)} }

// read gives the body of an answer. Other statuses than 200 are errors, unless any will do.
func (r *reader) read() (body []byte, err error) {
	if r.start == r.stop {
		r.start, r.stop = 0, 0
	}
	for {
		unread := r.buffer[r.start:r.stop]
		if end := bytes.Index(unread, []byte("\r\n\r\n")); end >= 0 {
			return r.body(unread[:end+2], end+4)
		}
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
}

// body reads the body of an answer whose head is known, and how long that is with the empty line.
func (r *reader) body(head []byte, size int) ([]byte, error) {
	length, err := contentLength(head)
	if err != nil {
		return nil, err
	}
	ok := bytes.HasPrefix(head, []byte("HTTP/1.1 200"))
	for r.stop-r.start < size+length {
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
	answer := r.buffer[r.start : r.start+size+length]
	r.start += size + length
	if !ok && !r.anyStatus {
		return nil, fmt.Errorf("answered %q", answer)
	}
	return answer[size:], nil
}

func (r *reader) fill() error {
	if r.stop == len(r.buffer) {
		if r.start == 0 {
			return errors.New("an answer is too long for the buffer")
		}
		r.stop = copy(r.buffer, r.buffer[r.start:r.stop])
		r.start = 0
	}
	n, err := r.from.Read(r.buffer[r.stop:])
	r.stop += n
	if n > 0 {
		return nil
	}
	return err
}

// contentLength finds the header in a head that ends with a line break.
func contentLength(head []byte) (int, error) {
	const name = "content-length:"
	for line := range bytes.Lines(head) {
		if len(line) > len(name) && bytes.EqualFold(line[:len(name)], []byte(name)) {
			return strconv.Atoi(string(bytes.TrimSpace(line[len(name):])))
		}
	}
	return 0, fmt.Errorf("an answer without Content-Length: %q", head)
}
