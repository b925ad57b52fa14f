package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
)

// sights are all pages, by the name of their screenshot.
func (s *sandboxed) sights(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{
		"login":    "/login",
		"overview": "/",
		"error":    "/nowhere",
	}
}

// testTour looks at every page of a shop with a past, in both languages, colours and sizes.
func testTour(t *testing.T, b *browser) {
	axe := axeSource(t)
	s := serveSeen(t, seeded(t, shop))
	call(t, "POST", s.admin+"/api/v1/jobs/census:run", "", bearer(s.key))
	sights := s.sights(t)
	for _, language := range []string{"en", "zh"} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			x := b.open(t, s.admin)
			x.expect("status of 404")
			x.logIn(s.key)
			for _, scheme := range []string{"light", "dark"} {
				x.prefer(language, scheme)
				for name, path := range sights {
					x.look(axe, path, fmt.Sprintf("%s-%s-%s", name, scheme, language))
				}
			}
		})
	}
}

// prefer sets the cookies that the switches set.
func (x *tab) prefer(language, scheme string) {
	x.t.Helper()
	for name, value := range map[string]string{"lang": language, "scheme": scheme} {
		command(x, network.SetCookie, network.SetCookieParams{Name: name, Value: value, URL: x.base})
	}
}

// look looks at a page: as a laptop shows it, as a phone does, and through axe's eyes.
func (x *tab) look(axe, path, name string) {
	x.t.Helper()
	x.wide()
	x.visit(path)
	x.isAccessible(axe, name)
	x.shoot(name, "1280")
	x.narrow()
	x.fits(name)
	x.shoot(name, "390")
	x.isFine()
}

// axeSource is axe-core, which npm installs.
func axeSource(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "axe"))); err != nil {
		t.Fatal(err)
	}
	fetch(t, dir, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	source, err := os.ReadFile(filepath.Join(dir, "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}

// isAccessible has axe look for whatever it knows of, minor things too. It comes by the browser's protocol, past the page's policy.
func (x *tab) isAccessible(axe, name string) {
	x.t.Helper()
	eval[*struct{}](x, axe+"; null")
	found := eval[[]struct {
		ID, Impact, Help string
		Nodes            []string
	}](x, `axe.run(document, { resultTypes: ["violations"] }).then((r) => r.violations.map((v) => ({
		ID: v.id, Impact: v.impact, Help: v.help, Nodes: v.nodes.map((n) => n.html + " " + n.any.map((c) => c.message).join(" ")),
	})))`)
	for _, v := range found {
		x.t.Errorf("%s: %s, %s: %s\n%s", name, v.Impact, v.ID, v.Help, strings.Join(v.Nodes[:min(len(v.Nodes), 5)], "\n"))
	}
}

// fits sees that a page is no wider than the window.
func (x *tab) fits(name string) {
	x.t.Helper()
	wide := eval[[]string](x, `(() => {
		const root = document.documentElement
		if (root.scrollWidth <= innerWidth && innerWidth === 390) return []
		const scrolled = (e) => e && (getComputedStyle(e).overflowX !== "visible" || scrolled(e.parentElement))
		return [root.scrollWidth + " of " + innerWidth + " pixels", ...[...document.querySelectorAll("body *")]
			.filter((e) => e.getBoundingClientRect().right > 390 && !scrolled(e.parentElement)).map((e) => e.outerHTML.slice(0, 200)).slice(0, 5)]
	})()`)
	if len(wide) > 0 {
		x.t.Errorf("%s is wider than a phone: %s", name, strings.Join(wide, "\n"))
	}
}

// shoot keeps a picture of the whole page in the folder that SCREENSHOTS names, if it does.
func (x *tab) shoot(name, width string) {
	x.t.Helper()
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		return
	}
	shot := command(x, cdppage.CaptureScreenshot, cdppage.CaptureScreenshotParams{CaptureBeyondViewport: new(true)})
	if err := os.WriteFile(filepath.Join(dir, name+"-"+width+".png"), shot.Data, 0o600); err != nil {
		x.t.Fatal(err)
	}
}
