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

func appendMoment(b []byte, field protowire.Number, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	b = protowire.AppendTag(b, field, protowire.Fixed64Type)
	return protowire.AppendFixed64(b, uint64(t.UnixNano()))
}

// field is one field of a body: a text, or a value of up to 64 bits.
type field struct {
	number protowire.Number
	text   string
	value  uint64
}

func (f field) moment() time.Time {
	return time.Unix(0, int64(f.value)).UTC() //nolint:gosec // was an int64
}

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
		f := field{number: number}
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
