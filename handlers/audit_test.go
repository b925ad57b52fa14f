package handlers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
	"linkbroker/handlers"
)

// audit gives the whole audit, oldest first.
func (w *world) audit() []broker.AuditEntry {
	w.t.Helper()
	entries, err := w.broker.AuditLog(w.t.Context(), 0, 500)
	if err != nil {
		w.t.Fatal(err)
	}
	slices.Reverse(entries)
	return entries
}

// TestTheAuditHasWhatAdministratorsDid, and nothing of what they only looked at or failed to do.
func TestTheAuditHasWhatAdministratorsDid(t *testing.T) {
	w := newWorld(t)
	w.ask("POST", "/api/v1/links", `{"path":"p"}`, as(shopKey))
	key := w.list("").Items[0].Key
	b := w.loggedIn()
	b.login(wrongKey)
	b.cookie = nil
	b.login(adminKey)
	w.create(`{"name":"x","role":"read"}`)
	w.patch("/api/v1/clients/x", `{"role":"generate"}`)
	w.post("/api/v1/clients/x:rotate", "")
	w.administer("POST", "/api/v1/clients/x:disable")
	w.administer("POST", "/api/v1/clients/x:enable")
	w.administer("DELETE", "/api/v1/clients/x")
	w.administer("DELETE", "/api/v1/clients/x") // not there any more
	w.administer("POST", "/api/v1/links/"+key+":renew")
	w.administer("POST", "/api/v1/links/"+key+":pin")
	w.administer("DELETE", "/api/v1/links/"+key+":pin")
	w.administer("DELETE", "/api/v1/links/"+key)
	b.do("POST", "/api/v1/jobs/purge:run", "", "")
	w.administer("POST", "/api/v1/jobs/backup:run") // a conflict
	w.send(w.admin, "admin", "POST", "/api/v1/jobs/purge:run", "", []string{as(generateKey)})
	b.do("POST", "/logout", "", "")
	b.do("POST", "/logout", "", "")
	var got []string
	for _, e := range w.audit() {
		got = append(got, strings.Join([]string{e.Actor, e.Address, e.Action, e.Object}, " "))
	}
	const here, there = "127.0.0.1", "192.0.2.1"
	want := []string{
		"admin " + here + " login ", "nobody " + here + " login.failed ", "admin " + here + " login ",
		"admin " + there + " client.create x", "admin " + there + " client.update x", "admin " + there + " client.rotate x",
		"admin " + there + " client.disable x", "admin " + there + " client.enable x", "admin " + there + " client.delete x",
		"admin " + there + " link.renew " + key, "admin " + there + " link.pin " + key, "admin " + there + " link.unpin " + key,
		"admin " + there + " link.delete " + key, "admin " + here + " job.run purge", "admin " + here + " logout ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestEveryChangeIsAudited holds the table of routes: what changes something on the admin listener has an action, and
// what carries all away.
func TestEveryChangeIsAudited(t *testing.T) {
	changesNothing := []string{
		"/preferences",          // are kept by the browser
		"/aliases:preview",      // shows what would become of an alias
		"/batch", "/batch:drop", // a file is looked at, and forgotten; running it is audited
	}
	for _, r := range handlers.RoutesOf("admin") {
		if slices.Contains(changesNothing, r.Path) && r.Audit == "" {
			continue
		}
		if (r.Method != "GET" || strings.HasSuffix(r.Audit, ".export") || r.Audit == "backup.download") != (r.Audit != "") {
			t.Errorf("%s %s has the action %q", r.Method, r.Path, r.Audit)
		}
	}
	for _, r := range handlers.RoutesOf("public") {
		if r.Audit != "" {
			t.Errorf("%s %s is audited: that costs a write a request", r.Method, r.Path)
		}
	}
}

func TestTheAuditIsReadPageByPage(t *testing.T) {
	w := newWorld(t)
	for i := range 7 {
		w.create(fmt.Sprintf(`{"name":"c%d","role":"read"}`, i))
	}
	var objects []string
	address := "/api/v1/audit?limit=3"
	for range 5 {
		var page struct {
			Items      []broker.AuditEntry
			NextBefore uint64 `json:"next_before"`
		}
		out := w.administer("GET", address)
		if err := json.Unmarshal(out.Body.Bytes(), &page); err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Items {
			objects = append(objects, e.Object)
		}
		if page.NextBefore == 0 {
			break
		}
		address = fmt.Sprintf("/api/v1/audit?limit=3&before=%d", page.NextBefore)
	}
	if got := strings.Join(objects, " "); got != "c6 c5 c4 c3 c2 c1 c0" {
		t.Error(got)
	}
	for _, query := range []string{"?limit=0", "?limit=501", "?limit=x", "?before=-1", "?before=x", "?after=1"} {
		wantCode(t, w.administer("GET", "/api/v1/audit"+query), "malformed")
	}
	if out := newWorld(t).administer("GET", "/api/v1/audit"); out.text() != "{\"items\":[]}\n" {
		t.Errorf("an empty audit: %s", out.text())
	}
}

// mute is a store that takes no entry of the audit.
type mute struct{ broker.Store }

func (mute) AppendAudit(context.Context, broker.AuditEntry) error {
	return broker.Errorf(broker.StoreFailed, "the store cannot be written: %w", errDisk)
}

func TestWhatIsDoneIsAnsweredThoughTheAuditFails(t *testing.T) {
	w := newWorldWith(t, mute{cache.NewMemory()})
	if key := w.create(`{"name":"x","role":"read"}`).Key; key == "" {
		t.Error("the key is lost")
	}
	if log := w.log.String(); !strings.Contains(log, "could not be written") || !strings.Contains(log, "action=client.create") {
		t.Errorf("the log says nothing: %s", log)
	}
}

func TestWhoHangsUpIsInTheAuditAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newLiveWorld(t)
		w.ask("POST", "/api/v1/links", `{"path":"p"}`, as(shopKey))
		key := w.list("").Items[0].Key
		time.Sleep(time.Minute)
		ctx, hangUp := context.WithCancel(t.Context())
		release := make(chan struct{})
		w.weChat.mu.Lock()
		w.weChat.before = func() { hangUp(); <-release }
		w.weChat.mu.Unlock()
		w.serve(w.admin, httptest.NewRequestWithContext(ctx, "POST", "/api/v1/links/"+key+":renew", nil), as(adminKey))
		close(release)
		synctest.Wait()
		entries := w.audit()
		if len(entries) != 1 || entries[0].Action != "link.renew" || entries[0].Object != key || !strings.Contains(entries[0].Detail, "may have been done") {
			t.Errorf("the audit has %+v", entries)
		}
	})
}

func TestAnEndBeyondTheYear9999IsRefused(t *testing.T) {
	w := newWorld(t)
	w.create(`{"name":"x","role":"read"}`)
	out := w.patch("/api/v1/clients/x", `{"role":"admin","expires_at":"9999-12-31T23:59:59-10:00"}`)
	wantCode(t, out, "invalid_argument")
	if client, _ := w.clients.ByName("x"); client.Role != broker.RoleRead {
		t.Errorf("the client is changed all the same: %s", client.Role)
	}
}
