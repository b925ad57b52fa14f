package handlers

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"linkbroker/broker"
)

// lines reads a body of many JSON values one by one, in constant memory: NDJSON, of which blank lines are passed over,
// or an array.
type lines struct {
	in    *bufio.Reader
	most  int // values; 0 = no limit
	size  int // of a value, in bytes
	array bool

	number int // of the line or element that next gave, from 1

	value []byte // an element of an array
	long  bool   // it is longer
	done  bool   // it was the last
}

// openLines sees which of both it is. Any whitespace may stand before the first value, and a byte order mark
// before that.
func openLines(body io.Reader, size, most int) (*lines, error) {
	l := &lines{in: bufio.NewReaderSize(body, max(size+2, 4<<10)), most: most, size: size} // a value and the end of its line
	for space := 0; ; space++ {
		begin, err := l.in.Peek(1)
		switch {
		case errors.Is(err, io.EOF):
			return nil, broker.Errorf(emptyBody, "the body is empty: send one JSON object a line, or an array of them")
		case err != nil:
			return nil, err
		case space == 0 && begin[0] == byteOrderMark[0] && l.isMarked():
			_, _ = l.in.Discard(len(byteOrderMark))
			continue
		case isSpace(begin[0]) && space < size:
			_, _ = l.in.Discard(1)
			if begin[0] == '\n' {
				l.number++
			}
			continue
		case begin[0] == '[':
			_, _ = l.in.Discard(1)
			l.array, l.number, l.value = true, 0, make([]byte, 0, size)
		case begin[0] != '{':
			return nil, broker.Errorf(malformed, "the body is neither one JSON object a line nor an array of them")
		}
		return l, nil
	}
}

// isMarked reports whether a byte order mark stands here, as Windows writes it.
func (l *lines) isMarked() bool {
	begin, _ := l.in.Peek(len(byteOrderMark)) // what is too short is none
	return bytes.Equal(begin, byteOrderMark)
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// next gives the next value, good until the one after it is asked for, and io.EOF behind the last. A value that is too
// large is tooLarge, and the next ones are given all the same; after any other error there are none.
func (l *lines) next() (value []byte, err error) {
	l.number++
	if l.array {
		value, err = l.element()
	} else {
		value, err = l.line()
	}
	if err != nil && !errors.Is(err, tooLarge) {
		return nil, err
	}
	if l.most > 0 && l.number > l.most {
		return nil, broker.Errorf(malformed, "there are more than %d lines: send them in parts", l.most)
	}
	return value, err
}

// line gives the next line that is not blank.
func (l *lines) line() ([]byte, error) {
	for ; ; l.number++ {
		text, err := l.in.ReadSlice('\n')
		long := errors.Is(err, bufio.ErrBufferFull)
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = l.in.ReadSlice('\n')
		}
		atEnd := errors.Is(err, io.EOF)
		if err != nil && !atEnd {
			return nil, err
		}
		text = bytes.TrimSpace(text)
		switch {
		case long || len(text) > l.size:
			return nil, l.errTooLarge()
		case len(text) > 0:
			return text, nil
		case atEnd:
			return nil, io.EOF
		}
	}
}

func (l *lines) errTooLarge() error {
	return broker.Errorf(tooLarge, "the line is larger than %d bytes", l.size)
}

// element gives the next element of an array: what stands before the next comma that is in no string and no brackets.
// Whether that is a JSON value it does not see.
func (l *lines) element() ([]byte, error) {
	if l.done {
		return nil, l.behind()
	}
	const outside, inside, escaped = 0, 1, 2 // of a string
	state, depth := outside, 0
	l.value, l.long = l.value[:0], false
	for {
		c, err := l.in.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return nil, l.errBroken("the body ends before the array does")
		case err != nil:
			return nil, err
		case state == escaped:
			state = inside
		case state == inside && c == '\\':
			state = escaped
		case c == '"':
			state = inside - state
		case state == inside:
		case depth == 0 && (c == ',' || c == ']'):
			return l.ended(c == ']')
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
		if depth < 0 {
			return nil, l.errBroken("a brace is closed that was not opened")
		}
		l.keep(c)
	}
}

// keep keeps a byte of an element, but for the whitespace before it.
func (l *lines) keep(c byte) {
	switch {
	case len(l.value) == 0 && isSpace(c):
	case len(l.value) < l.size:
		l.value = append(l.value, c)
	case !isSpace(c):
		l.long = true
	}
}

// ended gives the element that a comma or the end of the array ends.
func (l *lines) ended(last bool) ([]byte, error) {
	l.done = last
	switch value := bytes.TrimSpace(l.value); {
	case l.long:
		return nil, l.errTooLarge()
	case len(value) > 0:
		return value, nil
	case last && l.number == 1:
		return nil, l.behind() // an empty array
	default:
		return nil, l.errBroken("there is nothing")
	}
}

// behind looks behind an array.
func (l *lines) behind() error {
	for {
		c, err := l.in.ReadByte()
		switch {
		case err != nil:
			return err
		case !isSpace(c):
			return l.errBroken("something stands behind the array")
		}
	}
}

func (l *lines) errBroken(how string) error {
	return broker.Errorf(malformed, "the array is broken at element %d: %s", l.number, how)
}
