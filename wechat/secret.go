package wechat

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is an AppSecret or an access token. However it is printed, logged or marshalled it shows as [redacted]; only
// a conversion to string reveals it.
type Secret string

const redacted = "[redacted]"

// String hides the secret.
func (Secret) String() string { return redacted }

// GoString hides the secret.
func (Secret) GoString() string { return redacted }

// Format hides the secret from every verb. Without it %d would print the bare string, as fmt does with a verb that
// does not fit.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText hides the secret from encoders.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue hides the secret from slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
