package handlers

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"linkbroker/broker"
)

// aliasForm is an alias as a form has it: texts as somebody types them.
type aliasForm struct {
	Slug, App, Path, Query, Env   string
	Title, Tags, StartsAt, EndsAt string
	FallbackURL, VisitLimit       string
	Splice, Disabled              bool
	ETag                          string // of the alias that is changed; empty = it is a new one
}

// formMoment is how an input of type datetime-local writes a moment; it knows no zone.
const formMoment = "2006-01-02T15:04"

// aliasFormOf shows an alias.
func aliasFormOf(alias broker.Alias, zone *time.Location) aliasForm {
	f := aliasForm{
		Slug: alias.Slug, App: alias.Target.App, Path: alias.Target.Path, Query: alias.Target.Query, Env: string(alias.Target.Env),
		Title: alias.Title, Tags: strings.Join(alias.Tags, ", "), FallbackURL: alias.FallbackURL,
		StartsAt: writeFormMoment(alias.StartsAt, zone), EndsAt: writeFormMoment(alias.EndsAt, zone),
		Splice: alias.Splice, Disabled: alias.Disabled, ETag: alias.ETag(),
	}
	if alias.VisitLimit > 0 {
		f.VisitLimit = strconv.FormatUint(alias.VisitLimit, 10)
	}
	return f
}

func readAliasForm(form url.Values) aliasForm {
	trimmed := func(name string) string { return strings.TrimSpace(form.Get(name)) }
	return aliasForm{
		Slug: trimmed("slug"), App: form.Get("app"), Path: trimmed("path"), Query: trimmed("query"), Env: form.Get("env"),
		Title: trimmed("title"), Tags: trimmed("tags"), StartsAt: form.Get("starts_at"), EndsAt: form.Get("ends_at"),
		FallbackURL: trimmed("fallback_url"), VisitLimit: trimmed("visit_limit"),
		Splice: form.Has("splice"), Disabled: form.Has("disabled"), ETag: form.Get("etag"),
	}
}

// alias gives what the form makes of an alias. What the form has no field for stays as it is, and so do seconds that it
// does not show and commas in tags.
func (f aliasForm) alias(old broker.Alias, zone *time.Location) (alias broker.Alias, err error) {
	shown := aliasFormOf(old, zone)
	alias = old
	alias.Slug, alias.Title, alias.FallbackURL = f.Slug, f.Title, f.FallbackURL
	alias.Splice, alias.Disabled = f.Splice, f.Disabled
	t := &alias.Target
	t.App, t.Path, t.Query, t.Env = f.App, f.Path, f.Query, broker.Env(f.Env)
	if f.Tags != shown.Tags {
		alias.Tags = readTags(f.Tags)
	}
	for _, moment := range []struct {
		name, text, shown string
		to                *time.Time
	}{{"starts_at", f.StartsAt, shown.StartsAt, &alias.StartsAt}, {"ends_at", f.EndsAt, shown.EndsAt, &alias.EndsAt}} {
		if moment.text == moment.shown {
			continue
		}
		if *moment.to, err = readFormMoment(moment.name, moment.text, zone); err != nil {
			return alias, err
		}
	}
	alias.VisitLimit = 0
	if f.VisitLimit != "" {
		if alias.VisitLimit, err = strconv.ParseUint(f.VisitLimit, 10, 53); err != nil {
			return alias, broker.Errorf(broker.InvalidArgument, "visit_limit must be a whole number from 0 on")
		}
	}
	return alias, nil
}

// readTags takes what stands between commas, those of Chinese as well.
func readTags(text string) (tags []string) {
	for tag := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune(",，、\n", r) }) {
		if tag = strings.TrimSpace(tag); tag != "" && !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
	}
	return tags
}

func writeFormMoment(t time.Time, zone *time.Location) string {
	if t.IsZero() {
		return ""
	}
	return t.In(zone).Format(formMoment)
}

func readFormMoment(name, text string, zone *time.Location) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, format := range []string{formMoment, formMoment + ":05"} { // browsers add seconds that are not zero
		if t, err := time.ParseInLocation(format, text, zone); err == nil && !outOfReach(t) {
			return t, nil
		}
	}
	return time.Time{}, broker.Errorf(broker.InvalidArgument, "%s must be a moment such as 2026-03-01T08:00", name)
}

// difference is a field that two people have filled in differently.
type difference struct{ Name, Yours, Stored string }

// differences says what stands otherwise in the store.
func (f aliasForm) differences(stored aliasForm) (all []difference) {
	for _, d := range []difference{
		{"path", f.Path, stored.Path},
		{"query", f.Query, stored.Query},
		{"app", f.App, stored.App},
		{"env", f.Env, stored.Env},
		{"title", f.Title, stored.Title},
		{"tags", f.Tags, stored.Tags},
		{"starts_at", f.StartsAt, stored.StartsAt},
		{"ends_at", f.EndsAt, stored.EndsAt},
		{"fallback_url", f.FallbackURL, stored.FallbackURL},
		{"visit_limit", f.VisitLimit, stored.VisitLimit},
		{"splice", mark(f.Splice), mark(stored.Splice)},
		{"disabled", mark(f.Disabled), mark(stored.Disabled)},
	} {
		if d.Yours != d.Stored {
			all = append(all, d)
		}
	}
	return all
}

func mark(on bool) string {
	if on {
		return "✓"
	}
	return ""
}
