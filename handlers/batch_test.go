package handlers_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"linkbroker/broker"
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

func TestTheLinesOfABatchAreNativeAnswers(t *testing.T) {
	w := newWorld(t)
	w.ask("POST", "/api/v1/links", `{"path":"stored"}`, as(shopKey))
	body := `{"id":"a","path":"stored"}` + "\n" + `{"id":"","path":"p","expire_interval":31}` + "\n" + `{"path":"p?"}` + "\n"
	out := w.ask("POST", batchPath, body, as(shopKey), "Content-Type: application/x-ndjson")
	lines := strings.SplitAfter(out.text(), "\n")
	native := w.ask("POST", "/api/v1/links", `{"path":"stored"}`, as(shopKey)).text()
	if want := `{"line":1,"id":"a",` + native[1:]; lines[0] != want {
		t.Errorf("got  %swant %s", lines[0], want)
	}
	if got := lines[1]; !strings.HasPrefix(got, `{"line":2,"id":"","key":"`) || !strings.HasSuffix(got, `"outcome":"miss","spliced":false,"warning":"expiry-clamped"}`+"\n") {
		t.Error(got)
	}
	want := `{"line":3,"error":{"title":"The path is refused","status":422,"detail":"path contains a ? at position 2: put what follows it into query",` +
		`"code":"invalid_path","errcode":40165,"hint":"Give the page's path without a query; the page must be in the released version."}}` + "\n"
	if lines[2] != want {
		t.Errorf("got  %swant %s", lines[2], want)
	}
	h := out.Header()
	if h.Get("Cache-Control") != "no-store" || h.Get("X-Accel-Buffering") != "no" || h.Get("Connection") != "close" {
		t.Error(h)
	}
}

func TestWhoMaySendABatch(t *testing.T) {
	for name, test := range map[string]struct{ query, header, code string }{
		"nobody":                               {"", "X: y", "unauthenticated"},
		"a publishable key":                    {"", as(pageKey), "forbidden"},
		"a publishable key in the address":     {"?key=" + pageKey, "X: y", "forbidden"},
		"a key of another mini program":        {"?appid=" + appB, as(shopKey), "forbidden"},
		"a parameter that is none":             {"?path=p", as(shopKey), "malformed"},
		"a dry_run that is none":               {"?dry_run=perhaps", as(shopKey), "malformed"},
		"a key in access_token, as everywhere": {"?access_token=" + shopKey, "X: y", ""},
		"a key for all, which names the appid": {"?appid=" + appB, as(generateKey), ""},
		"a key that reads, for what is stored": {"", as(readKey), ""},
	} {
		t.Run(name, func(t *testing.T) {
			wantCode(t, newWorld(t).ask("POST", batchPath+test.query, `{"path":"p"}`, test.header, "Content-Type: application/x-ndjson"), test.code)
		})
	}
	for body, code := range map[string]string{"": "empty_body", " \n ": "empty_body", "path": "malformed", `"p"`: "malformed"} {
		wantCode(t, newWorld(t).ask("POST", batchPath, body, as(shopKey), "Content-Type: application/x-ndjson"), code)
	}
}

func TestWhatAKeyMayHoldsForEachLine(t *testing.T) {
	w := newWorld(t)
	w.ask("POST", "/api/v1/links", `{"path":"stored"}`, as(shopKey))
	body := "{\"path\":\"stored\"}\n{\"path\":\"other\"}\n{\"path\":\"stored\",\"app\":\"" + appB + "\"}\n"
	for query, want := range map[string]string{
		"":              "1 hit, 2 not_cached, 3 forbidden, sum 3/1/0/0/2",
		"?dry_run=true": "1 hit, 2 not_cached, 3 forbidden, sum 3/1/0/0/0",
	} {
		if got := told(w.batch(t, query, body, as(readKey))); got != want {
			t.Errorf("%q: %s, want %s", query, got, want)
		}
	}
	w.create(`{"name":"poor","role":"generate","generations_per_day":2}`)
	poor := w.post("/api/v1/clients/poor:rotate", "")
	key := shown(t, poor).Key
	lines := w.batch(t, "", "{\"app\":\""+appA+"\",\"path\":\"a\"}\n{\"app\":\""+appA+"\",\"path\":\"b\"}\n{\"app\":\""+appA+"\",\"path\":\"c\"}\n", as(key))
	if s := lines[3].Summary; s.Generated != 2 || s.Failed != 1 {
		t.Errorf("a budget of two: %+v", s)
	}
}

