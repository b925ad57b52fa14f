// Package sandbox is a fake WeChat: an http.Handler with the true rules of the calls that linkbroker makes, and faults
// that can be switched on over HTTP.
//
// It shares no code with the client it stands in for, so that no mistake can stand on both sides, and imports the
// standard library alone. Rules that nobody documents are marked "assumed".
package sandbox
