package handlers_test

import (
	"html/template"
	"strings"
	"testing"
	"time"

	"linkbroker/handlers"
)

// written gives what a template makes of a value, in a language, at the beginning of the world.
func written(t *testing.T, language, text string, value any) string {
	t.Helper()
	funcs := handlers.PageFuncs(readPages(t), language)
	var out strings.Builder
	if err := template.Must(template.New("").Funcs(funcs).Parse(text)).Execute(&out, value); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestHowMomentsAreWritten(t *testing.T) {
	const day = 24 * time.Hour
	for _, test := range []struct {
		after        time.Duration // the beginning
		text, en, zh string
	}{
		{0, "{{ago .}}", "just now", "刚刚"},
		{900 * time.Millisecond, "{{ago .}}", "just now", "刚刚"},
		{-time.Second, "{{ago .}}", "1 s ago", "1 秒前"},
		{-119 * time.Second, "{{ago .}}", "1 min ago", "1 分钟前"},
		{-26 * time.Hour, "{{ago .}}", "1 d ago", "1 天前"},
		{90 * time.Minute, "{{ago .}}", "in 1 h", "1 小时后"},
		{90 * time.Minute, "{{left .}}", "1 h 30 min", "1 小时 30 分钟"},
		{29*day + 23*time.Hour + 59*time.Minute, "{{left .}}", "29 d 23 h", "29 天 23 小时"},
		{2 * day, "{{left .}}", "2 d", "2 天"},
		{500 * time.Millisecond, "{{left .}}", "0 s", "0 秒"},
		{0, "{{left .}}", "dead", "已失效"},
		{-day, "{{left .}}", "dead", "已失效"},
		{1000 * day, "{{left .}}", "1,000 d", "1,000 天"},
		{time.Minute, "{{moment .}}", "2026-03-01 12:01", "2026-03-01 12:01"},
	} {
		at := beginning.Add(test.after)
		exact := `<time datetime="` + at.Format(time.RFC3339) + `" title="` + at.Add(8*time.Hour).Format("2006-01-02 15:04:05") + ` +08:00">`
		for language, want := range map[string]string{"en": test.en, "zh": test.zh} {
			if got := written(t, language, test.text, at); got != exact+want+"</time>" {
				t.Errorf("%s of %s: %s, want %s%s", test.text, test.after, got, exact, want)
			}
		}
	}
	if got := written(t, "en", "{{ago .}}", time.Time{}); got != "never" {
		t.Error(got)
	}
}

func TestHowNumbersAreWritten(t *testing.T) {
	for text, want := range map[string]string{
		`{{number 1234567}}`: "1,234,567", `{{number 1.25}}`: "1.2", `{{whole 1999.6}}`: "2,000", `{{round 2.5}}`: "3",
		`{{percent 0.0}}`: "0%", `{{percent 1.0}}`: "100%", `{{percent 0.98765}}`: "98.8%", `{{percent 0.9999}}`: "100.0%",
		`{{bytes 0}}`: "0 B", `{{bytes 1536}}`: "1.5 KiB", `{{bytes 3758096384}}`: "3.5 GiB",
		`{{t "traffic.requests" 1}}`: "1 request", `{{t "traffic.requests" 0}}`: "0 requests", `{{t "traffic.requests" 12345}}`: "12,345 requests",
		`{{rich "login.hint"}}`: "A key of a client with the role admin: of the configuration, or made by <code>linkbroker keys create</code>.",
	} {
		if got := written(t, "en", text, nil); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	for took, want := range map[time.Duration]string{
		0: "0 ms", 3 * time.Microsecond: "&lt; 1 ms", 42 * time.Millisecond: "42 ms", 1549 * time.Millisecond: "1.5 s", 135 * time.Second: "2 min 15 s",
	} {
		if got := written(t, "en", "{{took .}}", took); got != want {
			t.Errorf("%s: %q, want %q", took, got, want)
		}
	}
}

func TestAMessageThatIsNotThereIsAnError(t *testing.T) {
	funcs := handlers.PageFuncs(readPages(t), "en")
	err := template.Must(template.New("").Funcs(funcs).Parse(`{{t "no.such"}}`)).Execute(new(strings.Builder), nil)
	if err == nil {
		t.Error("no error")
	}
}

// BenchmarkOverview is the server's part of a first look.
func BenchmarkOverview(b *testing.B) {
	w := newFastWorld(b)
	for b.Loop() {
		if out := w.administer("GET", "/"); out.Code != 200 {
			b.Fatal(out.Code)
		}
	}
}
