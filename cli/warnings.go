package cli

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"linkbroker/broker"
	"linkbroker/handlers"
)

const (
	mostWarnings = 50
	mostDetail   = 300 // bytes; a panic brings its stack
)

// warnings is a slog.Handler that remembers the latest warnings and errors for the admin page.
type warnings struct {
	detail slog.Handler // writes attributes to the ring's buffer
	ring   *warningRing
}

// warningRing is what the handlers with their attributes share.
type warningRing struct {
	clock broker.Clock

	mu     sync.Mutex
	buffer bytes.Buffer
	latest []handlers.Warning // the oldest first
}

func newWarnings(clock broker.Clock) *warnings {
	ring := &warningRing{clock: clock}
	return &warnings{ring: ring, detail: slog.NewTextHandler(&ring.buffer, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey || a.Key == slog.MessageKey) {
				return slog.Attr{} // has a place of its own
			}
			return a
		},
	})}
}

// Enabled takes warnings and errors, whatever level is logged.
func (w *warnings) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// WithAttrs adds attributes.
func (w *warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &warnings{ring: w.ring, detail: w.detail.WithAttrs(attrs)}
}

// WithGroup begins a group.
func (w *warnings) WithGroup(name string) slog.Handler {
	return &warnings{ring: w.ring, detail: w.detail.WithGroup(name)}
}

// Handle remembers a record. One that is like the last of its message counts with it.
func (w *warnings) Handle(ctx context.Context, record slog.Record) error {
	r := w.ring
	r.mu.Lock()
	defer r.mu.Unlock()
	r.buffer.Reset()
	if err := w.detail.Handle(ctx, record); err != nil {
		return err
	}
	one := handlers.Warning{
		At: r.clock(), Error: record.Level >= slog.LevelError, Message: record.Message, Detail: shortened(r.buffer.String()), Times: 1,
	}
	i := slices.IndexFunc(r.latest, func(old handlers.Warning) bool {
		return old.Message == one.Message && old.Detail == one.Detail
	})
	if i >= 0 {
		one.Times += r.latest[i].Times
		r.latest = slices.Delete(r.latest, i, i+1)
	}
	if r.latest = append(r.latest, one); len(r.latest) > mostWarnings {
		r.latest = slices.Delete(r.latest, 0, 1)
	}
	return nil
}

// newest gives what is remembered, the newest first.
func (w *warnings) newest() []handlers.Warning {
	w.ring.mu.Lock()
	defer w.ring.mu.Unlock()
	all := slices.Clone(w.ring.latest)
	slices.Reverse(all)
	return all
}

func shortened(text string) string {
	text = strings.TrimSpace(text)
	if len(text) <= mostDetail {
		return text
	}
	end := mostDetail
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}
