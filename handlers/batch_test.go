package handlers_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

const batchPath = "/api/v1/links:batch"

// batchLine is a line of the answer to a batch.
type batchLine struct {
	Line      int
	ID        *string
	Key       string
	URL       string
	App       string
	Outcome   string
	Collapsed bool
	Spliced   bool
	Warning   string
	Stored    *bool
	Findings  []struct{ Rule, Severity, Message string }
	Error     *struct {
		Status     int
		Code       string
		Title      string
		Detail     string
		Hint       string
		ErrCode    int
		RID        string
		RetryAfter int `json:"retry_after"`
	}
	Summary *struct {
		Lines, Hits, Generated, Stale, Failed int
		Generations, Refused                  int
		DryRun                                bool `json:"dry_run"`
		Quota                                 []struct {
			App                        string
			Generations, Left, Reserve int
			Enough                     bool
		}
	}
}

func readBatch(t *testing.T, text string) (lines []batchLine) {
	t.Helper()
	for line := range strings.Lines(text) {
		var l batchLine
		if err := json.Unmarshal([]byte(line), &l); err != nil || !strings.HasSuffix(line, "\n") {
			t.Fatalf("%q: %v", line, err)
		}
		lines = append(lines, l)
	}
	return lines
}

// batch sends a batch, and gives the lines of the answer.
func (w *world) batch(t *testing.T, query, body string, header ...string) []batchLine {
	t.Helper()
	if len(header) == 0 {
		header = []string{as(shopKey)}
	}
	out := w.ask("POST", batchPath+query, body, append(header, "Content-Type: application/x-ndjson")...)
	if out.Code != http.StatusOK || !strings.HasPrefix(out.Header().Get("Content-Type"), "application/x-ndjson") {
		t.Fatalf("%d %s %s", out.Code, out.Header(), out.text())
	}
	return readBatch(t, out.text())
}

// told writes lines down in short.
func told(lines []batchLine) string {
	var b strings.Builder
	for _, l := range lines {
		switch {
		case l.Summary != nil:
			s := l.Summary
			fmt.Fprintf(&b, "sum %d/%d/%d/%d/%d", s.Lines, s.Hits, s.Generated, s.Stale, s.Failed)
		case l.Line == 0:
			fmt.Fprintf(&b, "end %s", l.Error.Code)
		case l.Error != nil:
			fmt.Fprintf(&b, "%d %s, ", l.Line, l.Error.Code)
		default:
			fmt.Fprintf(&b, "%d %s, ", l.Line, l.Outcome)
		}
	}
	return b.String()
}

func TestABatchIsAnsweredLineByLine(t *testing.T) {
	long := `{"path":"p","query":"` + strings.Repeat("a", 16<<10) + `"}`
	for name, test := range map[string]struct{ body, want string }{
		"NDJSON":                                 {"{\"path\":\"p\"}\n{\"path\":\"q\"}\n", "1 miss, 2 miss, sum 2/0/2/0/0"},
		"NDJSON without an end of line":          {"{\"path\":\"p\"}\r\n{\"path\":\"q\"}", "1 miss, 2 miss, sum 2/0/2/0/0"},
		"blank lines are passed over":            {"\n  \n{\"path\":\"p\"}\n\r\n\n{\"path\":\"q\"}\n\n", "3 miss, 6 miss, sum 2/0/2/0/0"},
		"an array":                               {` [ {"path":"p"} ,` + "\n" + `{"path":"q"}]` + "\n", "1 miss, 2 miss, sum 2/0/2/0/0"},
		"an empty array":                         {`[ ]`, "sum 0/0/0/0/0"},
		"commas and brackets inside of strings":  {`[{"path":"p","query":"a=,"},{"path":"q","id":"]}\\\",["}]`, "1 miss, 2 miss, sum 2/0/2/0/0"},
		"a bad line is its own error":            {"{\"path\":\"p\"}\n{\"path\":\n{\"path\":\"q\"}\n", "1 miss, 2 malformed, 3 miss, sum 3/0/2/0/1"},
		"so is one that is no object":            {"{\"path\":\"p\"}\n7\n[]\n", "1 miss, 2 malformed, 3 malformed, sum 3/0/1/0/2"},
		"and one that is too long":               {"{\"path\":\"p\"}\n" + long + "\n{\"path\":\"q\"}\n", "1 miss, 2 too_large, 3 miss, sum 3/0/2/0/1"},
		"also at the end":                        {"{\"path\":\"p\"}\n" + long, "1 miss, 2 too_large, sum 2/0/1/0/1"},
		"a bad element is its own error":         {`[{"path":"p"},{"path" "q"},7,{"path":"q"}]`, "1 miss, 2 malformed, 3 malformed, 4 miss, sum 4/0/2/0/2"},
		"and one that is too long in an array":   {`[{"path":"p"},` + long + `,{"path":"q"}]`, "1 miss, 2 too_large, 3 miss, sum 3/0/2/0/1"},
		"the rule book holds for each line":      {"{\"path\":\"p?x\"}\n{\"path\":\"p\",\"query\":\"{}\"}\n{}\n", "1 invalid_path, 2 invalid_query, 3 malformed, sum 3/0/0/0/3"},
		"an unknown field is refused":            {"{\"path\":\"p\",\"x\":1}\n", "1 malformed, sum 1/0/0/0/1"},
		"another mini program is refused":        {"{\"path\":\"p\",\"app\":\"" + appB + "\"}\n", "1 forbidden, sum 1/0/0/0/1"},
		"an id that is too long is refused":      {"{\"path\":\"p\",\"id\":\"" + strings.Repeat("x", 129) + "\"}\n", "1 malformed, sum 1/0/0/0/1"},
		"an array that does not end":             {`[{"path":"p"},{"path":"q"}`, "1 miss, end malformed"},
		"an array that ends in a comma":          {`[{"path":"p"},]`, "1 miss, end malformed"},
		"an array with nothing in it":            {`[{"path":"p"},,{"path":"q"}]`, "1 miss, end malformed"},
		"an array with something behind it":      {`[{"path":"p"}]{}`, "1 miss, end malformed"},
		"an array whose brackets do not match":   {`[{"path":"p"},}`, "1 miss, end malformed"},
		"an array with a string that never ends": {`[{"path":"p"},"`, "1 miss, end malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := told(newWorld(t).batch(t, "", test.body)); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}
