package handlers

import (
	"bytes"
	"errors"
	"reflect"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"linkbroker/broker"
)

// decode reads a JSON object into the struct at v. What could be read in two ways is refused: names that appear
// twice or differ in case alone, invalid UTF-8, unpaired surrogates, anything behind the object. encoding/json takes
// all of these, and two requests that mean something else would share a link. null means absent.
func decode(data []byte, v any, options ...json.Options) error {
	data = bytes.TrimSpace(data)
	if len(data) == 0 {
		return broker.Errorf(emptyBody, "the body is empty: send a JSON object")
	}
	if data[0] != '{' {
		return broker.Errorf(malformed, "the body is not a JSON object")
	}
	if err := json.Unmarshal(data, v, options...); err != nil {
		return complain(err)
	}
	return nil
}

// complain says in words of JSON, not of Go, what is wrong with a body. It repeats names but no values.
func complain(err error) error {
	if e, ok := errors.AsType[*broker.Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		if errors.Is(e, jsontext.ErrDuplicateName) {
			return broker.Errorf(malformed, "the name %q appears twice", e.JSONPointer.LastToken())
		}
		return broker.Errorf(malformed, "the body is not valid JSON at byte %d", e.ByteOffset)
	}
	if e, ok := errors.AsType[*json.SemanticError](err); ok {
		switch {
		case errors.Is(e, json.ErrUnknownName):
			return broker.Errorf(malformed, "unknown field %q", e.JSONPointer)
		case e.GoType == reflect.TypeFor[time.Time]():
			return broker.Errorf(malformed, "field %q must be a moment such as 2026-03-01T00:00:00Z", e.JSONPointer)
		}
		return broker.Errorf(malformed, "field %q cannot be a JSON %s", e.JSONPointer, e.JSONKind)
	}
	return broker.Errorf(malformed, "the body is not what is expected here")
}

// whatever is a field that may have any value because nobody looks at it.
type whatever = jsontext.Value

// cloudBase is WeChat's cloud_base. null, [] and {} all mean that there is none: PHP's empty array is a list.
type cloudBase struct {
	given  bool
	fields cloudBaseFields
}

type cloudBaseFields struct {
	Env           string         `json:"env"`
	Domain        string         `json:"domain"`
	Path          string         `json:"path"`
	Query         string         `json:"query"`
	ResourceAppID string         `json:"resource_appid"`
	Unknown       jsontext.Value `json:",embed"`
}

// UnmarshalJSONFrom reads one value.
func (c *cloudBase) UnmarshalJSONFrom(dec *jsontext.Decoder) (err error) {
	c.given, err = readOptional(dec, &c.fields)
	return err
}

// readOptional reads an object into fields, and reports whether there is one: null and [] mean that there is none.
func readOptional(dec *jsontext.Decoder, fields any) (given bool, err error) {
	if kind := dec.PeekKind(); kind == jsontext.KindBeginObject {
		return true, json.UnmarshalDecode(dec, fields)
	}
	value, err := dec.ReadValue()
	if err != nil {
		return false, err
	}
	emptyList := value.Kind() == jsontext.KindBeginArray && len(bytes.TrimSpace(value[1:len(value)-1])) == 0
	if emptyList || value.Kind() == jsontext.KindNull {
		return false, nil
	}
	return false, broker.Errorf(malformed, "field %q must be an object", dec.StackPointer())
}

// target gives what the domain works on: nil for none.
func (c *cloudBase) target() *broker.CloudBase {
	if !c.given {
		return nil
	}
	f := c.fields
	return &broker.CloudBase{
		Env: f.Env, Domain: f.Domain, Path: f.Path, Query: f.Query, ResourceAppID: f.ResourceAppID, Extra: withoutNulls(f.Unknown),
	}
}

// withoutNulls drops the members of an object that are null, which is how some SDKs say absent.
func withoutNulls(object jsontext.Value) []byte {
	if !bytes.Contains(object, []byte("null")) {
		return object
	}
	var members map[string]jsontext.Value
	if err := json.Unmarshal(object, &members); err != nil {
		return object // not of what was decoded before; the domain judges it
	}
	for name, value := range members {
		if value.Kind() == jsontext.KindNull {
			delete(members, name)
		}
	}
	object, _ = json.Marshal(members, json.Deterministic(true)) // of what was unmarshalled
	return object
}

// firstName gives the first name in an object, empty if there is none.
func firstName(object jsontext.Value) string {
	dec := jsontext.NewDecoder(bytes.NewReader(object))
	if _, err := dec.ReadToken(); err != nil {
		return ""
	}
	token, err := dec.ReadToken()
	if err != nil || token.Kind() != jsontext.KindString {
		return ""
	}
	return token.String()
}

// decodeParam reads a parameter whose value is JSON.
func decodeParam(name, value string, v any) error {
	if err := json.Unmarshal([]byte(value), v); err != nil {
		return broker.Errorf(malformed, "parameter %q must be the JSON of an object", name)
	}
	return nil
}
