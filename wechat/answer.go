package wechat

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxErrMsg bounds what is kept of an errmsg, in bytes.
const maxErrMsg = 256

var errGarbage = errors.New("not an answer of WeChat's")

// answer is what WeChat answers, whichever call it was. Fields it does not hold are zero.
type answer struct {
	errCode int
	errMsg  string // without the request id, fit to be shown
	rid     string

	accessToken Secret
	expiresIn   int64 // seconds

	fields map[string]json.RawMessage // all there are; none of them holds what must not be shown
}

// parseAnswer reads an answer in any of the forms seen in the field: errcode as a number, as a string or missing,
// slashes escaped, a byte order mark in front, unknown fields. What must not be shown is cut out of the errmsg, for
// the case that somebody on the way repeats it.
func parseAnswer(body []byte, hidden ...Secret) (answer, error) {
	var fields map[string]json.RawMessage
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\xEF\xBB\xBF")))
	if len(body) == 0 || body[0] != '{' {
		return answer{}, errGarbage
	}
	if err := json.Unmarshal(body, &fields); err != nil {
		return answer{}, errGarbage // its text repeats what was read
	}
	errCode, err := looseNumber(fields["errcode"])
	if err != nil {
		return answer{}, err
	}
	expiresIn, err := looseNumber(fields["expires_in"])
	if err != nil {
		return answer{}, err
	}
	errMsg, rid := cutRID(hide(looseText(fields["errmsg"]), hidden))
	access := Secret(looseText(fields["access_token"]))
	hidden = append(hidden, access)
	maps.DeleteFunc(fields, func(_ string, value json.RawMessage) bool { return holds(value, hidden) })
	return answer{
		errCode: int(errCode), errMsg: tidy(errMsg), rid: rid, accessToken: access, expiresIn: expiresIn, fields: fields,
	}, nil
}

// text gives a field that is a string, empty if there is none.
func (a answer) text(field string) string { return looseText(a.fields[field]) }

// unknown gives the object of the fields that are neither WeChat's errcode and errmsg nor among the known ones, nil if
// there are none.
func (a answer) unknown(known ...string) json.RawMessage {
	rest := maps.Clone(a.fields)
	maps.DeleteFunc(rest, func(name string, _ json.RawMessage) bool {
		return name == "errcode" || name == "errmsg" || slices.Contains(known, name)
	})
	if len(rest) == 0 {
		return nil
	}
	return encodeAgain(rest)
}

// object gives the whole answer, as an object whose errcode is a number.
func (a answer) object() json.RawMessage {
	whole := maps.Clone(a.fields)
	whole["errcode"] = json.RawMessage(strconv.Itoa(a.errCode))
	return encodeAgain(whole)
}

// encodeAgain encodes what was just decoded.
func encodeAgain(fields map[string]json.RawMessage) json.RawMessage {
	object, err := encodeFields(fields, nil)
	if err != nil {
		return nil
	}
	return object
}

// holds reports whether a value shows a secret, however it is escaped.
func holds(value json.RawMessage, hidden []Secret) bool {
	if bytes.IndexByte(value, '\\') >= 0 { // most have no escapes, and decoding costs more than all else in an answer
		var plain any
		if json.Unmarshal(value, &plain) == nil {
			if again, err := json.Marshal(plain); err == nil {
				value = again
			}
		}
	}
	return slices.ContainsFunc(hidden, func(secret Secret) bool {
		return secret != "" && bytes.Contains(value, []byte(secret))
	})
}

// looseNumber reads 40165, "40165" and 40165.0; nothing and null are 0.
func looseNumber(raw json.RawMessage) (int64, error) {
	text := string(raw)
	if len(raw) > 0 && raw[0] == '"' {
		text = strings.TrimSpace(looseText(raw))
	}
	if text == "" || text == "null" {
		return 0, nil
	}
	whole, fraction, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(whole, 10, 32)
	if err != nil || strings.Trim(fraction, "0") != "" {
		return 0, errGarbage
	}
	return n, nil
}

// looseText reads a string; anything else is no text.
func looseText(raw json.RawMessage) string {
	if len(raw) < 2 || raw[0] != '"' {
		return ""
	}
	if end := len(raw) - 1; raw[end] == '"' && bytes.IndexByte(raw, '\\') < 0 && utf8.Valid(raw) {
		return string(raw[1:end]) // as nearly all are: there is nothing to decode
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return ""
	}
	return text
}

func hide(text string, hidden []Secret) string {
	for _, secret := range hidden {
		if secret != "" {
			text = strings.ReplaceAll(text, string(secret), redacted)
		}
	}
	return text
}

// requestID finds WeChat's request id, with which an errmsg usually ends.
var requestID = regexp.MustCompile(`,?\s*\brid:\s*([0-9A-Za-z_-]{1,64})`)

func cutRID(errMsg string) (rest, rid string) {
	at := requestID.FindStringSubmatchIndex(errMsg)
	if at == nil {
		return errMsg, ""
	}
	return errMsg[:at[0]] + errMsg[at[1]:], errMsg[at[2]:at[3]]
}

// tidy makes one short printable line of an errmsg. Addresses go: WeChat's help links tell an operator nothing that
// the errcode does not, and an error must never hold a URL.
func tidy(errMsg string) string {
	words := strings.FieldsFunc(errMsg, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) })
	for i, word := range words {
		if strings.Contains(word, "://") {
			words[i] = "[link]"
		}
	}
	line := strings.Join(words, " ")
	if len(line) > maxErrMsg {
		line = strings.ToValidUTF8(line[:maxErrMsg], "")
	}
	return line
}
