package sandbox

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
)

// What the kinds of link begin with, before their ticket. The host is WeChat's; /t/{ticket} shows the same link here.
const (
	linkPrefix   = "https://wxaurl.cn/"
	schemePrefix = "weixin://dl/business/?t="
	shortPrefix  = "#小程序://"
)

// The kinds of link.
const (
	urlLink   = "url_link"
	scheme    = "scheme"
	shortLink = "short_link"
)

func newTicket() string { return rand.Text()[:11] }

// link is one generated link, as it is remembered.
type link struct {
	Number    int             `json:"number"` // of all that were ever made, from 1
	Ticket    string          `json:"ticket"`
	Kind      string          `json:"kind,omitempty"` // empty = url_link
	Title     string          `json:"title,omitempty"`
	App       string          `json:"app"`
	Path      string          `json:"path,omitempty"`
	Query     string          `json:"query,omitempty"`
	Env       string          `json:"env"`
	Created   int64           `json:"created"` // Unix seconds, as Expires
	Expires   int64           `json:"expires"` // 0 = never
	CloudBase json.RawMessage `json:"cloud_base,omitempty"`

	Day  string `json:"day"`  // its quota day
	Used int    `json:"used"` // the day's URL Links and schemes of the app, up to this one

	Short     int `json:"short,omitempty"`     // the day's short links, and
	Permanent int `json:"permanent,omitempty"` // all permanent ones, up to this one
}

// url is the link as WeChat hands it out.
func (l *link) url() string {
	switch l.Kind {
	case scheme:
		return schemePrefix + l.Ticket
	case shortLink:
		return shortPrefix + cmp.Or(l.Title, "Fake") + "/" + l.Ticket
	default:
		return linkPrefix + l.Ticket
	}
}

// links remembers the newest links: a ring of slots, in which a new link takes the place of the oldest.
type links struct {
	slots    []*link
	byTicket map[string]*link
	number   int
}

func newLinks(most int) *links {
	return &links{slots: make([]*link, cmp.Or(most, 4096)), byTicket: map[string]*link{}}
}

func (ls *links) add(l *link) {
	ls.number++
	l.Number = ls.number
	ls.put(l)
}

func (ls *links) put(l *link) {
	slot := l.Number % len(ls.slots)
	if old := ls.slots[slot]; old != nil {
		delete(ls.byTicket, old.Ticket)
	}
	ls.slots[slot] = l
	ls.byTicket[l.Ticket] = l
}

// State is where a fake WeChat keeps what a restart must not lose. A missing name is any error.
type State interface {
	Blob(ctx context.Context, name string) ([]byte, error)
	PutBlob(ctx context.Context, name string, value []byte) error
}

// blobName names the place of a slot in the state. Each link is written once, alone, with the day's count in it: no
// second record has to be kept in step.
func blobName(slot int) string { return fmt.Sprintf("sandbox-link-%04d", slot) }

// keep writes a link. A failure is counted and otherwise passed over: WeChat has answered for its link.
func (w *WeChat) keep(ctx context.Context, l *link) {
	if w.state == nil || l == nil {
		return
	}
	if err := w.state.PutBlob(ctx, blobName(l.Number%len(w.links.slots)), encode(l)); err != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.stats.StateFailures++
	}
}

// restore reads all slots; those missing or unreadable are empty.
func (w *WeChat) restore(ctx context.Context) {
	if w.state == nil {
		return
	}
	for slot := range w.links.slots {
		value, err := w.state.Blob(ctx, blobName(slot))
		if err != nil {
			continue
		}
		var l link
		if json.Unmarshal(value, &l) != nil || l.Number%len(w.links.slots) != slot {
			continue
		}
		w.links.put(&l)
		w.links.number = max(w.links.number, l.Number)
		if a, known := w.apps[l.App]; known {
			a.recount(&l)
		}
	}
}

// recount brings an app's counts up to those of one of its links.
func (a *app) recount(l *link) {
	a.permanent = max(a.permanent, l.Permanent)
	switch {
	case l.Day > a.day:
		a.day, a.used, a.short = l.Day, l.Used, l.Short
	case l.Day == a.day:
		a.used, a.short = max(a.used, l.Used), max(a.short, l.Short)
	}
}
