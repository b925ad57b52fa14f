package web_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/net/html"

	"linkbroker/web"
)

// read gives the files of a folder by their names.
func read(t *testing.T, pattern string) map[string]string {
	t.Helper()
	names, err := fs.Glob(web.Files(), pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: %v", pattern, err)
	}
	all := map[string]string{}
	for _, name := range names {
		data, err := fs.ReadFile(web.Files(), name)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = string(data)
	}
	return all
}

// messages gives the formats of each message: one, or those of its plural forms.
func messages(t *testing.T, language string) map[string][]string {
	t.Helper()
	var raw map[string]any
	if err := json.Unmarshal([]byte(read(t, "messages/*.json")["messages/"+language+".json"]), &raw); err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for key, value := range raw {
		switch value := value.(type) {
		case string:
			all[key] = []string{value}
		case map[string]any:
			for form, text := range value {
				if text, ok := text.(string); ok && slices.Contains([]string{"zero", "one", "other"}, form) {
					all[key] = append(all[key], text)
				}
			}
		}
	}
	return all
}

var verb = regexp.MustCompile(`%(\[\d\])?[a-z%]`)

func TestBothLanguagesSayTheSame(t *testing.T) {
	en, zh := messages(t, "en"), messages(t, "zh")
	for key, texts := range en {
		if zh[key] == nil {
			t.Errorf("%s is not in zh.json", key)
			continue
		}
		want := len(verb.FindAllString(texts[0], -1))
		for _, text := range slices.Concat(texts, zh[key]) {
			if n := len(verb.FindAllString(text, -1)); n != want && strings.Contains(text, "%") {
				t.Errorf("%s takes %d arguments in %q, and %d in %q", key, want, texts[0], n, text)
			}
			if strings.TrimSpace(text) == "" {
				t.Errorf("%s says nothing", key)
			}
		}
	}
	for key := range zh {
		if en[key] == nil {
			t.Errorf("%s is not in en.json", key)
		}
	}
}

func TestTheChineseIsChinese(t *testing.T) {
	for key, texts := range messages(t, "zh") {
		for _, text := range texts {
			if !strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
				t.Errorf("%s says %q", key, text)
			}
		}
	}
}

var (
	called = regexp.MustCompile(`\b(?:t|rich) "([^"]+)"`)
	begun  = regexp.MustCompile(`\b(?:t|rich) \(print "([^"]+)"`)
)

// TestEveryMessageIsThereAndUsed compares what templates and handlers name with what there is.
func TestEveryMessageIsThereAndUsed(t *testing.T) {
	en := messages(t, "en")
	used := map[string]bool{}
	mark := func(where, prefix string) {
		found := false
		for key := range en {
			if strings.HasPrefix(key, prefix) {
				used[key], found = true, true
			}
		}
		if !found {
			t.Errorf("%s names messages that begin with %q, and there are none", where, prefix)
		}
	}
	for name, text := range read(t, "templates/*.html") {
		for _, match := range called.FindAllStringSubmatch(text, -1) {
			if en[match[1]] == nil {
				t.Errorf("%s names the message %q, and there is none", name, match[1])
			}
			used[match[1]] = true
		}
		for _, match := range begun.FindAllStringSubmatch(text, -1) {
			mark(name, match[1])
		}
	}
	sources, err := filepath.Glob("../handlers/page*.go")
	if err != nil || len(sources) == 0 {
		t.Fatalf("no handlers: %v", err)
	}
	for _, source := range sources {
		data, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		for key := range en {
			used[key] = used[key] || strings.Contains(string(data), `"`+key+`"`)
		}
		for _, match := range regexp.MustCompile(`"([a-z]+\.)" ?\+`).FindAllStringSubmatch(string(data), -1) {
			mark(source, match[1])
		}
	}
	for key := range en {
		if !used[key] {
			t.Errorf("nothing uses the message %s", key)
		}
	}
}

// asIs are words that are the same in each language.
var asIs = []string{"linkbroker", "English", "中文"}

