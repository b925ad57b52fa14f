package cache

import (
	"encoding/json"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// The values of protobuf's wire format that records are made of. What is empty is left out.

func appendText(b []byte, field protowire.Number, text string) []byte {
	if text == "" {
		return b
	}
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return protowire.AppendString(b, text)
}

func appendNumber(b []byte, field protowire.Number, n uint64) []byte {
	if n == 0 {
		return b
	}
	b = protowire.AppendTag(b, field, protowire.VarintType)
	return protowire.AppendVarint(b, n)
}

// appendMoment writes milliseconds since 1970 as a varint, or nanoseconds as 64 bits if the moment is that fine.
func appendMoment(b []byte, field protowire.Number, t time.Time) []byte {
	switch {
	case t.IsZero():
		return b
	case t.Nanosecond()%int(time.Millisecond) == 0:
		b = protowire.AppendTag(b, field, protowire.VarintType)
		return protowire.AppendVarint(b, uint64(t.UnixMilli()))
	}
	b = protowire.AppendTag(b, field, protowire.Fixed64Type)
	return protowire.AppendFixed64(b, uint64(t.UnixNano()))
}

// appendNested writes what may be empty and still be there.
func appendNested(b []byte, field protowire.Number, body []byte) []byte {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return protowire.AppendBytes(b, body)
}

// The fields of a timestamp, which are protobuf's own. Unlike a moment it reaches over all years.
const (
	fieldSeconds protowire.Number = 1 // since 1970
	fieldNanos   protowire.Number = 2
)

func appendTimestamp(b []byte, field protowire.Number, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	body := appendNumber(nil, fieldSeconds, uint64(t.Unix()))     //nolint:gosec // back to the same int64 when read
	body = appendNumber(body, fieldNanos, uint64(t.Nanosecond())) //nolint:gosec // not below 0
	return appendNested(b, field, body)
}

// field is one field of a body: a text, or a value of up to 64 bits.
type field struct {
	number protowire.Number
	wire   protowire.Type
	text   string
	value  uint64
}

func (f field) moment() time.Time {
	if f.wire == protowire.VarintType {
		return time.UnixMilli(int64(f.value)).UTC() //nolint:gosec // was an int64
	}
	return time.Unix(0, int64(f.value)).UTC() //nolint:gosec // was an int64
}

func (f field) timestamp() (time.Time, error) {
	var seconds, nanos int64
	err := f.each(func(f field) error {
		switch f.number {
		case fieldSeconds:
			seconds = int64(f.value) //nolint:gosec // was an int64
		case fieldNanos:
			nanos = int64(f.value % uint64(time.Second))
		}
		return nil
	})
	return time.Unix(seconds, nanos).UTC(), err
}

// each walks over the fields of a nested body.
func (f field) each(visit func(field) error) error { return eachField([]byte(f.text), f.text, visit) }

func (f field) json() json.RawMessage {
	if f.text == "" {
		return nil
	}
	return json.RawMessage(f.text)
}

// eachField walks over a body. text is the same body: all texts of a link share its one allocation.
func eachField(body []byte, text string, visit func(field) error) error {
	for rest := body; len(rest) > 0; {
		number, wire, n := protowire.ConsumeTag(rest)
		if n < 0 {
			return damagedForm
		}
		rest = rest[n:]
		f := field{number: number, wire: wire}
		switch wire {
		case protowire.VarintType:
			f.value, n = protowire.ConsumeVarint(rest)
		case protowire.Fixed64Type:
			f.value, n = protowire.ConsumeFixed64(rest)
		case protowire.BytesType:
			var value []byte
			if value, n = protowire.ConsumeBytes(rest); n >= 0 {
				end := len(text) - len(rest) + n
				f.text = text[end-len(value) : end]
			}
		default:
			n = protowire.ConsumeFieldValue(number, wire, rest)
		}
		if n < 0 {
			return damagedForm
		}
		rest = rest[n:]
		if err := visit(f); err != nil {
			return err
		}
	}
	return nil
}
