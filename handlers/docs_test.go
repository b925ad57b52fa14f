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

	"linkbroker/handlers"
)

func TestDocs(t *testing.T) {
	w := newWorld(t)
	out := w.ask("GET", "/docs", "")
	page := out.text()

	t.Run("the page has every route", func(t *testing.T) {
		for _, listener := range []string{"public", "admin"} {
			for _, r := range handlers.RoutesOf(listener) {
				heading := "<b>" + r.Method + "</b> <code>" + r.Path + "</code>"
				if !strings.HasPrefix(r.Path, "/k/") && !r.Page && !strings.Contains(page, heading) {
					t.Errorf("%s %s is missing", r.Method, r.Path)
				}
			}
		}
	})
	t.Run("the page has every field of a request", func(t *testing.T) {
		for name := range w.spec.doc.Components.Schemas["LinkRequest"].Value.Properties {
			if !strings.Contains(page, "<code>"+name+"</code>") {
				t.Errorf("field %s is missing", name)
			}
		}
	})
	t.Run("the type of a problem leads to its code", func(t *testing.T) {
		problem := w.ask("GET", "/nosuch", "").text()
		anchor := regexp.MustCompile(`"https://go.example.com/docs#([a-z_]+)"`).FindStringSubmatch(problem)
		if anchor == nil || !strings.Contains(page, `<tr id="`+anchor[1]+`">`) {
			t.Errorf("no anchor for %s", problem)
		}
	})
	t.Run("its example can be pasted", func(t *testing.T) {
		want := "curl -H &#39;Authorization: Bearer KEY&#39; -d &#39;{&#34;path&#34;:&#34;pages/index/index&#34;,&#34;query&#34;:&#34;a=1&#34;}&#39; https://go.example.com/api/v1/links"
		if !strings.Contains(page, want) {
			t.Error("no example")
		}
	})
	t.Run("its links lead somewhere", func(t *testing.T) {
		for _, link := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(page, -1) {
			if !strings.Contains(page, ` id="`+link[1]+`"`) {
				t.Errorf("#%s leads nowhere", link[1])
			}
		}
	})
	t.Run("it loads nothing and its policy forbids it", func(t *testing.T) {
		policy := out.Header().Get("Content-Security-Policy")
		style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(page)
		digest := sha256.Sum256([]byte(style[1]))
		if want := "style-src 'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) + "'"; !strings.Contains(policy, want) {
			t.Errorf("the policy %q forbids the page's own style, %s", policy, want)
		}
		if !strings.HasPrefix(policy, "default-src 'none'; ") || strings.Contains(policy, "unsafe") {
			t.Errorf("the policy is %q", policy)
		}
		for _, no := range []string{"<script", "src=", "style=", "@import", "url("} {
			if strings.Contains(page, no) {
				t.Errorf("the page has %s", no)
			}
		}
	})
	t.Run("nothing is left of the template", func(t *testing.T) {
		dec := xml.NewDecoder(strings.NewReader(page))
		dec.Strict, dec.AutoClose, dec.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
		for {
			if _, err := dec.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		for _, no := range []string{"ZgotmplZ", "{{", "<no value>"} {
			if strings.Contains(page, no) {
				t.Errorf("the page has %s", no)
			}
		}
	})
}
