package handlers

import (
	"cmp"
	"errors"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"linkbroker/broker"
)

// number is an integer as real clients write it: 7, 7.0, 7e0, "7". null means absent.
type number struct {
	given bool
	value int64
}

// UnmarshalJSONFrom reads one value.
func (n *number) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	value, err := dec.ReadValue()
	if err != nil {
		return err
	}
	if value.Kind() == jsontext.KindNull {
		return nil
	}
	text := []byte(value)
	if value.Kind() == jsontext.KindString {
		if text, err = jsontext.AppendUnquote(nil, value); err != nil {
			return err
		}
	}
	if err := n.parse(string(text)); err != nil {
		return broker.Errorf(malformed, "field %q must be a whole number", dec.StackPointer())
	}
	return nil
}

// param reads the value of a parameter.
func (n *number) param(name, value string) error {
	if err := n.parse(value); err != nil {
		return broker.Errorf(malformed, "parameter %q must be a whole number", name)
	}
	return nil
}

var errNotInteger = errors.New("not a whole number")

// largest bounds what is read. It is above every number that means anything here, milliseconds among them, and
// small enough that as seconds it is still a moment time.Time can hold.
const largest = 1 << 53

// parse reads the text of a JSON number exactly, without a detour over floats. What is larger than largest is largest.
func (n *number) parse(text string) error {
	if !numeric(text) {
		return errNotInteger
	}
	unsigned, negative := strings.CutPrefix(text, "-")
	mantissa, exponent, _ := strings.Cut(strings.ToLower(unsigned), "e")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	if digits == "" {
		*n = number{given: true}
		return nil
	}
	// The value is digits × 10^shift. An exponent out of reach counts as a very large one of its sign.
	shift, _ := strconv.ParseInt(cmp.Or(exponent, "0"), 10, 32)
	significant := strings.TrimRight(digits, "0")
	shift += int64(len(digits)-len(significant)) - int64(len(fraction))
	if shift < 0 {
		return errNotInteger
	}
	n.given, n.value = true, largest
	if int64(len(significant))+shift <= 18 { // fits 63 bits
		value, err := strconv.ParseInt(significant+strings.Repeat("0", int(shift)), 10, 64)
		if err != nil {
			return err
		}
		n.value = min(value, largest)
	}
	if negative {
		n.value = -n.value
	}
	return nil
}

// numeric reports whether the text is a JSON number and nothing else.
func numeric(text string) bool {
	value := jsontext.Value(text)
	return value.IsValid() && value.Kind() == jsontext.KindNumber && text == strings.TrimSpace(text)
}

// pointer gives the number in the form that broker.ParseExpiry takes: nil for absent.
func (n *number) pointer() *int64 {
	if !n.given {
		return nil
	}
	return &n.value
}

// positive is pointer for a field whose 0 means absent: some SDKs send every field they know.
func (n *number) positive() *int64 {
	if n.value <= 0 {
		return nil
	}
	return &n.value
}
