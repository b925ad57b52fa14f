package handlers

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// Setting is one value of the configuration that holds.
type Setting struct {
	Path    string // as apps[0].rate
	Value   string // as the configuration would say it; empty if it is empty, or a secret
	Secret  bool   // it is set and not told
	Source  string // config.yaml:12, the name of a variable or a flag; default if nobody set it
	Pending bool   // a restart takes over another value,
	Next    string // which is this
}

// SourceDefault is the Setting.Source of what nobody set.
const SourceDefault = "default"

// System is what runs and where.
type System struct {
	Store       string // its URL
	StoreBytes  int64  // of its file; 0 if it has none
	Shared      bool   // several brokers may use it, and it has backups of its own
	MemoryLinks int    // about how many links are in memory
	MemoryMost  int    // how many may be
	StartedAt   time.Time
}

// settingsView is what settings.html shows.
type settingsView struct {
	Text string // that is searched for

	a   *api
	ctx context.Context //nolint:containedctx // it lives as long as the request
}

// settingsPage answers GET /settings.
func (a *api) settingsPage(c *gin.Context, who caller) error {
	return a.page(c, who, "settings", settingsView{Text: strings.TrimSpace(param(c.Request.URL.RawQuery, "q")), a: a, ctx: c.Request.Context()})
}

// settingGroup is a section of the configuration, or an entry of one of its lists.
type settingGroup struct {
	Name     string // empty for what stands in none
	Title    string // of an entry, what it calls itself
	Set      []Setting
	Defaults []Setting // which nobody set
}

// Groups are the settings that are searched for, by the section that they stand in. Those in none come first.
func (v settingsView) Groups() (groups []settingGroup) {
	if v.a.Settings == nil {
		return nil
	}
	wanted, all := strings.ToLower(v.Text), v.a.Settings()
	at, titles := make(map[string]int), make(map[string]string)
	for _, s := range all {
		name, key := groupOf(s.Path)
		if _, known := at[name]; !known {
			at[name] = len(at)
		}
		if key == "appid" || key == "name" {
			titles[name] = s.Value
		}
	}
	groups = make([]settingGroup, len(at))
	for _, s := range all {
		name, _ := groupOf(s.Path)
		found := strings.Contains(strings.ToLower(strings.Join([]string{s.Path, s.Value, s.Source, titles[name]}, "\n")), wanted)
		group := &groups[at[name]]
		group.Name, group.Title = name, titles[name]
		switch {
		case !found:
		case s.Source == SourceDefault && !s.Pending:
			group.Defaults = append(group.Defaults, s)
		default:
			group.Set = append(group.Set, s)
		}
	}
	return slices.DeleteFunc(groups, func(g settingGroup) bool { return len(g.Set)+len(g.Defaults) == 0 })
}

// groupOf cuts a path where its section ends: tls and cert_file, apps[0] and token_source.url.
func groupOf(path string) (group, key string) {
	group, key, below := strings.Cut(path, ".")
	if !below {
		return "", path
	}
	return group, key
}

// IsDefault reports whether nobody set it.
func (s Setting) IsDefault() bool { return s.Source == SourceDefault }

// System is what runs; nil if nobody says.
func (v settingsView) System() *System {
	if v.a.System == nil {
		return nil
	}
	system := v.a.System()
	return &system
}

// Version is that of the program.
func (v settingsView) Version() Version { return v.a.Version }

// Uptime is since when the program runs.
func (v settingsView) Uptime(system *System) time.Duration { return v.a.Clock().Sub(system.StartedAt) }

// Census is what stands in the store; nil before the first count.
func (v settingsView) Census() *broker.Census {
	return v.a.census(v.ctx)
}

// HasFile reports whether the store can be copied.
func (v settingsView) HasFile() bool { return v.a.Backups != nil }

// Shared reports whether the store has backups of its own.
func (v settingsView) Shared() bool { return v.a.System != nil && v.a.System().Shared }

// Backups are the copies that are kept.
func (v settingsView) Backups() ([]Backup, error) {
	backups, err := v.a.Backups.List()
	if err != nil {
		return nil, broker.Errorf(broker.StoreFailed, "listing the backups: %w", err)
	}
	return backups, nil
}

// Backing reports whether there is a job that makes backups.
func (v settingsView) Backing() bool {
	for _, job := range v.a.Jobs.Statuses() {
		if job.Name == "backup" {
			return true
		}
	}
	return false
}
