package cli_test

import (
	"encoding/csv"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"linkbroker/broker"
)

// Texts that want to be more. Those for paths are what a path may be, printable and without a blank.
var (
	hostilePaths = []string{
		`pages/<script>window.__pwned=1</script>`,
		`pages/"><img/src=x/onerror=window.__pwned=2>`,
		`pages/{{.}}{{printf"%v".}}`,
		`pages/'-alert(1)-'`,
		`javascript:window.__pwned=3`,
		`pages/` + strings.Repeat("W", 1000),
	}
	hostileQueries = []string{`a=');window.__pwned=4;//`, `%3Cscript%3Ewindow.__pwned=5%3C/script%3E`, `a=` + strings.Repeat("W", 1000)}
	hostileTexts   = []string{
		`<script>window.__pwned=6</script>`, `"><img src=x onerror=alert(7)>`, `{{.}}`, "\u202edlrow olleh\u202c", `</title><svg onload=alert(8)>`,
		`javascript:alert(9)`,
	}
)

// hostile is a store in which they stand wherever a stranger's text can.
func hostile(s *seed) {
	var links []broker.Link
	for i, path := range hostilePaths {
		for j, query := range hostileQueries {
			link := s.link(broker.Target{Path: path, Query: query, Scope: hostileTexts[(i+j)%len(hostileTexts)]}, time.Duration(i+j)*time.Hour)
			link.AskedBy = hostileTexts[i%len(hostileTexts)]
			link.URL = "https://wxaurl.cn/" + s.name(9) + hostilePaths[i][6:min(len(hostilePaths[i]), 200)]
			links = append(links, link.Touched(broker.Use{Count: 1000, UsedAt: s.now}))
		}
	}
	s.put(links)
	for i, text := range hostileTexts {
		s.alias(broker.Alias{Slug: "hostile-" + string(rune('a'+i)), Title: text, Tags: []string{text}, Target: broker.Target{Path: hostilePaths[i], Query: hostileQueries[0]}})
		s.audit(text, text, hostilePaths[i])
		s.audit("ops", "link.delete", hostilePaths[len(hostilePaths)-1])
		s.hour(s.now.Truncate(time.Hour), broker.CallsOf+sandboxApp, map[string]uint64{text: 10})
	}
	s.client(broker.Client{Name: strings.Repeat("W", 64), Role: broker.RoleRead, Grant: broker.Grant{
		Paths: []broker.PathRule{{Path: hostilePaths[0], AnyQuery: true}},
	}})
}

// testHostile looks at every page of that store, and asks for pages with such texts.
func testHostile(t *testing.T, b *browser) {
	s := serveSeen(t, seeded(t, hostile))
	call(t, "POST", s.admin+"/api/v1/jobs/census:run", "", bearer(s.key))
	x := b.open(t, s.admin)
	x.expect("status of 4")
	x.logIn(s.key)
	x.narrow()
	for name, path := range s.sights(t) {
		if name == "login" { // it is not shown to who is logged in
			continue
		}
		x.visit(path)
		x.fits(name)
		x.isFine()
	}
	for _, path := range []string{"/links?sort=-uses&limit=50", "/aliases", "/audit"} {
		x.visit(path)
		for _, text := range []string{hostileTexts[0], hostileTexts[1], hostileTexts[2]} {
			x.shows(text, path)
		}
	}
	for _, text := range append(slices.Clone(hostileTexts), hostilePaths[0], hostilePaths[len(hostilePaths)-1], "100% &amp; \x00\xff") {
		escaped := url.QueryEscape(text)
		for _, path := range []string{
			"/login?next=", "/links?q=", "/links?sort=", "/links?asked_by=", "/links?cursor=", "/aliases?q=", "/aliases?tag=", "/audit?actor=",
			"/?fragment=", "/tester?path=", "/tester?query=", "/tester?path=pages/a&client=", "/clients/", "/links/", "/aliases/", "/nowhere/",
		} {
			x.visit(path + strings.ReplaceAll(escaped, "+", "%20"))
		}
		x.isFine()
	}
	x.typesHostile()
}

// typesHostile writes such texts where they are looked at while they are typed.
func (x *tab) typesHostile() {
	x.t.Helper()
	for _, field := range []struct{ page, name, shown string }{
		{"/links", "q", "#rows"},
		{"/aliases", "q", "#rows"},
		{"/audit", "q", "#entries"},
		{"/settings", "q", "#settings"},
		{"/tester", "path", "#plan"},
		{"/tester", "query", "#plan"},
		{"/aliases/new", "path", "#lint"},
		{"/aliases/new", "query", "#lint"},
	} {
		x.visit(field.page)
		for _, text := range hostileTexts {
			x.write("[name="+field.name+"]", text)
		}
		x.until("it is looked at", `!document.querySelector("`+field.shown+`").classList.contains("stale-data")`)
		x.isFine()
	}
	var rows strings.Builder
	sheet := csv.NewWriter(&rows)
	if err := sheet.Write([]string{"path", "query", hostileTexts[0]}); err != nil {
		x.t.Fatal(err)
	}
	for _, text := range hostileTexts {
		if err := sheet.WriteAll([][]string{{text, "a", text}, {"pages/a", text, text}}); err != nil {
			x.t.Fatal(err)
		}
	}
	x.visit("/batch")
	x.load(rows.String())
	x.fits("batch")
}

// shows waits for a text to stand on a page as it is.
func (x *tab) shows(text, where string) {
	x.t.Helper()
	if !strings.Contains(eval[string](x, "document.body.textContent"), text) {
		x.t.Errorf("%s does not show %s", where, text)
	}
}
