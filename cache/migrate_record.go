package cache

import (
	"cmp"
	"encoding/json"
	"time"
)

// record is what a store keeps under a key.
type record struct{ key, value []byte }

// canonical gives a record as this program would write it, for it may have been written by an earlier one, and when it
// ends, of what has an end. Its error is a damage.
func canonical(kind Kind, r record) (value []byte, end time.Time, err error) {
	switch kind {
	case kindLinks:
		link, err := readRecord(r.key, r.value)
		if err != nil {
			return nil, time.Time{}, err
		}
		value, err = encodeLink(link)
		return value, link.ExpiresAt, err
	case kindAliases:
		alias, err := decodeAlias(r.key, r.value)
		if err != nil {
			return nil, time.Time{}, err
		}
		value, err = encodeAlias(alias)
		return value, time.Time{}, err
	case kindStats:
		counts, err := decodeCounts(r.key, r.value)
		if err != nil || !isStatKey(r.key) {
			return nil, time.Time{}, cmp.Or(err, error(damagedForm))
		}
		return encodeCounts(r.key, counts), time.Time{}, nil
	case kindClients:
		value, err = sealed(r.key, r.value, decodeClient)
	case kindAudit:
		value, err = sealed(r.key, r.value, decodeAudit)
	default:
		_, err = unseal(r.key, r.value)
		value = r.value
	}
	return value, time.Time{}, err
}

// sealed seals anew what a record says in JSON.
func sealed[T any](key, value []byte, decode func(key, value []byte) (T, error)) ([]byte, error) {
	thing, err := decode(key, value)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(thing)
	return sealBody(key, body), err
}
