package cli_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// sights are all pages, by the name of their screenshot. Those of single things are of what is used most.
func (s *sandboxed) sights(t *testing.T) map[string]string {
	t.Helper()
	first := func(path, field string) string {
		var list struct{ Items []map[string]any }
		got := call(t, "GET", s.admin+path, "", bearer(s.key))
		if err := json.Unmarshal([]byte(got.body), &list); err != nil || len(list.Items) == 0 {
			t.Fatalf("%s is %s", path, got.body)
		}
		return fmt.Sprint(list.Items[0][field])
	}
	return map[string]string{
		"login":      "/login",
		"overview":   "/",
		"links":      "/links?sort=-uses",
		"link":       "/links/" + first("/api/v1/links?sort=-uses&kind=url_link&limit=1", "key"),
		"aliases":    "/aliases",
		"alias":      "/aliases/" + first("/api/v1/aliases?limit=1", "slug"),
		"alias-new":  "/aliases/new",
		"clients":    "/clients",
		"client":     "/clients/" + first("/api/v1/clients", "name"),
		"client-new": "/clients:new",
		"tester":     "/tester?path=pages/item/detail&query=id%3D4711%26from%3Dposter",
		"tester-bad": "/tester?path=pages/item/detail%3Fid%3D1&query=name%3D%E8%8C%B6",
		"batch":      "/batch",
		"audit":      "/audit",
		"settings":   "/settings",
		"error":      "/nowhere",
	}
}

// testTour looks at every page of a shop with a past, in both languages, colours and sizes.
func testTour(t *testing.T, b *browser) {
	axe := axeSource(t)
	public, admin := freeAddress(t), freeAddress(t)
	if os.Getenv("SCREENSHOTS") != "" { // on which they look alike each time
		public, admin = "127.0.0.1:8090", "127.0.0.1:8091"
	}
	s := serveSandbox(t, seeded(t, shop), public, admin)
	call(t, "POST", s.admin+"/api/v1/jobs/census:run", "", bearer(s.key))
	b.open(t, s.admin).prepare(s)
	sights := s.sights(t)
	for _, language := range []string{"en", "zh"} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			x := b.open(t, s.admin)
			x.expect("status of 404")
			x.logIn(s.key)
			for scheme, rules := range map[string]string{"light": allRules, "dark": contrast} { // all else is the same in both
				x.prefer(language, scheme)
				for sight, path := range sights {
					x.look(axe, rules, path, sight+"-"+scheme+"-"+language)
				}
				x.unrolls(axe, rules, "menu-"+scheme+"-"+language)
			}
		})
	}
}

// prepare has something to be seen on every page: a call and a warning of WeChat's, and a batch that was looked through.
func (x *tab) prepare(s *sandboxed) {
	x.t.Helper()
	x.logIn(s.key)
	s.paste(x.t, s.curl)
	call(x.t, "POST", s.wx+"/sandbox/faults", `{"fault":"rate","times":1}`)
	s.paste(x.t, curlLine{s.curl.url, s.curl.header, `{"path":"pages/item/detail","query":"id=1"}`})
	var rows strings.Builder
	rows.WriteString("path,query,shop\n")
	for n := range 240 {
		fmt.Fprintf(&rows, "pages/item/detail,id=%d,%d\n", 1000+37*n/2, n%7)
	}
	rows.WriteString("pages/item/detail?id=7,,3\npages/event/signup,name=茶会,5\n")
	x.visit("/batch")
	x.load(rows.String())
}

// prefer sets the cookies that the switches set.
func (x *tab) prefer(language, scheme string) {
	x.t.Helper()
	for name, value := range map[string]string{"lang": language, "scheme": scheme} {
		command(x, network.SetCookie, network.SetCookieParams{Name: name, Value: value, URL: x.base})
	}
}

// forReadme are the four pictures of the README, by the file that they are written to.
var forReadme = map[string]string{
	"overview-light-en-1280": "overview.png", "links-dark-en-1280": "links.png", "alias-light-zh-1280": "alias.png", "overview-dark-zh-390": "phone.png",
}

// look looks at a page: as a laptop shows it, as a phone does, and through axe's eyes.
func (x *tab) look(axe, rules, path, name string) {
	x.t.Helper()
	x.wide()
	x.visit(path)
	x.shoot(name, "1280")
	x.unfold()
	x.isAccessible(axe, rules, name)
	for _, no := range []string{"%!", "{{", "<no value>", "ZgotmplZ", "NaN"} {
		if strings.Contains(eval[string](x, "document.documentElement.outerHTML"), no) {
			x.t.Errorf("%s has %s", name, no)
		}
	}
	x.narrow()
	x.fits(name)
	x.do("reloading", chromedp.Reload())
	x.shoot(name, "390")
	x.isFine()
}

// unrolls opens the menu of a phone.
func (x *tab) unrolls(axe, rules, name string) {
	x.t.Helper()
	x.visit("/")
	x.click(".menu")
	x.until("the menu is there", `document.querySelector("#side").matches(":popover-open")`)
	x.isAccessible(axe, rules, name)
	x.shoot(name, "390")
	x.click(`#side a[href="/links"]`)
	x.isAt("/links")
}

// unfold shows what is folded away.
func (x *tab) unfold() {
	x.t.Helper()
	eval[*struct{}](x, `document.querySelectorAll("details").forEach((d) => { d.open = true })`)
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

// Rules of axe.
const (
	allRules = `undefined`
	contrast = `["color-contrast"]`
)

// isAccessible has axe look for whatever it knows of, minor things too. It comes by the browser's protocol, past the page's policy.
func (x *tab) isAccessible(axe, rules, name string) {
	x.t.Helper()
	eval[*struct{}](x, axe+"; null")
	found := eval[[]struct {
		ID, Impact, Help string
		Nodes            []string
	}](x, `axe.run(document, { resultTypes: ["violations"], runOnly: `+rules+` }).then((r) => r.violations.map((v) => ({
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
	name += "-" + width
	keep := func(file string, beyond bool) {
		shot := command(x, cdppage.CaptureScreenshot, cdppage.CaptureScreenshotParams{CaptureBeyondViewport: &beyond})
		if err := os.WriteFile(filepath.Join(dir, file), shot.Data, 0o600); err != nil {
			x.t.Fatal(err)
		}
	}
	keep(name+".png", true)
	if file, chosen := forReadme[name]; chosen {
		keep(file, false)
	}
}
