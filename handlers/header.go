package handlers

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
)

// Values of headers, in the form in which they stand there. Nobody changes them.
//
//nolint:gochecknoglobals // constants that Go has no constants for
var (
	nosniff    = []string{"nosniff"}
	noReferrer = []string{"no-referrer"}
	apiPolicy  = []string{"default-src 'none'; frame-ancestors 'none'"}
	varyOrigin = []string{"Origin"}
	noStore    = []string{"no-store"}

	// adminPolicy is that of the admin page: scripts and styles are files of ours, and nothing stands in the page itself.
	adminPolicy = []string{"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
		"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"}
)

// secure sets what every answer has: no browser shall take JSON for a page, show one of ours in another's frame, or
// tell anybody an address with a key in it. Pages of ours have a policy of their own (pagePolicy).
func secure(h http.Header) {
	h["X-Content-Type-Options"] = nosniff
	h["Referrer-Policy"] = noReferrer
	h["Content-Security-Policy"] = apiPolicy
}

// pagePolicy is the policy of a page that runs no script, loads nothing and has one style sheet in it.
func pagePolicy(css string) []string {
	digest := sha256.Sum256([]byte(css))
	return []string{"default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) + "'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}
}
