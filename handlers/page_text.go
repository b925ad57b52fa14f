package handlers

import (
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"math"
	"time"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/message/catalog"
	decimals "golang.org/x/text/number"

	"linkbroker/broker"
)

// texts is all text of the admin page in one language, and how that language writes numbers and moments.
type texts struct {
	language broker.Language
	printer  *message.Printer
	known    map[string]bool
	zone     *time.Location
	clock    broker.Clock
}

// text is a message: a format of fmt, or one for each plural form of its first argument.
type text struct {
	Zero, One, Other string
}

// UnmarshalJSON takes a string for a message without plural forms.
func (t *text) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &t.Other)
	}
	type forms text // without this method
	return json.Unmarshal(data, (*forms)(t))
}

func (t text) message() catalog.Message {
	cases := []any{}
	if t.Zero != "" {
		cases = append(cases, "=0", t.Zero)
	}
	if t.One != "" {
		cases = append(cases, "one", t.One)
	}
	if len(cases) == 0 {
		return catalog.String(t.Other)
	}
	return plural.Selectf(1, "%d", append(cases, "other", t.Other)...)
}

// readTexts reads messages/en.json and zh.json.
func readTexts(files fs.FS, zone *time.Location, clock broker.Clock) (map[broker.Language]texts, error) {
	all := make(map[broker.Language]texts)
	for language, tag := range map[broker.Language]language.Tag{broker.English: language.English, broker.Chinese: language.Chinese} {
		name := "messages/" + string(language) + ".json"
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		var messages map[string]text
		if err := json.Unmarshal(data, &messages); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		builder, known := catalog.NewBuilder(), make(map[string]bool, len(messages))
		for key, text := range messages {
			if err := builder.Set(tag, key, text.message()); err != nil {
				return nil, fmt.Errorf("%s: %s: %w", name, key, err)
			}
			known[key] = true
		}
		all[language] = texts{language, message.NewPrinter(tag, message.Catalog(builder)), known, zone, clock}
	}
	return all, nil
}

// funcs are what templates call.
func (t texts) funcs() template.FuncMap {
	return template.FuncMap{
		"t": t.text,
		"rich": func(key string, args ...any) (template.HTML, error) {
			s, err := t.text(key, args...)
			return inline(s), err
		},
		"number":  t.number,
		"whole":   func(n float64) string { return t.number(math.Round(n)) },
		"round":   func(n float64) int64 { return int64(math.Round(n)) },
		"percent": t.percent,
		"bytes":   t.bytes,
		"took":    t.took,
		"ago":     t.ago,
		"left":    t.left,
		"moment":  t.moment,
		"exact":   t.exact,
		"bar":     bar,
	}
}

// text gives a message. rich is the same with what stands between backquotes as code.
func (t texts) text(key string, args ...any) (string, error) {
	if !t.known[key] {
		return "", fmt.Errorf("there is no message %q", key)
	}
	return t.printer.Sprintf(key, args...), nil
}

// say is text for keys that the program itself names.
func (t texts) say(key string, args ...any) string { return t.printer.Sprintf(key, args...) }

// or gives a message, or the text where there is none: for what has its names elsewhere.
func (t texts) or(text, key string) string {
	if !t.known[key] {
		return text
	}
	return t.say(key)
}

func (t texts) number(n any) string {
	return t.printer.Sprint(decimals.Decimal(n, decimals.MaxFractionDigits(1)))
}

func (t texts) percent(share float64) string {
	digits := 0
	if share > 0 && share < 1 {
		digits = 1
	}
	return t.printer.Sprint(decimals.Percent(share, decimals.MaxFractionDigits(digits), decimals.MinFractionDigits(digits)))
}

func (t texts) bytes(n int64) string {
	size, units := float64(n), []string{"B", "KiB", "MiB", "GiB", "TiB"}
	for ; size >= 1024 && len(units) > 1; units = units[1:] {
		size /= 1024
	}
	return t.number(size) + " " + units[0]
}

// took is how long something took.
func (t texts) took(d time.Duration) string {
	switch {
	case d > 0 && d < time.Millisecond:
		return t.say("time.instant")
	case d < time.Second:
		return t.say("time.ms", d.Milliseconds())
	case d < time.Minute:
		return t.say("time.s", t.number(d.Round(100*time.Millisecond).Seconds()))
	default:
		return t.length(d, 2)
	}
}

// ago is how long ago or to come a moment is, with the exact one on hover.
func (t texts) ago(at time.Time) template.HTML {
	if at.IsZero() {
		return template.HTML(template.HTMLEscapeString(t.say("time.never"))) //nolint:gosec // escaped
	}
	switch d := t.clock().Sub(at); {
	case d > -time.Second && d < time.Second:
		return t.timed(at, t.say("time.now"))
	case d > 0:
		return t.timed(at, t.say("time.ago", t.length(d, 1)))
	default:
		return t.timed(at, t.say("time.in", t.length(-d, 1)))
	}
}

// left is how long it is to a moment, or that it has passed.
func (t texts) left(at time.Time) template.HTML {
	d := at.Sub(t.clock())
	if d <= 0 {
		return t.timed(at, t.say("time.dead"))
	}
	return t.timed(at, t.length(d, 2))
}

// moment is a moment to the minute.
func (t texts) moment(at time.Time) template.HTML {
	return t.timed(at, at.In(t.zone).Format("2006-01-02 15:04"))
}

// exact is a moment to the second, with its zone.
func (t texts) exact(at time.Time) template.HTML {
	return t.timed(at, at.In(t.zone).Format("2006-01-02 15:04:05 -07:00"))
}

func (t texts) timed(at time.Time, text string) template.HTML {
	exact := at.In(t.zone).Format("2006-01-02 15:04:05 -07:00")
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s">%s</time>`, //nolint:gosec // escaped where need be
		at.UTC().Format(time.RFC3339), exact, template.HTMLEscapeString(text)))
}

// length writes a length of time in its largest units: so many of them, if they are not zero.
func (t texts) length(d time.Duration, units int) string {
	var out string
	for _, unit := range []struct {
		key    string
		length time.Duration
	}{{"time.d", 24 * time.Hour}, {"time.h", time.Hour}, {"time.min", time.Minute}, {"time.s", time.Second}} {
		n := d / unit.length
		if n == 0 && out == "" {
			continue
		}
		if units--; n > 0 {
			if out != "" {
				out += " "
			}
			out += t.say(unit.key, t.number(int64(n)))
		}
		if d %= unit.length; units == 0 {
			break
		}
	}
	if out == "" {
		return t.say("time.s", "0")
	}
	return out
}
