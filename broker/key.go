package broker

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
)

// Key is the identity of a normalised target: what a link is stored and found under.
type Key [16]byte

// keyVersion is hashed first. A change of the fields below or of normalisation needs a new one, or a link stored
// under the old meaning would answer the new.
const keyVersion = "linkbroker key 1\n"

// Key hashes a normalised target: the first 16 bytes of SHA-256 over the version and its quoted fields. Quoting
// keeps neighbours apart, so that no value can pretend to be two fields.
func (t Target) Key() Key {
	var space [512]byte
	b := append(space[:0], keyVersion...)
	for _, field := range [...]string{t.App, string(t.Kind), t.Path, t.Query, string(t.Env)} {
		b = appendField(b, field)
	}
	if c := t.CloudBase; c != nil {
		for _, field := range [...]string{c.Env, c.Domain, c.Path, c.Query, c.ResourceAppID, string(c.Extra)} {
			b = appendField(b, field)
		}
	} else {
		b = append(b, "-\n"...)
	}
	b = appendField(b, t.Expiry.String())
	b = appendField(b, t.Scope)
	b = appendField(b, string(t.Extra))
	if t.Title != "" { // younger than the version: where there is none, keys are as they always were
		b = appendField(b, t.Title)
	}
	sum := sha256.Sum256(b)
	return Key(sum[:16])
}

// appendField appends a field quoted as strconv.Quote does, which for plain text is to put it between quotes.
func appendField(b []byte, field string) []byte {
	if plain(field) {
		b = append(b, '"')
		b = append(b, field...)
		return append(b, '"', '\n')
	}
	return append(strconv.AppendQuote(b, field), '\n')
}

// plain reports whether quoting leaves the text as it is.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// ParseKey reads the hexadecimal form of a key.
func ParseKey(s string) (Key, error) {
	var k Key
	if len(s) != hex.EncodedLen(len(k)) {
		return Key{}, Errorf(NotFound, "a link's key has %d hexadecimal digits", hex.EncodedLen(len(k)))
	}
	if _, err := hex.Decode(k[:], []byte(s)); err != nil {
		return Key{}, Errorf(NotFound, "a link's key has hexadecimal digits only")
	}
	return k, nil
}

// String gives the hexadecimal form.
func (k Key) String() string { return hex.EncodeToString(k[:]) }

// MarshalText gives the hexadecimal form, for JSON and logs.
func (k Key) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, k[:]), nil }

// UnmarshalText reads the hexadecimal form.
func (k *Key) UnmarshalText(text []byte) error {
	parsed, err := ParseKey(string(text))
	if err != nil {
		return err
	}
	*k = parsed
	return nil
}
