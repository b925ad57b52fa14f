package handlers_test

import (
	"encoding/json"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/handlers"
)

// TestTheWrittenOutJSONIsWhatAnEncoderMakes compares the fast encoder with encoding/json.
func TestTheWrittenOutJSONIsWhatAnEncoderMakes(t *testing.T) {
	shanghai := time.FixedZone("Asia/Shanghai", 8*60*60)
	for _, text := range []string{
		"https://wxaurl.cn/t1", `"quotes" and \ backslashes`, "control \x00\x01\x1f\b\f\n\r\t\x7f", "<html>&amp;", "页 🦀 \u2028\u2029", "not UTF-8: \xff\xfe", "half \xed\xa0\x80",
	} {
		answer := broker.Answer{Outcome: broker.Outcome(text), Unspliced: text, Link: broker.Link{
			Key: broker.Key{0, 1, 0xfe, 0xff}, URL: text, Target: broker.Target{Kind: broker.Kind(text), App: text},
			GeneratedAt: time.Date(2026, 3, 1, 12, 0, 0, 999, shanghai), ExpiresAt: time.Date(2026, 3, 31, 3, 59, 0, 0, time.UTC),
		}}
		var got map[string]any
		if err := json.Unmarshal(handlers.AppendAnswer(nil, answer), &got); err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		utf8, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var want string // with U+FFFD for what is not UTF-8
		if err := json.Unmarshal(utf8, &want); err != nil {
			t.Fatal(err)
		}
		if got["url"] != want || got["kind"] != want || got["app"] != want || got["outcome"] != want || got["unspliced"] != want || got["spliced"] != false || len(got) != 9 {
			t.Errorf("%q became %q", text, got)
		}
		if got["key"] != "0001feff000000000000000000000000" || got["generated_at"] != "2026-03-01T04:00:00Z" || got["expires_at"] != "2026-03-31T03:59:00Z" {
			t.Errorf("%q", got)
		}
	}
}
