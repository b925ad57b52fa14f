package handlers_test

import (
	"strings"
	"testing"
	"time"

	"linkbroker/handlers"
)

func TestTheSettings(t *testing.T) {
	w := newWorld(t)
	w.config.Settings = func() []handlers.Setting {
		return []handlers.Setting{
			{Path: "listen", Value: "127.0.0.1:8080", Source: "--listen"},
			{Path: "tls.cert_file", Source: "default"},
			{Path: "deadline", Value: "4s", Source: "default"},
			{Path: "apps[0].appid", Value: appA, Source: "config.yaml:3"},
			{Path: "apps[0].secret", Secret: true, Source: "config.yaml:4"},
			{Path: "apps[0].rate", Value: "100", Source: "LINKBROKER_APPS_0_RATE", Pending: true, Next: "150"},
			{Path: "clients[0].name", Value: `<script>alert(1)</script>`, Source: `<img/src=x>`},
		}
	}
	w.config.System = func() handlers.System {
		return handlers.System{Store: "bolt://data/links.db", StoreBytes: 3 << 20, MemoryLinks: 12, MemoryMost: 100_000, StartedAt: w.now.Add(-26 * time.Hour)}
	}
	w.config.Backups = &backups{kept: []handlers.Backup{{Name: "links-20260301T030000Z.db", At: w.now.Add(-time.Hour), Bytes: 2048}}}
	w.listen()
	b := w.loggedIn()
	b.shows("/settings?fragment=system", "v1.2.3 abcdef", "1 d 2 h since 2026-02-28 10:00", "bolt://data/links.db 3 MiB", "12 of 100,000 at most", "Links in the store –")
	b.shows("/settings", "links-20260301T030000Z.db 1 h ago 2 KiB", "holds the key that signs tokens and the digests of clients", "Download a fresh backup", "The job that makes them")
	b.shows("/settings?fragment=settings",
		"General Setting Value Set in listen 127.0.0.1:8080 --listen 1 default Setting Value Set in deadline 4s default",
		"tls 1 default", "apps[0] · "+appA, "apps[0].secret set, not shown config.yaml:4", "apps[0].rate 100 after a restart 150 LINKBROKER_APPS_0_RATE")
	for query, want := range map[string]string{"RATE": "apps[0].rate", "4s": "deadline", "yaml:4": "apps[0].secret", appA + "&x": "apps[0].appid"} {
		b.shows("/settings?fragment=settings&q="+query, want)
		if part := b.do("GET", "/settings?fragment=settings&q="+query, "", "").text(); strings.Contains(part, "127.0.0.1:8080") {
			t.Errorf("%s finds everything", query)
		}
	}
	b.shows("/settings?q=moon", "No setting is like that")
	page := b.do("GET", "/settings?q=%3Cscript%3Ealert", "", "").text()
	if strings.Contains(page, "<script>alert") || strings.Contains(page, "<img/src") || !strings.Contains(page, "&lt;script&gt;alert(1)") {
		t.Error("a value is no text")
	}
	w.takeCensus()
	b.shows("/settings?fragment=system", "Links in the store 0")
}

func TestSettingsOfAStoreInMemory(t *testing.T) {
	w := newWorld(t)
	w.config.Backups = nil
	w.listen()
	b := w.loggedIn()
	b.shows("/settings", "The store is in memory", "No setting is like that")
	if page := b.do("GET", "/settings", "", "").text(); strings.Contains(page, "/api/v1/backup") {
		t.Error("it offers a backup that there cannot be")
	}
}

func TestSettingsOfAStoreThatIsShared(t *testing.T) {
	w := newWorld(t)
	w.config.Backups = nil
	w.config.System = func() handlers.System {
		return handlers.System{Store: "redis://:xxxxx@redis.internal:6379", Shared: true, StartedAt: w.now}
	}
	w.listen()
	b := w.loggedIn()
	b.shows("/settings", "in Redis, which keeps its own backups")
	if page := b.do("GET", "/settings", "", "").text(); strings.Contains(page, "is in memory") || strings.Contains(page, "/api/v1/backup") {
		t.Error("it tells of a store in memory, or offers a backup that there cannot be")
	}
}

func TestBackupsThatCannotBeListed(t *testing.T) {
	w := newWorld(t)
	w.config.Backups = &backups{fails: errDisk}
	w.listen()
	if out := w.loggedIn().do("GET", "/settings", "", ""); out.Code != 503 || strings.Contains(out.text(), "/var/lib") {
		t.Errorf("%d %s", out.Code, out.text())
	}
}
