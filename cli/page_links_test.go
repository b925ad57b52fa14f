package cli_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"

	"linkbroker/broker"
)

// manyLinks are a hundred thousand, and fewer where the program watches for races, which makes it ten times slower.
func manyLinks() int {
	if len(buildFlags) > 0 {
		return 10_000
	}
	return 100_000
}

// many is a store with many links, of which a few are told apart.
func many(s *seed) {
	links := make([]broker.Link, 0, manyLinks())
	for n := range manyLinks() - 3 {
		link := s.link(broker.Target{Path: fmt.Sprintf("pages/section%d/item", n%50), Query: fmt.Sprintf("id=%06d", n)}, time.Duration(n)*20*time.Second)
		links = append(links, link.Touched(broker.Use{Count: uint64(n % 1000), UsedAt: s.now.Add(-time.Hour)}))
	}
	for n := range 3 {
		link := s.link(broker.Target{Path: "pages/needle/in-the-haystack", Query: fmt.Sprintf("n=%d", n)}, time.Hour)
		links = append(links, link.Touched(broker.Use{Count: uint64(100_000 + n), UsedAt: s.now.Add(-time.Minute)}))
	}
	s.put(links)
}

// testLinks finds links among many, and acts on them.
func testLinks(t *testing.T, b *browser) {
	began := time.Now()
	dir := seeded(t, many)
	t.Logf("%d links were put in %s", manyLinks(), time.Since(began).Round(time.Millisecond))
	s := serveSeen(t, dir)
	x := b.open(t, s.admin)
	x.logIn(s.key)
	x.visit("/")
	x.click("#run-census")
	x.sees("Census is done.")
	x.press("Links")
	x.sees(fmt.Sprintf("%d,000 links", manyLinks()/1000))
	x.has(50, "tbody tr")

	eval[string](x, `window.untouched = "no reload"`)
	began = time.Now()
	x.do("typing", chromedp.SendKeys("input[name=q]", "haystack"))
	x.has(3, "tbody tr")
	t.Logf("a search among them took %s from the first key on", time.Since(began).Round(time.Millisecond))
	x.until("the search stands in the address", `location.search === "?q=haystack&sort=expires&limit=50"`)
	if eval[string](x, `window.untouched`) != "no reload" {
		t.Error("a search loads the page anew")
	}
	x.write("input[name=q]", "no such page")
	x.sees("No link")

	x.visit("/links?sort=-uses")
	x.until("what is used most comes first", `document.querySelector("tbody tr").innerText.includes("n=2")`)
	x.press("Next page")
	x.until("the next page shows others", `location.search.includes("cursor=") && !document.querySelector("table").innerText.includes("haystack")`)
	x.press("First page")
	x.until("and the first the first again", `document.querySelector("tbody tr").innerText.includes("n=2")`)

	x.copies()
	x.actsOnOne(s)
	x.actsOnSelected()
	if got := call(t, http.MethodGet, s.admin+"/api/v1/links?q=haystack", "", bearer(s.key)); strings.Contains(got.body, "haystack") {
		t.Errorf("what was deleted is still there: %s", got.body)
	}
}

// copies takes a link along.
func (x *tab) copies() {
	x.t.Helper()
	for _, name := range []string{"clipboard-read", "clipboard-write"} {
		if _, err := chromedp.CallBrowser(x.ctx, cdpbrowser.SetPermission, cdpbrowser.SetPermissionParams{
			Permission: &cdpbrowser.PermissionDescriptor{Name: name}, Setting: cdpbrowser.PermissionSettingGranted,
			BrowserContextID: chromedp.FromContext(x.ctx).BrowserContextID,
		}); err != nil {
			x.t.Fatal(err)
		}
	}
	x.click("tbody [data-copy]")
	x.sees("Copied")
	if got, want := eval[string](x, "navigator.clipboard.readText()"), eval[string](x, `document.querySelector("tbody [data-copy]").dataset.copy`); got != want {
		x.t.Errorf("copied was %q, not %q", got, want)
	}
}

// actsOnOne renews, pins, verifies and deletes one link.
func (x *tab) actsOnOne(s *sandboxed) {
	x.t.Helper()
	x.visit("/links?q=haystack&sort=-uses")
	x.click("tbody tr a.path")
	x.until("the link is shown", `document.querySelector("h1").innerText.includes("n=2")`)
	was := eval[string](x, `document.querySelector("#url").innerText`)

	x.press("Renew")
	x.until("it asks, with the number", `document.querySelector("dialog[open]")?.innerText.includes("500,000")`)
	x.press("Cancel")
	x.until("nothing was done", `!document.querySelector("dialog[open]")`)
	x.press("Renew")
	x.press("Go ahead")
	x.until("it has another link", fmt.Sprintf(`document.readyState === "complete" && document.querySelector("#url").innerText !== %q`, was))
	if stats := call(x.t, http.MethodGet, s.wx+"/sandbox/stats", ""); !strings.Contains(stats.body, `"generated":1`) {
		x.t.Errorf("WeChat was not asked once: %s", stats.body)
	}
	x.press("Pin")
	x.until("it is pinned", `document.querySelector(".head .pill.info")`)
	x.press("Verify")
	x.sees("WeChat knows the link")
	x.press("Delete")
	x.press("Go ahead")
	x.until("the list is shown", `location.pathname === "/links" && document.querySelector(".flash.good")`)
}

// actsOnSelected pins and deletes what is selected.
func (x *tab) actsOnSelected() {
	x.t.Helper()
	x.visit("/links?q=haystack")
	x.has(2, "tbody tr")
	x.until("nothing can be done without a selection", `document.querySelector("#many-delete").disabled`)
	x.click("[data-select-all]")
	x.until("two are selected", `document.querySelector("[data-selected]").innerText === "2"`)
	x.click("#many-pin")
	x.press("Go ahead")
	x.until("both are pinned", `document.querySelectorAll("tbody .pill.info").length === 2`)
	x.click("[data-select-all]")
	x.click("#many-delete")
	x.until("it asks, with the number", `document.querySelector("dialog[open]")?.innerText.includes("2")`)
	x.press("Go ahead")
	x.until("none is left", `document.querySelectorAll("tbody tr").length === 0 && document.querySelector(".flash.good")`)
}

// has waits for so many elements.
func (x *tab) has(n int, selector string) {
	x.t.Helper()
	x.until(fmt.Sprintf("there are %d %s", n, selector), fmt.Sprintf(`document.querySelectorAll(%q).length === %d`, selector, n))
}
