package handlers

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"linkbroker/broker"
)

// clientForm is what a client may do, as it stands in a form: as it is, or as somebody typed it.
type clientForm struct {
	New    bool // the name and what kind of key it gets are still to be chosen
	Values url.Values
	Apps   []choice
	Envs   []choice
	Roles  []choice
	Zone   string // of the moment when it ends
	Wrong  *wrongView
	Taken  bool // there is a client of that name
}

// choice is a box that may be ticked.
type choice struct {
	Value  string
	Chosen bool
}

// clientForm makes the form of a new client.
func (a *api) clientForm(values url.Values, told *wrongView) clientForm {
	form := clientForm{New: true, Values: values, Wrong: told, Zone: a.Pages.zone.String()}
	var apps []string
	for _, app := range a.Broker.Apps() {
		apps = append(apps, app.ID)
	}
	for _, app := range values["app"] { // may be configured no longer
		if !slices.Contains(apps, app) {
			apps = append(apps, app)
		}
	}
	form.Apps = choices(apps, values["app"])
	form.Envs = choices([]string{string(broker.Release), string(broker.Trial), string(broker.Develop)}, values["env"])
	form.Roles = choices([]string{string(broker.RoleRead), string(broker.RoleGenerate), string(broker.RoleAdmin)}, values["role"])
	return form
}

func choices(all, chosen []string) (list []choice) {
	for _, value := range all {
		list = append(list, choice{value, slices.Contains(chosen, value)})
	}
	return list
}

// Value is what stands in a field.
func (f clientForm) Value(name string) string { return f.Values.Get(name) }

// Has reports whether a box is ticked.
func (f clientForm) Has(name string) bool { return f.Values.Has(name) }

// How a form writes a moment, without its zone.
const (
	toTheMinute = "2006-01-02T15:04"
	toTheSecond = "2006-01-02T15:04:05"
)

// endText writes a moment into a form; zero is empty.
func endText(at time.Time, zone *time.Location) string {
	at = at.In(zone)
	switch {
	case at.IsZero():
		return ""
	case at.Second() != 0:
		return at.Format(toTheSecond)
	default:
		return at.Format(toTheMinute)
	}
}

// ToTheSecond reports whether the field of the end needs seconds: browsers want to be told.
func (f clientForm) ToTheSecond() bool { return len(f.Value("expires_at")) > len(toTheMinute) }

// formOfGrant writes what a client may do into the fields of a form.
func formOfGrant(of clientFields, zone *time.Location) url.Values {
	form := url.Values{"role": {string(of.Role)}, "app": of.Apps}
	for _, env := range of.Envs {
		form.Add("env", string(env))
	}
	var rules []string
	for _, rule := range of.Paths {
		rules = append(rules, rule.String())
	}
	form.Set("paths", strings.Join(rules, "\n"))
	form.Set("origins", strings.Join(of.Origins, "\n"))
	for name, value := range map[string]float64{
		"requests_per_second":    of.RequestsPerSecond,
		"generations_per_minute": float64(of.GenerationsPerMinute),
		"generations_per_day":    float64(of.GenerationsPerDay),
	} {
		if value != 0 {
			form.Set(name, strconv.FormatFloat(value, 'f', -1, 64))
		}
	}
	for name, ticked := range map[string]bool{"no_cloud_base": of.NoCloudBase, "pass_through": of.PassThrough} {
		if ticked {
			form.Set(name, "on")
		}
	}
	form.Set("expires_at", endText(of.ExpiresAt, zone))
	return form
}

// readClientForm reads what somebody typed. An end that is as it was keeps what the form does not show of it.
func (a *api) readClientForm(form url.Values, before broker.Client) (fields clientFields, err error) {
	fields = clientFields{Role: broker.Role(form.Get("role")), ExpiresAt: before.ExpiresAt, Grant: broker.Grant{
		Apps: form["app"], Origins: strings.Fields(form.Get("origins")),
		NoCloudBase: form.Has("no_cloud_base"), PassThrough: form.Has("pass_through"),
	}}
	for _, env := range form["env"] {
		if !slices.Contains([]broker.Env{broker.Release, broker.Trial, broker.Develop}, broker.Env(env)) {
			return fields, broker.Errorf(broker.InvalidArgument, "env_versions are release, trial and develop")
		}
		fields.Envs = append(fields.Envs, broker.Env(env))
	}
	for line := range strings.Lines(form.Get("paths")) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		rule, err := broker.ParsePathRule(line)
		if err != nil {
			return fields, broker.Errorf(broker.InvalidArgument, "paths: %.80q %w", line, err)
		}
		fields.Paths = append(fields.Paths, rule)
	}
	if fields.RequestsPerSecond, err = limitField(form, "requests_per_second"); err != nil {
		return fields, err
	}
	minute, err := wholeField(form, "generations_per_minute")
	if err != nil {
		return fields, err
	}
	fields.GenerationsPerMinute = int(minute)
	if fields.GenerationsPerDay, err = wholeField(form, "generations_per_day"); err != nil {
		return fields, err
	}
	if end := form.Get("expires_at"); end != endText(before.ExpiresAt, a.Pages.zone) {
		fields.ExpiresAt, err = momentField(end, a.Pages.zone)
	}
	return fields, err
}

// limitField reads a number; an empty field is 0, which is no limit.
func limitField(form url.Values, name string) (float64, error) {
	text := strings.TrimSpace(form.Get(name))
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || n != n || n > largest {
		return 0, broker.Errorf(broker.InvalidArgument, "%s must be a number, or empty for no limit", name)
	}
	return n, nil
}

func wholeField(form url.Values, name string) (int64, error) {
	n, err := limitField(form, name)
	if err == nil && n != float64(int64(n)) {
		err = broker.Errorf(broker.InvalidArgument, "%s must be a whole number, or empty for no limit", name)
	}
	return int64(n), err
}

// momentField reads a moment as browsers send it: without seconds where these are 0. Empty is never.
func momentField(text string, zone *time.Location) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{toTheMinute, toTheSecond} {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, broker.Errorf(broker.InvalidArgument, "expires_at must be a moment such as 2030-01-31T08:00, or empty for never")
}
