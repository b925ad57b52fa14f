package cli_test

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	for claim, test := range map[string]struct {
		environ, args []string
		code          int
		want          string
	}{
		"an errcode":                      {nil, []string{"40165"}, 0, "40165 (invalid_path)\n"},
		"one below zero":                  {nil, []string{"--", "-1"}, 0, "-1 (unavailable)\n"},
		"a code of our own":               {nil, []string{"quota_exhausted"}, 0, "quota_exhausted\n"},
		"one of HTTP":                     {nil, []string{"unauthenticated"}, 0, "→ Send the API key as Authorization: Bearer"},
		"in capitals":                     {nil, []string{"QUOTA_EXHAUSTED"}, 0, "quota_exhausted\n"},
		"in Chinese":                      {nil, []string{"40165", "--lang=zh"}, 0, "由调用方修改。"},
		"in the language of the terminal": {[]string{"LANG=zh_CN.UTF-8"}, []string{"40165"}, 0, "由调用方修改。"},
		"LC_ALL beats LANG":               {[]string{"LANG=zh_CN.UTF-8", "LC_ALL=C"}, []string{"40165"}, 0, "It is for who asks to change."},
		"a flag beats both":               {[]string{"LC_ALL=zh_CN.UTF-8"}, []string{"40165", "--lang=en"}, 0, "It is for who asks to change."},
		"what is not known":               {nil, []string{"12345678"}, 1, `"12345678" is not known: `},
		"another language":                {nil, []string{"40165", "--lang=fr"}, 2, "must be one of en, zh"},
		"all":                             {nil, nil, 0, "40165    invalid_path"},
		"all, those of HTTP too":          {nil, nil, 0, "-        too_large "},
	} {
		t.Run(claim, func(t *testing.T) {
			stdout, stderr, code := run(t, t.TempDir(), test.environ, append([]string{"explain"}, test.args...)...)
			if code != test.code || !strings.Contains(stdout+stderr, test.want) {
				t.Errorf("exit code %d and\n%s%s\nwant %d and %s", code, stdout, stderr, test.code, test.want)
			}
		})
	}
	stdout, _, _ := run(t, t.TempDir(), nil, "explain", "-o", "json")
	var all []struct{ Code, Class, Meaning, Remedy string }
	if err := json.Unmarshal([]byte(stdout), &all); err != nil || len(all) < 20 {
		t.Fatalf("error %v, %d codes", err, len(all))
	}
	for _, e := range all {
		if e.Code == "" || e.Class == "" || e.Meaning == "" || e.Remedy == "" {
			t.Errorf("something is missing: %+v", e)
		}
	}
}
