package handlers_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"

	"linkbroker/broker"
	"linkbroker/handlers"
)

const asBrowser = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"

// TestABrowserIsShownAPage goes through what a visitor can meet, in both languages.
func TestABrowserIsShownAPage(t *testing.T) {
	for name, test := range map[string]struct {
		slug             string
		status           int
		english, chinese string
		again            bool
	}{
		"nothing there":    {"absent", 404, "Nothing here", "链接无效", false},
		"nothing lives":    {"sale", 503, "Not just now", "暂时打不开", true},
		"too many guesses": {"guess", 429, "Too many tries", "尝试次数过多", true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newVisitedWorld(t)
			w.weChat.fail(upstream(broker.QuotaExhausted, 45009, "reach max api day quota limit"))
			if test.status == 429 {
				w.config.Limits = fixed(handlers.Limits{FailedAuthPerMinute: 1})
				w.listen()
				w.visit("first")
			}
			for language, title := range map[string]string{"en-GB": test.english, "zh-CN,zh;q=0.9": test.chinese} {
				out := w.visit(test.slug, asBrowser, "Accept-Language: "+language)
				h := out.Header()
				if out.Code != test.status || h.Get("Content-Type") != "text/html; charset=utf-8" || h.Get("Cache-Control") != "no-store" || h.Get("Content-Language") != language[:2] {
					t.Fatalf("%d %v", out.Code, h)
				}
				if (h.Get("Retry-After") != "") != test.again || strings.Contains(out.text(), `<a href="">`) != test.again {
					t.Errorf("when to come again: %q\n%s", h.Get("Retry-After"), out.text())
				}
				if !strings.Contains(out.text(), "<h1>"+title+"</h1>") || !strings.Contains(out.text(), `<html lang="`+language[:2]) {
					t.Errorf("no %s in\n%s", title, out.text())
				}
				wantSafePage(t, out)
			}
		})
	}
}

// wantSafePage looks for what a page could load or run, and for a policy that forbids it.
func wantSafePage(t *testing.T, out reply) {
	t.Helper()
	page, policy := out.text(), out.Header().Get("Content-Security-Policy")
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(page)
	digest := sha256.Sum256([]byte(style[1]))
	if want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"; policy != want {
		t.Errorf("the policy is %q, not %q", policy, want)
	}
	for _, no := range []string{"<script", "src=", "style=", "@import", "url(", "ZgotmplZ", "{{", "<no value>", "on="} {
		if strings.Contains(page, no) {
			t.Errorf("the page has %s", no)
		}
	}
	dec := xml.NewDecoder(strings.NewReader(page))
	dec.Strict, dec.AutoClose, dec.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// TestAPageIsForVisitorsAlone: who is no browser, and who asks for something else, is told a problem.
func TestAPageIsForVisitorsAlone(t *testing.T) {
	w := newVisitedWorld(t)
	for _, header := range []string{"Accept: */*", "Accept: application/json", "Accept: image/avif,image/webp,*/*", "Accept-Language: zh"} {
		wantCode(t, w.visit("absent", header), "not_found")
	}
	wantCode(t, w.ask("GET", "/nothing", "", asBrowser), "no_route")
	wantCode(t, w.ask("GET", "/l/sale/qr.svg?size=1", "", asBrowser), "malformed")
	wantCode(t, w.administer("GET", "/l/absent"), "no_route")
	if out := w.visit("absent/qr.png", asBrowser); out.Code != 404 || out.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("a code that is not there: %d %v", out.Code, out.Header())
	}
}
