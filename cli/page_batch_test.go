package cli_test

import (
	"encoding/csv"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// testBatch loads a file with a row that cannot be, reads what would come of it, runs it and fetches the links.
func testBatch(t *testing.T, b *browser) {
	s := serveSeen(t, t.TempDir())
	x := b.open(t, s.admin)
	x.logIn(s.key)
	x.press("Batch")
	x.load("path,query,note\n" +
		"pages/item,id=1,first\n" +
		"pages/item?id=2,,\"<img src=x onerror=alert(1)>, bad\"\n" +
		"pages/item,id=3,third\n" +
		"pages/item,id=1,first again\n")
	x.sees("Line 3")
	x.until("one row would be refused, and two links generated", `(() => {
		const facts = Object.fromEntries([...document.querySelectorAll(".facts div")].map((d) => [d.children[0].innerText, d.children[1].innerText]))
		return facts["Rows"] === "4" && facts["Refused"] === "1" && facts["To generate"] === "2"
	})()`)
	if stats := call(t, http.MethodGet, s.wx+"/sandbox/stats", ""); !strings.Contains(stats.body, `"generated":0`) {
		t.Errorf("a dry run has WeChat make links: %s", stats.body)
	}
	x.click("#batch-run")
	x.until("it asks, with the number", `document.querySelector("dialog[open]")?.innerText.includes("2")`)
	x.press("Go ahead")
	x.until("it is done", `document.querySelector("#batch-results")`)

	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(x.download("Download the results")), "\ufeff"))).ReadAll()
	if err != nil || len(rows) != 5 {
		t.Fatalf("%d rows: %v", len(rows), err)
	}
	url, wrong := column(rows, "url"), column(rows, "error")
	if !strings.HasPrefix(rows[1][url], "https://wxaurl.cn/") || rows[4][url] != rows[1][url] || rows[3][url] == rows[1][url] || rows[3][url] == "" {
		t.Errorf("the links are %q", rows)
	}
	if rows[2][url] != "" || !strings.Contains(rows[2][wrong], "?") {
		t.Errorf("the bad row is %q", rows[2])
	}
}

func column(rows [][]string, name string) int {
	for i, title := range rows[0] {
		if title == name {
			return i
		}
	}
	return 0
}

// load uploads a file on the page of batches.
func (x *tab) load(text string) {
	x.t.Helper()
	file := filepath.Join(x.t.TempDir(), "posters.csv")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		x.t.Fatal(err)
	}
	x.do("choosing a file", chromedp.SetUploadFiles("input[type=file]", []string{file}))
	x.press("Check")
	x.until("the file has been looked through", `document.querySelector("#batch-drop")`)
}