func TestADryRunSaysWhatABatchWouldCost(t *testing.T) {
	w := newWorld(t)
	w.ask("POST", "/api/v1/links", `{"path":"stored"}`, as(shopKey))
	body := `[{"id":"x","path":"stored"},{"path":"a"},{"path":"/a"},{"path":"b?c"},{"path":"t","env_version":"trial"},7]`
	lines := w.batch(t, "?dry_run=true", body, as(shopKey), "Accept-Language: zh-CN,en;q=0.5")
	var outcomes []string
	for _, l := range lines[:6] {
		outcomes = append(outcomes, l.Outcome)
	}
	if got := strings.Join(outcomes, " "); got != "hit miss hit refused miss refused" || *lines[0].ID != "x" || lines[1].Key != lines[2].Key {
		t.Errorf("%s %+v", got, lines)
	}
	if f := lines[3].Findings; len(f) != 1 || f[0].Rule != "path_question_mark" || !strings.HasPrefix(f[0].Message, "path 第 2 个字符处有") {
		t.Errorf("%+v", f)
	}
	if f := lines[4].Findings; len(f) != 1 || f[0].Severity != "warning" {
		t.Errorf("%+v", f)
	}
	s := lines[6].Summary
	if s == nil || !s.DryRun || s.Lines != 6 || s.Hits != 2 || s.Generations != 2 || s.Refused != 2 {
		t.Fatalf("%+v", s)
	}
	q := s.Quota
	if len(q) != 1 || q[0].App != appA || q[0].Generations != 2 || q[0].Left != 499_999 || q[0].Reserve != 100_000 || !q[0].Enough {
		t.Errorf("%+v", q)
	}
	if w.weChat.calls() != 1 {
		t.Errorf("a dry run made %d calls", w.weChat.calls()-1)
	}
}

func TestWhatIsPutTogetherIsNeitherRefusedNorGenerated(t *testing.T) {
	w := newWorldWith(t, newStore(), broker.App{ID: appA, PlainScheme: true}, broker.App{ID: appB})
	body := `[{"kind":"plain_scheme","path":"p"},{"kind":"scheme","path":"p"}]`
	dry := w.batch(t, "?dry_run=true", body, as(shopKey))
	if s := dry[2].Summary; dry[0].Outcome != "composed" || s.Hits != 1 || s.Generations != 1 || s.Refused != 0 {
		t.Errorf("dry: %+v, %+v", dry[0], s)
	}
	lines := w.batch(t, "", body, as(shopKey))
	if s := lines[2].Summary; lines[0].Outcome != "composed" || s.Hits != 1 || s.Generated != 1 || s.Failed != 0 {
		t.Errorf("%+v, %+v", lines[0], s)
	}
}

func TestABatchHasAtMostSoManyLines(t *testing.T) {
	w := newFastWorld(t)
	const line = `{"path":"p"}`
	lines := w.batch(t, "", strings.Repeat(line+"\n", 100_001))
	if len(lines) != 100_001 || lines[99_999].Line != 100_000 || lines[100_000].Line != 0 || lines[100_000].Error == nil {
		t.Errorf("%d lines, the last %+v", len(lines), lines[len(lines)-1])
	}
	if got := told(w.batch(t, "", "["+strings.Repeat(line+",", 99_999)+line+"]")[100_000:]); got != "sum 100000/100000/0/0/0" {
		t.Error(got)
	}
}

// TestABatchSparesMemory says so when it begins and when it has ended.
func TestABatchSparesMemory(t *testing.T) {
	w := newWorld(t)
	var said []bool
	w.config.SpareMemory = func(from bool) { said = append(said, from) }
	w.listen()
	w.batch(t, "", `[{"path":"p"}]`, as(shopKey))
	w.batch(t, "", `[{"path":"p"}]`, as(shopKey))
	if want := []bool{true, false, true, false}; !slices.Equal(said, want) {
		t.Errorf("it said %v, want %v", said, want)
	}
}