// TestTemplatesHaveNoWordsOfTheirOwn looks at what is left of a template without its actions: in text, and in the
// attributes that are shown or read out. What stands in code is the same in each language.
func TestTemplatesHaveNoWordsOfTheirOwn(t *testing.T) {
	action := regexp.MustCompile(`(?s)\{\{.*?\}\}`)
	shown := []string{"title", "alt", "aria-label", "placeholder", "data-confirm", "data-confirm-many", "data-label"}
	word := regexp.MustCompile(`\p{L}{2,}`)
	check := func(name, text string) {
		for _, same := range asIs {
			text = strings.ReplaceAll(text, same, "")
		}
		if found := word.FindString(text); found != "" {
			t.Errorf("%s says %q by itself: it belongs into messages/", name, found)
		}
	}
	for name, text := range read(t, "templates/*.html") {
		tokens, inCode := html.NewTokenizer(strings.NewReader(action.ReplaceAllString(text, ""))), 0
		for kind := tokens.Next(); kind != html.ErrorToken; kind = tokens.Next() {
			token := tokens.Token()
			code := token.Data == "code" || token.Data == "pre"
			switch {
			case kind == html.StartTagToken && code:
				inCode++
			case kind == html.EndTagToken && code:
				inCode--
			case kind == html.TextToken && inCode == 0:
				check(name, token.Data)
			}
			for _, attribute := range token.Attr {
				if slices.Contains(shown, attribute.Key) {
					check(name+" "+attribute.Key, attribute.Val)
				}
			}
		}
	}
}

// TestNothingIsFetchedFromElsewhere holds for style sheets and scripts as well.
func TestNothingIsFetchedFromElsewhere(t *testing.T) {
	elsewhere := regexp.MustCompile(`(?i:(https?:)?//[a-z0-9.-]+\.[a-z]{2,})|@import|url\(`)
	for _, pattern := range []string{"templates/*.html", "static/*"} {
		for name, text := range read(t, pattern) {
			text = strings.ReplaceAll(text, "http://www.w3.org/2000/svg", "")
			if found := elsewhere.FindString(text); found != "" {
				t.Errorf("%s refers to %q", name, found)
			}
		}
	}
}

// TestColoursAreReadable holds the contrast of text and marks to WCAG 2.2 AA, in both schemes.
func TestColoursAreReadable(t *testing.T) {
	css := read(t, "static/*.css")["static/app.css"]
	pairs := regexp.MustCompile(`(?m)--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)`).FindAllStringSubmatch(css, -1)
	colours := map[string][2]float64{}
	for _, p := range pairs {
		if _, again := colours[p[1]]; !again {
			colours[p[1]] = [2]float64{luminance(t, p[2]), luminance(t, p[3])}
		}
	}
	const text, mark = 4.5, 3.0
	for _, pair := range []struct {
		front, back string
		least       float64
	}{
		{"ink", "paper", text},
		{"ink", "card", text},
		{"ink", "tint", text},
		{"faint", "paper", text},
		{"faint", "card", text},
		{"faint", "tint", text},
		{"accent", "card", text},
		{"accent", "paper", text},
		{"on-accent", "accent", text},
		{"good", "good-tint", text},
		{"warn", "warn-tint", text},
		{"bad", "bad-tint", text},
		{"info", "info-tint", text},
		{"ink", "bad-tint", text},
		{"ink", "warn-tint", text},
		{"ink", "good-tint", text},
		{"ink", "info-tint", text},
		{"faint", "bad-tint", text},
		{"bad", "card", text},
		{"edge", "card", mark},
		{"hit", "card", mark},
		{"miss", "card", mark},
		{"failed", "card", mark},
		{"stale", "card", 2.5}, // its text stands beside it
	} {
		front, ok := colours[pair.front]
		back, okToo := colours[pair.back]
		if !ok || !okToo {
			t.Errorf("there is no --%s or no --%s", pair.front, pair.back)
			continue
		}
		for i, scheme := range []string{"light", "dark"} {
			high, low := max(front[i], back[i])+.05, min(front[i], back[i])+.05
			if high/low < pair.least {
				t.Errorf("%s: --%s on --%s has a contrast of %.2f, and needs %.1f", scheme, pair.front, pair.back, high/low, pair.least)
			}
		}
	}
}
