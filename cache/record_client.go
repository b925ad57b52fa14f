package cache

import (
	"encoding/json"
	"errors"

	"linkbroker/broker"
)

// encodeClient makes the record of a client: JSON, for there are few and they are read at the start. It refuses what would
// come back under another ETag, for nobody could ever change that again.
func encodeClient(client broker.Client) ([]byte, error) {
	if client.Name == "" {
		return nil, errors.New("the client has no name")
	}
	body, err := json.Marshal(client)
	if err != nil {
		return nil, err
	}
	key := []byte(client.Name)
	record := sealBody(key, body)
	if clientETagIn(key, record) != client.ETag() {
		return nil, errors.New("the client cannot be stored as it is")
	}
	return record, nil
}

// decodeClient reads the record kept under a name. Its error is a damage.
func decodeClient(name, record []byte) (broker.Client, error) {
	body, err := unseal(name, record)
	if err != nil {
		return broker.Client{}, err
	}
	var client broker.Client
	if json.Unmarshal(body, &client) != nil || client.Name != string(name) {
		return broker.Client{}, damagedForm
	}
	return client, nil
}

// clientETagIn gives the ETag of the client in a record, empty if there is none that can be read.
func clientETagIn(name, record []byte) string {
	client, err := decodeClient(name, record)
	if err != nil {
		return ""
	}
	return client.ETag()
}
