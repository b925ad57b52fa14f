package cli_test

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// testKeyboard never touches the mouse.
func testKeyboard(t *testing.T, b *browser) {
	s := serveSeen(t, t.TempDir())
	s.paste(t, s.curl)
	x := b.open(t, s.admin)
	x.visit("/login")
	x.until("the focus is in the field from the beginning", `document.activeElement.name === "key"`)
	x.do("writing", chromedp.KeyEvent(s.key))
	x.tabTo("Log in")
	x.enter()
	x.isAt("/")
	x.tabTo("Skip to the page")
	x.enter()
	x.until("the focus is in the page", `document.activeElement.id === "main"`)
	x.tabTo("Run Census")
	x.enter()
	x.sees("Census is done.")
	x.tabTo("Links")
	x.enter()
	x.has(1, "tbody tr")
	x.tabTo("/pages/item?id=42")
	x.enter()
	x.until("the link is shown", `document.querySelector("#url")`)
	x.tabTo("Pin")
	x.enter()
	x.until("it is pinned", `document.querySelector(".head .pill.info")`)
	was := eval[string](x, `document.querySelector("#url").innerText`)
	x.tabTo("Renew")
	x.enter()
	x.until("it asks", `document.querySelector("dialog[open]")?.contains(document.activeElement)`)
	x.do("pressing Escape", chromedp.KeyEvent(kb.Escape))
	x.until("the focus is where it was", `!document.querySelector("dialog[open]") && document.activeElement.innerText === "Renew"`)
	x.enter()
	x.tabTo("Go ahead")
	x.enter()
	x.until("it has another link", `document.readyState === "complete" && document.querySelector("#url").innerText !== "`+was+`"`)
	x.tabTo("中文")
	x.enter()
	x.isIn("zh", "链接")
	x.tabTo("退出")
	x.enter()
	x.isAt("/login")
}

// tabTo presses Tab until something of that name has the focus, which must be seen wherever it is meanwhile.
func (x *tab) tabTo(name string) {
	x.t.Helper()
	const most = 200 // presses
	for range most {
		x.do("pressing Tab", chromedp.KeyEvent(kb.Tab))
		at := eval[focused](x, `(() => {
			const e = document.activeElement, s = getComputedStyle(e), r = e.getBoundingClientRect()
			return {
				Name: (e.getAttribute("aria-label") ?? e.labels?.[0]?.innerText ?? e.innerText ?? "").trim(),
				Visible: s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2 || e === document.body,
				InView: r.width > 0 && r.bottom > 0 && r.top < innerHeight || e === document.body,
			}
		})()`)
		if !at.Visible || !at.InView {
			x.t.Errorf("on the way to %s the focus is on %q, where it is not seen", name, at.Name)
		}
		if at.Name == name {
			return
		}
	}
	x.t.Fatalf("%d times Tab do not lead to %s", most, name)
}

type focused struct {
	Name            string
	Visible, InView bool
}

func (x *tab) enter() {
	x.t.Helper()
	x.do("pressing Enter", chromedp.KeyEvent(kb.Enter))
}
