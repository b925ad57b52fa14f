package cache

import (
	"errors"

	"linkbroker/broker"
)

// What tests of the record format need: no store hands records out.
var (
	EncodeLink = encodeLink
	DecodeLink = decodeLink
	Seal       = seal
)

// RecordHeader is the length of what precedes a record's body.
const RecordHeader = headerSize

// IsDamage reports whether an error says that a record cannot be read.
func IsDamage(err error) bool {
	_, ok := errors.AsType[damage](err)
	return ok
}

// KeyOfBody gives the key that a body's target hashes to, whatever else is wrong with it.
func KeyOfBody(body []byte) broker.Key {
	link, _ := readBody(body)
	return link.Target.Key()
}
