package broker

import (
	"crypto/rand"
	"fmt"
	"hash/crc32"
	"regexp"
	"strings"
)

// The prefixes of keys made here: secret scanners and readers of a page see what they have before them.
const (
	SecretPrefix      = "sk_"
	PublishablePrefix = "pk_"
)

// hintLength is how much of a key is kept to tell it from others: the prefix and 25 of 130 random bits.
const hintLength = len(SecretPrefix) + 5

// A key made here is the prefix, 26 characters of rand.Text and a checksum of 8 digits.
const (
	checksumLength = 8
	madeLength     = len(SecretPrefix) + 26 + checksumLength
)

// apiKey is the form of an API key. It fits unescaped into a path, a header and a query.
var apiKey = regexp.MustCompile(`^[A-Za-z0-9_-]{16,128}$`)

// longestKey is the length of the longest.
const longestKey = 128

// NewAPIKey draws an API key: a prefix, 130 random bits and a checksum, by which a scanner knows a key from chance
// and a command a mistyped one.
func NewAPIKey(publishable bool) string {
	body := SecretPrefix + rand.Text()
	if publishable {
		body = PublishablePrefix + rand.Text()
	}
	return body + checksum(body)
}

func checksum(body string) string { return fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(body))) }

// CheckAPIKey refuses what cannot be an API key, without repeating it.
func CheckAPIKey(key string) error {
	if !apiKey.MatchString(key) {
		return Errorf(InvalidArgument, "an API key has 16 to 128 characters out of A-Z a-z 0-9 _ -")
	}
	return nil
}

// Mistyped reports whether a key has the form of those made here and not their checksum.
func Mistyped(key string) bool {
	made := len(key) == madeLength && (strings.HasPrefix(key, SecretPrefix) || strings.HasPrefix(key, PublishablePrefix))
	body := key[:max(len(key)-checksumLength, 0)]
	return made && checksum(body) != key[len(body):]
}

func keyHint(key string) string { return key[:min(hintLength, len(key))] }
