package handlers

import (
	"cmp"
	"strconv"
	"strings"

	"linkbroker/broker"
)

// Parameters of a signed request. docs/signing.md tells how to make one.
const (
	signerParam    = "signer"    // the client's name
	untilParam     = "until"     // the Unix second until which the signature is good
	signatureParam = "signature" // broker.KeyDigest.Sign of broker.SigningText, in hexadecimal
)

// hasSignature reports whether somebody means a request to be signed.
func hasSignature(query string) bool { return param(query, signatureParam) != "" }

// signedRequest is all that a signed request can say.
type signedRequest struct {
	signer, until, signature string
	app, appid, path, query  string
}

// whoSigned finds the client whose server signed a request. What the signature does not cover cannot be asked for
// with it. The values are those that were sent, with their percent-encoding taken off and nothing else changed.
func (a *api) whoSigned(query string) (caller, error) {
	var in signedRequest
	fields := map[string]*string{
		signerParam: &in.signer, untilParam: &in.until, signatureParam: &in.signature,
		"app": &in.app, "appid": &in.appid, "path": &in.path, "query": &in.query,
	}
	err := eachParam(query, func(name, value string) error {
		field, ok := fields[name]
		switch {
		case !ok:
			return broker.Errorf(malformed, "parameter %q cannot stand in a signed request", name)
		case strings.Contains(value, "\n"):
			return broker.Errorf(malformed, "parameter %q has a line feed, which separates what is signed", name)
		}
		*field = value
		return nil
	})
	if err != nil {
		return caller{}, err
	}
	until, err := strconv.ParseInt(in.until, 10, 64)
	if err != nil {
		return caller{}, broker.Errorf(malformed, "until must be a time in Unix seconds")
	}
	text := broker.SigningText(cmp.Or(in.app, in.appid), in.path, in.query, until)
	client, err := a.Clients.Signed(in.signer, text, in.signature, until, a.Clock())
	return caller{Client: client, signed: true}, err
}

// isSignature reports whether a parameter is part of a signature.
func isSignature(name string) bool {
	return name == signerParam || name == untilParam || name == signatureParam
}
