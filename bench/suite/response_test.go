package main

import (
	"strings"
	"testing"
	"testing/iotest"
)

func TestAnswersAreReadOneByOne(t *testing.T) {
	const raw = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nfirst" +
		"HTTP/1.1 200 OK\r\ncontent-length:6\r\n\r\nsecond" +
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
	for name, r := range map[string]*reader{
		"all at once":  newReader(strings.NewReader(raw)),
		"byte by byte": newReader(iotest.OneByteReader(strings.NewReader(raw))),
		"in halves":    newReader(iotest.HalfReader(strings.NewReader(raw))),
	} {
		t.Run(name, func(t *testing.T) {
			for _, want := range []string{"first", "second", ""} {
				if body, err := r.read(); err != nil || string(body) != want {
					t.Fatalf("got %q, %v, want %q", body, err, want)
				}
			}
			if body, err := r.read(); err == nil {
				t.Errorf("got %q after the last", body)
			}
		})
	}
}

func TestAnswersThatDoNotCount(t *testing.T) {
	for name, raw := range map[string]string{
		"another status":       "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy",
		"no length":            "HTTP/1.1 200 OK\r\n\r\nbody",
		"an odd length":        "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nbody",
		"a body cut short":     "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbody",
		"longer than a buffer": "HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n" + strings.Repeat("x", 99999),
	} {
		if body, err := newReader(strings.NewReader(raw)).read(); err == nil {
			t.Errorf("%s: got %q", name, body)
		}
	}
	refusals := newReader(strings.NewReader("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy"))
	refusals.anyStatus = true
	if body, err := refusals.read(); err != nil || string(body) != "busy" {
		t.Errorf("where refusals will do: %q, %v", body, err)
	}
}
