package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"linkbroker/broker"
)

// client is what the commands show of a client.
type client struct {
	Name             string      `json:"name"`
	Role             broker.Role `json:"role"`
	Publishable      bool        `json:"publishable"`
	Configured       bool        `json:"configured"`
	Enabled          bool        `json:"enabled"`
	Disabled         bool        `json:"disabled"`
	ExpiresAt        time.Time   `json:"expires_at"`
	Keys             []clientKey `json:"keys"`
	GenerationsToday int64       `json:"generations_today"`
	Key              string      `json:"key"` // one that was made just now
	broker.Grant
}

type clientKey struct {
	Hint      string    `json:"hint"`
	ExpiresAt time.Time `json:"expires_at"`
	UsedAt    time.Time `json:"used_at"`
}

func clientTable(clients []client, now time.Time) table {
	rows := table{{"NAME", "ROLE", "KEYS", "STATE", "FROM", "ENDS", "USED", "TODAY"}}
	for _, c := range clients {
		rows = append(rows, []string{
			c.Name, string(c.Role), orDash(c.hints()), c.state(), c.origin(),
			fromNow(c.ExpiresAt, now), fromNow(c.usedAt(), now), budget(c),
		})
	}
	return rows
}

func clientRows(c client, now time.Time) table {
	var rows table
	if c.Key != "" {
		rows = table{{"key", c.Key}}
	}
	rows = append(rows, table{
		{"name", c.Name},
		{"role", string(c.Role)},
		{"publishable", strconv.FormatBool(c.Publishable)},
		{"state", c.state()},
		{"from", c.origin()},
		{"expires_at", orDash(formatTime(c.ExpiresAt))},
		{"apps", orAll(c.Apps)},
		{"paths", orAll(describe(c.Paths))},
		{"env_versions", orAll(c.Envs)},
		{"no_cloud_base", strconv.FormatBool(c.NoCloudBase)},
		{"pass_through", strconv.FormatBool(c.PassThrough)},
		{"origins", orDash(strings.Join(c.Origins, ", "))},
		{"requests_per_second", orNone(c.RequestsPerSecond)},
		{"generations_per_minute", orNone(float64(c.GenerationsPerMinute))},
		{"generations_per_day", orNone(float64(c.GenerationsPerDay))},
		{"generations_today", strconv.FormatInt(c.GenerationsToday, 10)},
	}...)
	for _, key := range c.Keys {
		rows = append(rows, []string{"a key", fmt.Sprintf("%s… ends %s, used %s", key.Hint, fromNow(key.ExpiresAt, now), fromNow(key.UsedAt, now))})
	}
	return rows
}

func (c client) state() string {
	switch {
	case c.Enabled:
		return "enabled"
	case c.Disabled:
		return "disabled"
	default:
		return "expired"
	}
}

func (c client) origin() string {
	if c.Configured {
		return "configuration"
	}
	return "store"
}

func (c client) hints() string {
	var hints []string
	for _, key := range c.Keys {
		if key.Hint != "" {
			hints = append(hints, key.Hint+"…")
		}
	}
	return strings.Join(hints, " ")
}

func (c client) usedAt() (last time.Time) {
	for _, key := range c.Keys {
		if key.UsedAt.After(last) {
			last = key.UsedAt
		}
	}
	return last
}

func budget(c client) string {
	if c.GenerationsPerDay == 0 {
		return "-"
	}
	return fmt.Sprintf("%d of %d", c.GenerationsToday, c.GenerationsPerDay)
}

// describe writes rules in the short form, with the lengths that it does not know in braces.
func describe(rules []broker.PathRule) []string {
	texts := make([]string, len(rules))
	for i, rule := range rules {
		texts[i] = rule.Path
		if rule.AnyQuery {
			texts[i] += "?*"
		}
		for j, param := range rule.Params {
			separator := "&"
			if j == 0 {
				separator = "?"
			}
			texts[i] += separator + param.Name
			if param.Pattern != "" {
				texts[i] += "=" + param.Pattern
			}
			if param.Longest != 0 {
				texts[i] += fmt.Sprintf(" (up to %d)", param.Longest)
			}
		}
	}
	return texts
}

func orAll[T ~string](values []T) string {
	if len(values) == 0 {
		return "all"
	}
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = string(value)
	}
	return strings.Join(texts, ", ")
}

func orNone(limit float64) string {
	if limit == 0 {
		return "no limit"
	}
	return strconv.FormatFloat(limit, 'f', -1, 64)
}
