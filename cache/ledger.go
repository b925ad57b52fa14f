package cache

import "encoding/binary"

// reserve says how many of n units fit under the limit beside those reserved already. A negative n gives back, at
// most what is reserved.
func reserve(reserved, n, limit int64) (granted int64) {
	if n < 0 {
		return max(n, -reserved)
	}
	return max(0, min(n, limit-reserved))
}

// ledgerKey is what the record of a day is sealed with. It puts the day first, so that past days lie together.
func ledgerKey(account, day string) []byte { return []byte(day + "\x00" + account) }

// decodeCount reads the record of a day. Without one nothing is reserved; a damaged one is an error.
func decodeCount(key, record []byte) (int64, error) {
	if record == nil {
		return 0, nil
	}
	body, err := unseal(key, record)
	if err != nil {
		return 0, err
	}
	if len(body) != 8 {
		return 0, damagedForm
	}
	return int64(binary.BigEndian.Uint64(body)), nil //nolint:gosec // was an int64
}

func encodeCount(key []byte, n int64) []byte {
	return seal(key, binary.BigEndian.AppendUint64(make([]byte, headerSize), uint64(n))) //nolint:gosec // never below 0
}
