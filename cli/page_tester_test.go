package cli_test

import (
	"net/http"
	"strings"
	"testing"
)

// testTester looks at a request before it is made, and then makes it.
func testTester(t *testing.T, b *browser) {
	s := serveSeen(t, t.TempDir())
	x := b.open(t, s.admin)
	x.logIn(s.key)
	x.press("Tester")
	x.write("input[name=path]", "pages/item?id=1")
	x.until("a ? in the path is found", `document.querySelector("#plan .pill.bad") && document.querySelector("#plan").innerText.includes("a ? at position 11")`)
	x.write("input[name=path]", "/pages/item")
	x.write("input[name=query]", "?id=1&&a=2")
	x.until("it shows the target as normalised", `document.querySelector("#plan").innerText.includes("a=2&id=1") && document.querySelector("#make")`)
	if stats := call(t, http.MethodGet, s.wx+"/sandbox/stats", ""); !strings.Contains(stats.body, `"generated":0`) {
		t.Errorf("looking has WeChat make links: %s", stats.body)
	}
	x.click("#make")
	x.until("it asks, with the number", `document.querySelector("dialog[open]")?.innerText.includes("500,000")`)
	x.press("Go ahead")
	x.until("the link is shown", `document.body.innerText.includes("https://wxaurl.cn/")`)
	if stats := call(t, http.MethodGet, s.wx+"/sandbox/stats", ""); !strings.Contains(stats.body, `"generated":1`) {
		t.Errorf("the button does not have WeChat make one link: %s", stats.body)
	}
	x.visit("/tester?path=pages/item&query=a=2%26id=1")
	x.until("it is a hit now", `document.querySelector("#plan .pill.good") && !document.querySelector("#make")`)
}
