package cli_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/cli"
	"linkbroker/wechat"
)

func TestEventLog(t *testing.T) {
	var log bytes.Buffer
	at := now
	observe, observeToken := cli.NewEventLog(slog.New(slog.NewTextHandler(&log, nil)), func() time.Time { return at })
	failing := errors.New("no space left")
	for _, test := range []struct {
		claim string
		after time.Duration
		tell  func()
		want  string // in the new line; empty = no line
	}{
		{"answers are not logged", 0, func() { observe(broker.Event{Name: broker.Answered, Err: failing}) }, ""},
		{"nor are calls", 0, func() { observe(broker.Event{Name: broker.CallEnded, Err: failing}) }, ""},
		{"a failing store is", 0, func() { observe(broker.Event{Name: broker.StoreFailing, Err: failing}) }, "no space left"},
		{"but once a minute", 59 * time.Second, func() { observe(broker.Event{Name: broker.StoreFailing, Err: failing}) }, ""},
		{"and then again", time.Second, func() { observe(broker.Event{Name: broker.StoreFailing, Err: failing}) }, "no space left"},
		{"another trouble does not wait", 0, func() { observe(broker.Event{Name: broker.QuotaClosed, App: "wx1"}) }, "app=wx1"},
		{"nor does another app", 0, func() { observe(broker.Event{Name: broker.QuotaClosed, App: "wx2"}) }, "app=wx2"},
		{"the pace is told", 0, func() { observe(broker.Event{Name: broker.RateLowered, App: "wx1", Rate: 75}) }, "calls_per_second=75"},
		{"a lost link is an error", 0, func() { observe(broker.Event{Name: broker.LinkLost, Err: failing}) }, "level=ERROR"},
		{"so is a link to a foreign host", 0, func() { observe(broker.Event{Name: broker.LinkRefused, App: "wx1", Err: failing}) }, "level=ERROR"},
		{"so is a defect", 0, func() { observe(broker.Event{Name: broker.Panicked, Err: failing}) }, "level=ERROR"},
		{"a token that came is not logged", 0, func() { observeToken(wechat.TokenFetch{App: "wx1"}) }, ""},
		{"one that did not is", 0, func() { observeToken(wechat.TokenFetch{App: "wx1", Err: failing}) }, "no access token is to be had"},
		{"so is one that could not be kept", 0, func() { observeToken(wechat.TokenFetch{App: "wx1", KeepErr: failing}) }, "could not be kept"},
	} {
		at = at.Add(test.after)
		log.Reset()
		test.tell()
		if lines := strings.Count(log.String(), "\n"); test.want == "" && lines != 0 || !strings.Contains(log.String(), test.want) {
			t.Errorf("%s: got %q, want %q", test.claim, log.String(), test.want)
		}
	}
}
