package cli_test

import (
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// testPreferences has a browser that speaks Chinese, and a user who wants it otherwise.
func testPreferences(t *testing.T, b *browser) {
	s := serveSeen(t, t.TempDir())
	x := b.open(t, s.admin)
	command(x, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": "zh-CN,zh;q=0.9"}})
	x.visit("/login")
	x.isIn("zh", "登录")
	x.press("English")
	x.isIn("en", "Log in")
	x.logIn(s.key)
	x.isIn("en", "Overview")
	x.press("中文")
	x.isIn("zh", "概览")
	x.do("reloading", chromedp.Reload())
	x.isIn("zh", "概览")

	for system, paper := range map[string]string{"light": "rgb(245, 246, 245)", "dark": "rgb(16, 19, 20)"} {
		command(x, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: system}},
		})
		x.isColoured("auto", paper)
	}
	x.press("浅色")
	x.isColoured("light", "rgb(245, 246, 245)")
	x.press("深色")
	x.isColoured("dark", "rgb(16, 19, 20)")
	x.do("reloading", chromedp.Reload())
	x.isColoured("dark", "rgb(16, 19, 20)")
	x.isIn("zh", "概览")
}

func (x *tab) isIn(language, word string) {
	x.t.Helper()
	x.until("it is in "+language, `document.documentElement.lang === "`+language+`"`)
	x.sees(word)
}

func (x *tab) isColoured(scheme, paper string) {
	x.t.Helper()
	x.until("its colours are "+scheme+" on "+paper, `document.documentElement.dataset.scheme === "`+scheme+`" &&
		getComputedStyle(document.body).backgroundImage.includes("`+paper+`") || getComputedStyle(document.body).backgroundColor === "`+paper+`"`)
}
