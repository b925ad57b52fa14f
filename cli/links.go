package cli

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"linkbroker/broker"
)

func newLinks() *cobra.Command {
	group := newGroup("links", "Look at the links of a running linkbroker, renew, verify, delete, export and import them",
		newLinksList(), newLinksGet(), newLinksRemove(), newLinksRenew(), newLinksVerify(),
		newExport(linkTransfer()), newImport(linkTransfer()))
	group.Example = `  export LINKBROKER_KEY=…                          a key of role admin
  linkbroker links list --sort=-uses               the links most asked for
  linkbroker links list -q item --env=trial        those whose path or query contains "item"
  linkbroker links export -o links.csv             all of them; import takes them over elsewhere
  linkbroker links get 0f3c5a5b6d7e8f900f3c5a5b6d7e8f90`
	addAdminFlags(group)
	return group
}

// link is what the commands show of a link.
type link struct {
	Key       string    `json:"key"`
	URL       string    `json:"url"`
	Kind      string    `json:"kind"`
	App       string    `json:"app"`
	Path      string    `json:"path"`
	Query     string    `json:"query"`
	Env       string    `json:"env_version"`
	ExpiresAt time.Time `json:"expires_at"`
	UsedAt    time.Time `json:"used_at"`
	Uses      uint64    `json:"uses"`
	Pinned    bool      `json:"pinned"`
}

func newLinksList() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List links",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := newAdmin(cmd)
			if err != nil {
				return err
			}
			var page struct {
				Items      []link `json:"items"`
				NextCursor string `json:"next_cursor"`
			}
			raw, err := a.get(cmd.Context(), "/api/v1/links?"+listQuery(cmd), &page)
			if err != nil {
				return err
			}
			if page.NextCursor != "" && format == formatTable {
				defer fmt.Fprintf(cmd.ErrOrStderr(), "There are more: add --cursor %s\n", page.NextCursor)
			}
			return output{cmd.OutOrStdout(), format}.show(raw, func() table { return linkTable(page.Items, time.Now()) })
		},
	}
	flags := cmd.Flags()
	flags.StringP("q", "q", "", "only those whose path or query contains this `text`")
	flags.String("app", "", "only those of this `appid`")
	flags.String("kind", "", "only those of this kind: url_link, scheme or short_link")
	flags.String("env", "", "only those of this env_version: release, trial or develop")
	flags.String("expiring-within", "", "only those that end within this `time`, such as 72h")
	flags.String("sort", "", "by key, expires, uses, used or generated; -uses turns the order round")
	flags.Int("limit", 50, "how many, up to 500")
	flags.String("cursor", "", "go on where a page ended")
	addOutputFlag(cmd, &format)
	return cmd
}

// listQuery gives the flags that were set as the parameters they stand for.
func listQuery(cmd *cobra.Command) string {
	query := make(url.Values)
	for flag, parameter := range map[string]string{
		"q": "q", "app": "app", "kind": "kind", "env": "env", "expiring-within": "expiring_within", "sort": "sort", "limit": "limit", "cursor": "cursor",
	} {
		if value := cmd.Flag(flag).Value.String(); value != "" {
			query.Set(parameter, value)
		}
	}
	return query.Encode()
}

func linkTable(links []link, now time.Time) table {
	rows := table{{"KEY", "KIND", "APP", "ENV", "PATH", "QUERY", "ENDS", "USES", "USED", "URL"}}
	for _, l := range links {
		rows = append(rows, []string{
			l.Key, l.Kind, l.App, l.Env, orDash(l.Path), orDash(l.Query), fromNow(l.ExpiresAt, now),
			strconv.FormatUint(l.Uses, 10), fromNow(l.UsedAt, now), l.URL,
		})
	}
	return rows
}

func newLinksGet() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "get KEY",
		Short: "Show one link",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, a, err := linkPath(cmd, args[0])
			if err != nil {
				return err
			}
			var l link
			raw, err := a.get(cmd.Context(), path, &l)
			if err != nil {
				return err
			}
			return output{cmd.OutOrStdout(), format}.show(raw, func() table { return linkRows(l) })
		},
	}
	addOutputFlag(cmd, &format)
	return cmd
}

func linkRows(l link) table {
	return table{
		{"key", l.Key},
		{"url", l.URL},
		{"kind", l.Kind},
		{"app", l.App},
		{"path", orDash(l.Path)},
		{"query", orDash(l.Query)},
		{"env_version", l.Env},
		{"expires_at", l.ExpiresAt.Format(time.RFC3339)},
		{"used_at", orDash(formatTime(l.UsedAt))},
		{"uses", strconv.FormatUint(l.Uses, 10)},
		{"pinned", strconv.FormatBool(l.Pinned)},
	}
}

func newLinksRemove() *cobra.Command {
	return &cobra.Command{
		Use:   "rm KEY…",
		Short: "Delete links: the next request for each generates a fresh one",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, key := range args {
				path, a, err := linkPath(cmd, key)
				if err != nil {
					return err
				}
				ctx, cancel := context.WithTimeout(cmd.Context(), patience)
				_, err = a.ask(ctx, http.MethodDelete, path, nil)
				cancel()
				if err != nil {
					return fmt.Errorf("%s: %w", key, err)
				}
				fmt.Fprintln(cmd.OutOrStdout(), key, "deleted")
			}
			return nil
		},
	}
}

func newLinksRenew() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "renew KEY",
		Short: "Have WeChat generate a link anew, which spends a unit of quota",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, a, err := linkPath(cmd, args[0])
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), patience)
			defer cancel()
			var l link
			raw, err := a.fetch(ctx, http.MethodPost, path+":renew", &l)
			if err != nil {
				return err
			}
			return output{cmd.OutOrStdout(), format}.show(raw, func() table {
				return table{{"key", l.Key}, {"url", l.URL}, {"expires_at", l.ExpiresAt.Format(time.RFC3339)}}
			})
		},
	}
	addOutputFlag(cmd, &format)
	return cmd
}

func newLinksVerify() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "verify KEY",
		Short: "Ask WeChat about a link and put its end right, which spends no quota",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, a, err := linkPath(cmd, args[0])
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), patience)
			defer cancel()
			var done struct {
				Verdict string `json:"verdict"`
				Link    link   `json:"link"`
			}
			raw, err := a.fetch(ctx, http.MethodPost, path+":verify", &done)
			if err != nil {
				return err
			}
			return output{cmd.OutOrStdout(), format}.show(raw, func() table {
				return append(table{{"verdict", done.Verdict}}, linkRows(done.Link)...)
			})
		},
	}
	addOutputFlag(cmd, &format)
	return cmd
}

func linkPath(cmd *cobra.Command, text string) (path string, a *remote, err error) {
	key, err := broker.ParseKey(text)
	if err != nil {
		return "", nil, fmt.Errorf("%.40q is not the key of a link, which is 32 digits of 0-9 a-f", text)
	}
	a, err = newAdmin(cmd)
	return "/api/v1/links/" + key.String(), a, err
}
