package cli

import (
	"fmt"
	"log/slog"
)

// Secret is a text that must never be printed: an app's secret, an API key. Whatever formats, marshals or logs it
// gets [redacted].
type Secret string

const redacted = "[redacted]"

// Reveal gives the text itself.
func (s Secret) Reveal() string { return string(s) }

// Format covers every verb of fmt, also those that would look through String.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// String tells an empty secret from a set one, and no more.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// MarshalText is for encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue is for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
