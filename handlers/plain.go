package handlers

import (
	"slices"
	"strconv"
)

// plain is a value of JSON in its plain form: a text without escapes, a whole number, or true, false and null.
type plain struct {
	text string
	kind plainKind
}

type plainKind int

const (
	plainText plainKind = iota
	plainNumber
	plainWord
)

// plainRequest is a request whose body most clients write plainly.
type plainRequest interface {
	// setPlain takes over a field. It reports false for what it leaves to decode.
	setPlain(name string, value plain) bool
}

// A plain body has at most so many fields and bytes. What is asked for keeps the whole text in memory.
const (
	mostPlain    = 16
	longestPlain = 1 << 10
)

// readPlain reads what nearly all clients send, a flat object of plain values, several times faster than decode. For
// anything else it reports false, and what is in the request means nothing: decode alone reads the whole of JSON, and
// says what is wrong with it. Both read what is plain alike.
func readPlain(data []byte, into plainRequest) bool {
	if len(data) > longestPlain {
		return false
	}
	p := plainReader{text: string(data)}
	if !p.skip('{') {
		return false
	}
	var space [mostPlain]string
	for names := space[:0]; len(names) < mostPlain; {
		name, ok := p.quoted()
		if !ok || slices.Contains(names, name) || !p.skip(':') {
			return false
		}
		names = append(names, name)
		value, ok := p.value()
		if !ok || !into.setPlain(name, value) {
			return false
		}
		if p.skip('}') {
			return p.space() == len(p.text)
		}
		if !p.skip(',') {
			return false
		}
	}
	return false
}

// plainReader reads a text from a place in it on.
type plainReader struct {
	text string
	at   int
}

// space passes over white space, and says where that ends.
func (p *plainReader) space() int {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\r', '\n':
			p.at++
		default:
			return p.at
		}
	}
	return p.at
}

// skip passes over white space and a character behind it, if it is there.
func (p *plainReader) skip(c byte) bool {
	if p.space(); p.at == len(p.text) || p.text[p.at] != c {
		return false
	}
	p.at++
	return true
}

func (p *plainReader) value() (plain, bool) {
	p.space()
	switch rest := p.text[p.at:]; {
	case rest == "":
		return plain{}, false
	case rest[0] == '"':
		text, ok := p.quoted()
		return plain{text, plainText}, ok
	case rest[0] >= '0' && rest[0] <= '9':
		return p.number()
	default:
		return p.word()
	}
}

// quoted reads a text of printable ASCII in which nothing is escaped.
func (p *plainReader) quoted() (string, bool) {
	if !p.skip('"') {
		return "", false
	}
	begin := p.at
	for ; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == '"':
			p.at++
			return p.text[begin : p.at-1], true
		case c < ' ' || c > '~' || c == '\\':
			return "", false
		}
	}
	return "", false
}

// number reads a whole number that begins with no zero, and is small enough for no rule about large ones.
func (p *plainReader) number() (plain, bool) {
	begin := p.at
	for p.at < len(p.text) && p.text[p.at] >= '0' && p.text[p.at] <= '9' {
		p.at++
	}
	digits := p.text[begin:p.at]
	if len(digits) > 15 || len(digits) > 1 && digits[0] == '0' {
		return plain{}, false
	}
	return plain{digits, plainNumber}, true // 1.0 and 1e0 end in what is neither a comma nor a brace
}

func (p *plainReader) word() (plain, bool) {
	for _, word := range [...]string{"null", "true", "false"} {
		if rest := p.text[p.at:]; len(rest) >= len(word) && rest[:len(word)] == word {
			p.at += len(word)
			return plain{word, plainWord}, true
		}
	}
	return plain{}, false
}

// null reports whether the field counts as absent.
func (p plain) null() bool { return p.kind == plainWord && p.text == "null" }

// setString takes a text over.
func (p plain) setString(into *string) bool {
	if p.kind == plainText {
		*into = p.text
	}
	return p.kind == plainText || p.null()
}

// setPlain takes a number over. One that is quoted is for decode.
func (n *number) setPlain(p plain) bool {
	if p.kind == plainNumber {
		value, err := strconv.ParseInt(p.text, 10, 64)
		*n = number{given: true, value: value}
		return err == nil
	}
	return p.null()
}

func (f *expiryFields) setPlain(name string, value plain) bool {
	switch name {
	case "expire_type":
		return f.Type.setPlain(value)
	case "expire_interval":
		return f.Interval.setPlain(value)
	case "expire_time":
		return f.At.setPlain(value)
	}
	return false
}

func (in *linkRequest) setPlain(name string, value plain) bool {
	switch name {
	case "path":
		if value.kind != plainText {
			return false
		}
		path := value.text // or every value would be moved to the heap
		in.Path = &path
		return true
	case "query":
		return value.setString(&in.Query)
	case "app":
		return value.setString(&in.App)
	case "env_version":
		return value.setString((*string)(&in.Env))
	case "kind":
		return value.setString((*string)(&in.Kind))
	case "scope":
		return value.setString(&in.Scope)
	}
	return in.expiryFields.setPlain(name, value)
}

func (in *urlLinkRequest) setPlain(name string, value plain) bool {
	switch name {
	case "path":
		return value.setString(&in.Path)
	case "query":
		return value.setString(&in.Query)
	case "env_version":
		return value.setString((*string)(&in.Env))
	case "is_expire":
		return true
	}
	return in.expiryFields.setPlain(name, value)
}
