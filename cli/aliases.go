package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func newAliases() *cobra.Command {
	group := newGroup("aliases", "Permanent short addresses, /l/SLUG, that always lead to a living link",
		newAliasesList(), newAliasesGet(), newAliasesPut(), newAliasesCreate(), newAliasesUpdate(), newAliasesRemove(),
		newAliasesVisits(), newAliasesCode(), newExport(aliasTransfer()), newImport(aliasTransfer()))
	group.Aliases = []string{"alias"}
	group.Example = `  export LINKBROKER_KEY=…                          a key of role admin
  linkbroker aliases put spring --path=pages/sale --query=from=poster --title='Spring sale' --tag=print
  linkbroker aliases create --path=pages/item --query=id=42      a slug that nobody guesses
  linkbroker aliases update spring --ends-at=2027-06-01T00:00:00+08:00
  linkbroker aliases qr spring -o spring.svg                     to print
  linkbroker aliases visits spring --per=hour
  linkbroker aliases export -o aliases.csv`
	addAdminFlags(group)
	return group
}

const aliasesPath = "/api/v1/aliases"

// aliasPath gives the address of an alias.
func aliasPath(slug string) (string, error) {
	if !pathName.MatchString(slug) || strings.Trim(slug, ".") == "" {
		return "", fmt.Errorf("%.70q is not the slug of an alias, which has 1 to 64 characters out of a-z 0-9 _ -", slug)
	}
	return aliasesPath + "/" + slug, nil
}

// alias is what the commands show of an alias.
type alias struct {
	Slug        string    `json:"slug"`
	URL         string    `json:"url"`
	State       string    `json:"state"`
	App         string    `json:"app"`
	Path        string    `json:"path"`
	Query       string    `json:"query"`
	Env         string    `json:"env_version"`
	Splice      bool      `json:"splice"`
	Title       string    `json:"title"`
	Tags        []string  `json:"tags"`
	StartsAt    time.Time `json:"starts_at"`
	EndsAt      time.Time `json:"ends_at"`
	FallbackURL string    `json:"fallback_url"`
	VisitLimit  uint64    `json:"visit_limit"`
	Disabled    bool      `json:"disabled"`
	ChangedAt   time.Time `json:"changed_at"`
}

func newAliasesList() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List aliases, in the order of their slugs",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := newAdmin(cmd)
			if err != nil {
				return err
			}
			query := make(url.Values)
			for _, name := range []string{"q", "app", "tag", "limit", "cursor"} {
				if value := cmd.Flag(name).Value.String(); value != "" {
					query.Set(name, value)
				}
			}
			var page struct {
				Items      []alias `json:"items"`
				NextCursor string  `json:"next_cursor"`
			}
			raw, err := a.get(cmd.Context(), aliasesPath+"?"+query.Encode(), &page)
			if err != nil {
				return err
			}
			if page.NextCursor != "" && format == formatTable {
				defer fmt.Fprintf(cmd.ErrOrStderr(), "There are more: add --cursor %s\n", page.NextCursor)
			}
			return output{cmd.OutOrStdout(), format}.show(raw, func() table { return aliasTable(page.Items) })
		},
	}
	flags := cmd.Flags()
	flags.StringP("q", "q", "", "only those whose slug, title, path or query contains this `text`")
	flags.String("app", "", "only those of this `appid`")
	flags.String("tag", "", "only those with this `tag`")
	flags.Int("limit", 50, "how many, up to 500")
	flags.String("cursor", "", "go on where a page ended")
	addOutputFlag(cmd, &format)
	return cmd
}

func aliasTable(aliases []alias) table {
	rows := table{{"SLUG", "STATE", "PATH", "QUERY", "TITLE", "TAGS", "ADDRESS"}}
	for _, a := range aliases {
		rows = append(rows, []string{
			a.Slug, a.State, orDash(a.Path), orDash(a.Query), orDash(printable(a.Title)),
			orDash(printable(strings.Join(a.Tags, ", "))), orDash(a.URL),
		})
	}
	return rows
}

func newAliasesGet() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "get SLUG",
		Short: "Show one alias, and its ETag for --if-match",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := aliasPath(args[0])
			if err != nil {
				return err
			}
			return callAlias(cmd, format, call{method: http.MethodGet, path: path})
		},
	}
	addOutputFlag(cmd, &format)
	return cmd
}

