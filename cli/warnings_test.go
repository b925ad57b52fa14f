package cli_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"linkbroker/cli"
	"linkbroker/wechat"
)

func TestWarningsAreRemembered(t *testing.T) {
	now := time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC)
	remembering, latest := cli.NewWarnings(func() time.Time { return now })
	var text bytes.Buffer
	logger := slog.New(slog.NewMultiHandler(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelError}), remembering))

	logger.Info("nothing of note")
	logger.Warn("too fast", "app", "a")
	now = now.Add(time.Minute)
	logger.With("app", "b").WithGroup("g").Error("broken", "error", errors.New("disk full"))
	now = now.Add(time.Minute)
	logger.Warn("too fast", "app", "a", "secret", wechat.Secret("hunter2"))
	logger.Warn("too fast", "app", "a")

	var told []string
	for _, w := range latest() {
		told = append(told, fmt.Sprintf("%s %v %s: %s × %d", w.At.Format("15:04"), w.Error, w.Message, w.Detail, w.Times))
	}
	want := []string{
		"04:02 false too fast: app=a × 2",
		"04:02 false too fast: app=a secret=" + fmt.Sprint(wechat.Secret("hunter2")) + " × 1",
		`04:01 true broken: app=b g.error="disk full" × 1`,
	}
	if strings.Join(told, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
	}
	if strings.Contains(strings.Join(told, ""), "hunter2") {
		t.Error("a secret is remembered")
	}
	if strings.Contains(text.String(), "too fast") || !strings.Contains(text.String(), "broken") {
		t.Errorf("the log is %q", text.String())
	}
}

func TestFewWarningsAreRemembered(t *testing.T) {
	remembering, latest := cli.NewWarnings(time.Now)
	logger := slog.New(remembering)
	for i := range 200 {
		logger.Warn("trouble", "n", i, "detail", strings.Repeat("长", 1000))
	}
	all := latest()
	if len(all) != 50 || !strings.HasPrefix(all[0].Detail, "n=199 ") || len(all[0].Detail) > 310 || strings.Contains(all[0].Detail, "\uFFFD") {
		t.Errorf("%d, the newest %q", len(all), all[0].Detail)
	}
}
