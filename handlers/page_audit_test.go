package handlers_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/handlers"
)

// note puts entries into the audit.
func (w *world) note(entries ...broker.AuditEntry) {
	w.t.Helper()
	for _, entry := range entries {
		if err := w.broker.Audit(w.t.Context(), entry); err != nil {
			w.t.Fatal(err)
		}
	}
}

func TestTheAuditOnThePage(t *testing.T) {
	w := newWorld(t)
	w.note(broker.AuditEntry{Actor: "ops", Address: "192.0.2.7", Action: "link.delete", Object: strings.Repeat("0a", 16), Detail: "12 links"})
	w.pass(90 * time.Second)
	w.note(broker.AuditEntry{Actor: "command", Action: "moon.land"})
	b := w.loggedIn()
	b.shows("/audit?fragment=entries",
		"2026-03-01 12:01:30 +08:00 admin logged in login 127.0.0.1 2026-03-01 12:01:30 +08:00 command moon.land – "+
			"2026-03-01 12:00:00 +08:00 ops deleted a link link.delete "+strings.Repeat("0a", 16)+" 12 links 192.0.2.7")
	for query, want := range map[string]string{
		"OPS": "ops deleted", "link.del": "ops deleted", "192.0.2.7": "ops deleted", "12 links": "ops deleted", "DELETED a": "ops deleted", "moon": "command moon.land",
	} {
		path := "/audit?fragment=entries&q=" + strings.ReplaceAll(query, " ", "+")
		b.shows(path, want)
		if n := strings.Count(b.do("GET", path, "", "").text(), "<tr><td"); n != 1 {
			t.Errorf("%q finds %d entries", query, n)
		}
	}
	b.shows("/audit?q=nothing", "Nothing like that was found here")
	if out := b.do("GET", "/audit?fragment=entries&q=%E5%88%A0%E9%99%A4", "", "", speak("zh")...); !strings.Contains(out.text(), "删除链接") {
		t.Errorf("what was done is not found in Chinese: %s", out.text())
	}
	if out := b.do("GET", "/audit?before=x", "", ""); out.Code != 400 || !strings.Contains(out.text(), "<h1>") {
		t.Errorf("%d %s", out.Code, out.text())
	}
}

var older = regexp.MustCompile(`href="(/audit\?[^"]*before=[0-9]+[^"]*)"`)

// walk gives the objects of all entries, page by page, and how many pages there are.
func (b *browser) walk(path string) (objects []string, pages int) {
	b.w.t.Helper()
	for path != "" {
		page := b.do("GET", path, "", "").text()
		for _, found := range regexp.MustCompile(`<span class="path">(object-[0-9]+)</span>`).FindAllStringSubmatch(page, -1) {
			objects = append(objects, found[1])
		}
		pages++
		path = ""
		if next := older.FindStringSubmatch(page); next != nil {
			path = strings.ReplaceAll(next[1], "&amp;", "&")
		}
	}
	return objects, pages
}

func TestTheAuditIsTurnedPageByPage(t *testing.T) {
	w := newWorld(t)
	for i := range 99 {
		w.note(broker.AuditEntry{Actor: "ops", Action: "link.pin", Object: fmt.Sprintf("object-%d", i)})
	}
	b := w.loggedIn() // the hundredth
	objects, pages := b.walk("/audit")
	if len(objects) != 99 || objects[0] != "object-98" || objects[98] != "object-0" || pages != 3 {
		t.Errorf("%d entries on %d pages: %v", len(objects), pages, objects)
	}
	objects, pages = b.walk("/audit?q=OBJECT-1")
	if len(objects) != 11 || pages != 1 {
		t.Errorf("%d entries on %d pages: %v", len(objects), pages, objects)
	}
	b.shows("/audit?before=50", "Newest")
}

// TestASearchOfALongAuditGoesOn instead of making a page wait for all of it.
func TestASearchOfALongAuditGoesOn(t *testing.T) {
	w := newWorld(t)
	w.note(broker.AuditEntry{Actor: "ops", Action: "link.pin", Object: "object-0"})
	for range 5001 {
		w.note(broker.AuditEntry{Actor: "ops", Action: "link.renew"})
	}
	b := w.loggedIn()
	b.shows("/audit?q=object-0", "Nothing like that was found here", "Older", "Looked through back to")
	if objects, pages := b.walk("/audit?q=object-0"); len(objects) != 1 || pages != 2 {
		t.Errorf("%v on %d pages", objects, pages)
	}
}

func TestHostileEntriesAreText(t *testing.T) {
	w := newWorld(t)
	const hostile = `"><script>alert(1)</script><img/src=x/onerror=alert(1)>`
	w.note(broker.AuditEntry{Actor: hostile, Address: hostile, Action: hostile, Object: hostile, Detail: hostile})
	page := w.loggedIn().do("GET", "/audit?q=%22%3E%3Cscript%3E", "", "").text()
	if strings.Contains(page, "<script>alert") || strings.Contains(page, "<img/src") || strings.Count(page, "&lt;img/src=x") != 5 {
		t.Error(page)
	}
}

func TestEveryActionHasWords(t *testing.T) {
	actions := []string{"login.failed", "store.restore"}
	for _, r := range handlers.RoutesOf("admin") {
		actions = append(actions, r.Audit)
	}
	for _, language := range []string{"en", "zh"} {
		say, ok := handlers.PageFuncs(readPages(t), language)["t"].(func(string, ...any) (string, error))
		if !ok {
			t.Fatal("t is no message")
		}
		for _, action := range actions {
			if _, err := say("did." + action); action != "" && err != nil {
				t.Errorf("%s: %v", language, err)
			}
		}
	}
}
