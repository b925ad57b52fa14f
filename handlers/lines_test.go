package handlers_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"linkbroker/broker"
	"linkbroker/handlers"
)

func TestABodyThatBreaksOffGivesNoHalfALine(t *testing.T) {
	broken := errors.New("connection reset")
	for name, body := range map[string]string{"NDJSON": "{\"path\":\"p\"}\n{\"path\":\"q", "an array": `[{"path":"p"},{"path":"q`} {
		values, _, err := handlers.Lines(io.MultiReader(strings.NewReader(body), iotest.ErrReader(broken)), 100, 0)
		if len(values) != 1 || !errors.Is(err, broken) {
			t.Errorf("%s: %q, %v", name, values, err)
		}
	}
}

func TestALineMayHaveItsWholeSize(t *testing.T) {
	const size = 8 << 10
	value := `{"a":"` + strings.Repeat("x", size-8) + `"}`
	for name, body := range map[string]string{
		"NDJSON": value + "\r\n" + value + "\n" + value, "an array": "[ " + value + " ,\n" + value + "," + value + "\n]",
	} {
		for more, want := range map[string]int{"": 3, "x": 0} {
			body := strings.ReplaceAll(body, "x\"}", "x"+more+"\"}")
			values, wrong, err := handlers.Lines(iotest.OneByteReader(strings.NewReader(body)), size, 0)
			if len(values) != want || wrong != 3-want || !errors.Is(err, io.EOF) {
				t.Errorf("%s: %d values, %d too large, %v", name, len(values), wrong, err)
			}
		}
	}
}

func TestThereAreAtMostSoManyLines(t *testing.T) {
	for name, bodies := range map[string][2]string{"NDJSON": {"{}\n{}\n\n", "{}\n{}\n\n{}"}, "an array": {"[{},{},{}]", "[{},{},{},7]"}} {
		if values, _, err := handlers.Lines(strings.NewReader(bodies[0]), 100, 3); !errors.Is(err, io.EOF) {
			t.Errorf("%s of so many: %q, %v", name, values, err)
		}
		if values, _, err := handlers.Lines(strings.NewReader(bodies[1]), 100, 3); err == nil || !strings.Contains(err.Error(), "more than 3 lines") {
			t.Errorf("%s of more: %q, %v", name, values, err)
		}
	}
}

// TestAByteOrderMarkIsNoLine takes what Windows writes.
func TestAByteOrderMarkIsNoLine(t *testing.T) {
	for _, body := range []string{"\uFEFF{\"path\":\"p\"}\r\n", "\uFEFF[{\"path\":\"p\"}]"} {
		if values, _, err := handlers.Lines(iotest.OneByteReader(strings.NewReader(body)), 100, 0); len(values) != 1 || !errors.Is(err, io.EOF) {
			t.Errorf("%q: %q, %v", body, values, err)
		}
	}
	if _, _, err := handlers.Lines(strings.NewReader("\uFEFF"), 100, 0); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a mark alone: %v", err)
	}
}

func TestAPanicOverALineIsADefectAndNoEnd(t *testing.T) {
	err := handlers.Guarded(func() error { panic("oh dear") })
	if !errors.Is(err, broker.Internal) || !strings.Contains(err.Error(), "oh dear") {
		t.Error(err)
	}
	if err := handlers.Guarded(func() error { return nil }); err != nil {
		t.Error(err)
	}
}

// FuzzLines holds the splitter against a JSON decoder: an array that is one gives its elements, and NDJSON its lines.
// Whatever comes, nothing is given that is larger than allowed, and it makes no difference in what pieces it comes.
func FuzzLines(f *testing.F) {
	for _, body := range []string{
		`[{"a":1},[2,"]"],"\\\"",null]`, "{\"a\":1}\n\n{\"b\":\"\\n\"}\r\n", "[]", "[,]", `["\u005d",{"x":"[{"}]]`, "[1 2]", " \n[", "{}", "[\"", "{\n}", "[{]}",
	} {
		f.Add([]byte(body), 64)
	}
	f.Fuzz(func(t *testing.T, body []byte, size int) {
		if size < 1 || size > 1<<12 {
			return
		}
		values, wrong, err := handlers.Lines(bytes.NewReader(body), size, 0)
		again, wrongAgain, errAgain := handlers.Lines(iotest.OneByteReader(bytes.NewReader(body)), size, 0)
		if len(values) != len(again) || wrong != wrongAgain || broker.CodeOf(err) != broker.CodeOf(errAgain) {
			t.Fatalf("%q %v, and in pieces %q %v", values, err, again, errAgain)
		}
		for i, value := range values {
			if len(value) > size || !bytes.Equal(value, again[i]) {
				t.Fatalf("%q", value)
			}
		}
		var elements []json.RawMessage
		if json.Unmarshal(body, &elements) == nil && elements != nil {
			if !errors.Is(err, io.EOF) || len(values)+wrong != len(elements) {
				t.Fatalf("%q: %d elements, %v", values, len(elements), err)
			}
			if wrong > 0 {
				return
			}
			for i, value := range values {
				if !bytes.Equal(value, elements[i]) {
					t.Fatalf("%q, want %q", value, elements[i])
				}
			}
		}
	})
}
