package cache

import (
	"encoding/binary"
	"hash/crc32"
)

// A record is what a store keeps under a key:
//
//	version (1 byte) · CRC32C over key, version and body (4 bytes, big-endian) · body
//
// The checksum covers the key because a damaged page may show a sound value under somebody else's key.
const (
	recordVersion = 1
	headerSize    = 5
)

// castagnoli is the polynomial that processors have an instruction for.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// damage says why a record cannot be read. A store counts it and answers as if the record were not there.
type damage string

// The kinds of damage.
const (
	damagedShort    damage = "the record is cut short"
	damagedVersion  damage = "the record has an unknown version"
	damagedChecksum damage = "the record's checksum is wrong"
	damagedForm     damage = "the record is malformed"
	damagedTarget   damage = "the record's target does not hash to its key"
	damagedPage     damage = "a page of the file is damaged"
)

func (d damage) Error() string { return string(d) }

// seal completes a record in place: its body begins at headerSize.
func seal(key, record []byte) []byte {
	record[0] = recordVersion
	binary.BigEndian.PutUint32(record[1:headerSize], checksum(key, record))
	return record
}

// sealBody makes the record of a body that is there already.
func sealBody(key, body []byte) []byte { return seal(key, append(make([]byte, headerSize), body...)) }

// unseal gives the body of a record.
func unseal(key, record []byte) ([]byte, error) {
	switch {
	case len(record) < headerSize:
		return nil, damagedShort
	case record[0] != recordVersion:
		return nil, damagedVersion
	case binary.BigEndian.Uint32(record[1:headerSize]) != checksum(key, record):
		return nil, damagedChecksum
	}
	return record[headerSize:], nil
}

func checksum(key, record []byte) uint32 {
	sum := crc32.Update(0, castagnoli, key)
	sum = crc32.Update(sum, castagnoli, record[:1])
	return crc32.Update(sum, castagnoli, record[headerSize:])
}
