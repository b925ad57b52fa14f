package cache

import (
	"encoding/binary"
	"encoding/json"
	"math"

	"linkbroker/broker"
)

func auditKey(id uint64) []byte { return binary.BigEndian.AppendUint64(nil, min(id, math.MaxInt64)) }

// encodeAudit makes the record of an entry.
func encodeAudit(entry broker.AuditEntry) ([]byte, error) {
	body, err := json.Marshal(entry)
	return sealBody(auditKey(entry.ID), body), err
}

// decodeAudit reads the record of an entry. Its error is a damage.
func decodeAudit(key, record []byte) (broker.AuditEntry, error) {
	body, err := unseal(key, record)
	if err != nil {
		return broker.AuditEntry{}, err
	}
	var entry broker.AuditEntry
	if json.Unmarshal(body, &entry) != nil || string(auditKey(entry.ID)) != string(key) {
		return broker.AuditEntry{}, damagedForm
	}
	return entry, nil
}
