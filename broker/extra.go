package broker

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds the recursion over nested JSON.
const maxDepth = 32

var (
	errNotObject  = errors.New("not a JSON object")
	errNotUTF8    = errors.New("invalid UTF-8 or an unpaired surrogate")
	errDuplicate  = errors.New("a name appears twice in one object")
	errTrailing   = errors.New("data after the JSON value")
	errTooDeep    = errors.New("nested too deeply")
	errBadNumbers = errors.New("a number is out of form")
)

// canonicalObject gives the one form of a JSON object: no space, names sorted, strings with the fewest escapes,
// integers without an empty fraction. What could be read in two ways is refused: duplicate names, invalid UTF-8,
// unpaired surrogates, trailing data. It also gives the object's own names. Numbers are never turned into floats,
// which would make two large integers one.
func canonicalObject(raw []byte) (canonical []byte, names []string, err error) {
	if !utf8.Valid(raw) || unpairedSurrogate(raw) {
		return nil, nil, errNotUTF8
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	value, err := readValue(dec, 0)
	if err != nil {
		return nil, nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, nil, errTrailing
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, nil, errNotObject
	}
	for name := range object {
		names = append(names, name)
	}
	canonical, err = encodeObject(object)
	return canonical, names, err
}

// encodeObject encodes a map with its names sorted and as few escapes as can be.
func encodeObject[V any](object map[string]V) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(object); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// readValue reads one value token by token, because decoding into a map would swallow duplicate names.
func readValue(dec *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case json.Delim:
		if token == '{' {
			return readObject(dec, depth)
		}
		return readArray(dec, depth)
	case json.Number:
		return canonicalNumber(token)
	default:
		return token, nil
	}
}

func readObject(dec *json.Decoder, depth int) (any, error) {
	object := map[string]any{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, err
		}
		name, ok := token.(string)
		if !ok {
			return nil, errNotObject
		}
		if _, twice := object[name]; twice {
			return nil, errDuplicate
		}
		if object[name], err = readValue(dec, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := dec.Token() // the closing brace
	return object, err
}

func readArray(dec *json.Decoder, depth int) (any, error) {
	array := []any{}
	for dec.More() {
		value, err := readValue(dec, depth+1)
		if err != nil {
			return nil, err
		}
		array = append(array, value)
	}
	_, err := dec.Token() // the closing bracket
	return array, err
}

// canonicalNumber drops a fraction's trailing zeros: 1.0 is 1. Numbers with an exponent stay as they are: to expand
// 1e999999999 would cost a gigabyte.
func canonicalNumber(n json.Number) (any, error) {
	s := string(n)
	if whole, fraction, ok := strings.Cut(s, "."); ok && !strings.ContainsAny(s, "eE") {
		s = whole
		if fraction = strings.TrimRight(fraction, "0"); fraction != "" {
			s += "." + fraction
		}
	}
	if s == "-0" {
		s = "0"
	}
	if !json.Valid([]byte(s)) {
		return nil, errBadNumbers
	}
	return json.Number(s), nil
}

// unpairedSurrogate reports whether an escape \uD800 to \uDFFF stands without its other half. encoding/json turns
// each of them into U+FFFD, which would give two different texts one key.
func unpairedSurrogate(raw []byte) bool {
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		unit, ok := escapedUnit(raw[i:])
		switch {
		case !ok:
			i++ // another escape, \\ among them
		case isHigh(unit):
			low, ok := escapedUnit(raw[min(i+6, len(raw)):])
			if !ok || !isLow(low) {
				return true
			}
			i += 11
		case isLow(unit):
			return true
		default:
			i += 5
		}
	}
	return false
}

func isHigh(unit int) bool { return unit >= 0xD800 && unit < 0xDC00 }
func isLow(unit int) bool  { return unit >= 0xDC00 && unit < 0xE000 }

// escapedUnit reads the UTF-16 code unit of a \uXXXX escape at the start of raw.
func escapedUnit(raw []byte) (unit int, ok bool) {
	if len(raw) < 6 || raw[0] != '\\' || raw[1] != 'u' {
		return 0, false
	}
	for _, c := range raw[2:6] {
		digit := slices.Index([]byte("0123456789abcdef"), c|0x20)
		if digit < 0 {
			return 0, false
		}
		unit = unit<<4 | digit
	}
	return unit, true
}