// callAlias makes a call whose answer is an alias, and shows it.
func callAlias(cmd *cobra.Command, format string, what call) error {
	a, err := newAdmin(cmd)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), patience)
	defer cancel()
	header, raw, err := a.askWhole(ctx, what)
	if err != nil {
		return err
	}
	var found alias
	if err := json.Unmarshal(raw, &found); err != nil {
		return a.nonsense()
	}
	etag := strings.Trim(header.Get("ETag"), `"`)
	return output{cmd.OutOrStdout(), format}.show(json.RawMessage(raw), func() table { return aliasRows(found, etag) })
}

func aliasRows(a alias, etag string) table {
	rows := table{
		{"slug", a.Slug},
		{"url", orDash(a.URL)},
		{"state", a.State},
		{"app", a.App},
		{"path", orDash(a.Path)},
		{"query", orDash(a.Query)},
		{"env_version", a.Env},
		{"title", orDash(printable(a.Title))},
		{"tags", orDash(printable(strings.Join(a.Tags, ", ")))},
		{"starts_at", orDash(formatTime(a.StartsAt))},
		{"ends_at", orDash(formatTime(a.EndsAt))},
		{"fallback_url", orDash(a.FallbackURL)},
		{"visit_limit", orDash(limit(a.VisitLimit))},
		{"splice", fmt.Sprint(a.Splice)},
		{"disabled", fmt.Sprint(a.Disabled)},
		{"changed_at", formatTime(a.ChangedAt)},
	}
	if etag != "" {
		rows = append(rows, []string{"etag", etag})
	}
	return rows
}

// limit writes a limit of which 0 is none.
func limit(n uint64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

func newAliasesRemove() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rm SLUG…",
		Short: "Delete aliases and the counts of their visits: what is printed leads nowhere from then on",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := newAdmin(cmd)
			if err != nil {
				return err
			}
			for _, slug := range args {
				path, err := aliasPath(slug)
				if err != nil {
					return err
				}
				ctx, cancel := context.WithTimeout(cmd.Context(), patience)
				_, _, err = a.askWhole(ctx, call{method: http.MethodDelete, path: path, header: preconditions(cmd)})
				cancel()
				if err != nil {
					return fmt.Errorf("%s: %w", slug, err)
				}
				fmt.Fprintln(cmd.OutOrStdout(), slug, "deleted")
			}
			return nil
		},
	}
	addMatchFlag(cmd)
	return cmd
}

// visits are how often somebody came in a stretch of time.
type visits struct {
	At       time.Time `json:"time"`
	WeChat   uint64    `json:"wechat"`
	IOS      uint64    `json:"ios"`
	Android  uint64    `json:"android"`
	Other    uint64    `json:"other"`
	Fallback uint64    `json:"fallback"`
}

func newAliasesVisits() *cobra.Command {
	var format, per, from, to string
	cmd := &cobra.Command{
		Use:   "visits SLUG",
		Short: "Show how often an alias was visited; those of the last seconds are still to come",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := aliasPath(args[0])
			if err != nil {
				return err
			}
			query := url.Values{"per": {per}}
			for name, value := range map[string]string{"from": from, "to": to} {
				if value != "" {
					query.Set(name, value)
				}
			}
			return showAll(cmd, format, path+"/visits?"+query.Encode(), func(all []visits, _ time.Time) table { return visitsTable(all, per) })
		},
	}
	flags := cmd.Flags()
	flags.Var(&choice{value: &per, of: []string{"day", "hour", "total"}}, "per", "day (from 00:00 in Shanghai), hour (of the last 90 days) or total")
	per = "day"
	flags.StringVar(&from, "from", "", "from this `moment` on, such as 2027-01-31T00:00:00+08:00")
	flags.StringVar(&to, "to", "", "and before this one")
	addOutputFlag(cmd, &format)
	return cmd
}

func visitsTable(all []visits, per string) table {
	rows := table{{"FROM", "WECHAT", "IOS", "ANDROID", "OTHER", "VISITS", "FALLBACK"}}
	shown := map[string]string{"day": time.DateOnly, "hour": "2006-01-02 15:04 MST", "total": "total"}[per]
	for _, v := range all {
		rows = append(rows, []string{
			v.At.In(zone(DefaultConfig().Jobs.Timezone)).Format(shown), fmt.Sprint(v.WeChat), fmt.Sprint(v.IOS), fmt.Sprint(v.Android), fmt.Sprint(v.Other),
			fmt.Sprint(v.WeChat + v.IOS + v.Android + v.Other), fmt.Sprint(v.Fallback),
		})
	}
	return rows
}
