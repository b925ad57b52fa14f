package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

func newAliasesPut() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "put SLUG",
		Short: "Make an alias, or put another in its place: what no flag says is as with a new one",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := aliasPath(args[0])
			if err != nil {
				return err
			}
			return sendAlias(cmd, format, call{method: http.MethodPut, path: path, header: preconditions(cmd)}, map[string]any{"path": ""})
		},
	}
	addAliasFlags(cmd)
	addMatchFlag(cmd)
	cmd.Flags().Bool("new", false, "only if there is none of this slug")
	cmd.MarkFlagsMutuallyExclusive("new", "if-match")
	addOutputFlag(cmd, &format)
	return cmd
}

func newAliasesCreate() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Make an alias with a slug that nobody guesses",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sendAlias(cmd, format, call{method: http.MethodPost, path: aliasesPath}, map[string]any{"path": ""})
		},
	}
	addAliasFlags(cmd)
	addOutputFlag(cmd, &format)
	return cmd
}

func newAliasesUpdate() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "update SLUG",
		Short: "Change an alias: what a flag says takes the place of what was there, and the rest stays",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := aliasPath(args[0])
			if err != nil {
				return err
			}
			a, err := newAdmin(cmd)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), patience)
			defer cancel()
			header, raw, err := a.askWhole(ctx, call{method: http.MethodGet, path: path})
			if err != nil {
				return err
			}
			var present map[string]any
			if err := json.Unmarshal(raw, &present); err != nil || header.Get("ETag") == "" {
				return a.nonsense()
			}
			// Somebody else's change meanwhile is not undone: it is refused, and tried again by hand.
			unchanged := http.Header{"If-Match": {header.Get("ETag")}}
			return sendAlias(cmd, format, call{method: http.MethodPut, path: path, header: unchanged}, present)
		},
	}
	addAliasFlags(cmd)
	addOutputFlag(cmd, &format)
	return cmd
}

// sendAlias sends an alias with what the flags say of it.
func sendAlias(cmd *cobra.Command, format string, what call, fields map[string]any) error {
	if err := aliasFields(cmd, fields); err != nil {
		return err
	}
	text, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	what.contentType, what.body = "application/json", bytes.NewReader(text)
	return callAlias(cmd, format, what)
}

func addMatchFlag(cmd *cobra.Command) {
	cmd.Flags().String("if-match", "", "only if the alias still has this `ETag`; * = only if it is there")
}

// preconditions gives the fields of HTTP that the flags stand for.
func preconditions(cmd *cobra.Command) http.Header {
	header := make(http.Header)
	if only := cmd.Flag("new"); only != nil && only.Value.String() == "true" {
		header.Set("If-None-Match", "*")
	}
	switch etag := cmd.Flag("if-match").Value.String(); etag {
	case "":
	case "*":
		header.Set("If-Match", "*")
	default:
		header.Set("If-Match", `"`+etag+`"`)
	}
	return header
}

func addAliasFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.String("app", "", "`appid` of the mini program; not needed where the key may use one only")
	flags.String("path", "", "the `page` (default the home page)")
	flags.String("query", "", "the page's `query`")
	flags.String("env", "", "env_version: release, trial or develop (default release)")
	flags.String("title", "", "for people")
	flags.StringArray("tag", nil, "for people; may be given again")
	flags.String("starts-at", "", "it leads nowhere before this `moment`, such as 2027-01-31T08:00:00+08:00, or a time from now such as 7d; never = from the beginning")
	flags.String("ends-at", "", "nor from this `moment` on; never = no end")
	flags.String("fallback-url", "", "`address` (https, of a host in fallback_hosts) to which it leads while it leads to no link")
	flags.Uint64("visit-limit", 0, "it leads nowhere after so many visits; 0 = no limit")
	flags.Bool("splice", false, "append the query to the link of the page without one (?cq=)")
	flags.Bool("disabled", false, "it leads nowhere")
}

// aliasFields puts what the flags say that were given into the fields of an alias, as the API names them.
func aliasFields(cmd *cobra.Command, fields map[string]any) error {
	flags := cmd.Flags()
	var errs []error
	put := func(flag, field string, value any, err error) {
		if errs = append(errs, err); flags.Changed(flag) {
			fields[field] = value
		}
	}
	for flag, field := range map[string]string{
		"app": "app", "path": "path", "query": "query", "env": "env_version", "title": "title", "fallback-url": "fallback_url",
	} {
		text, err := flags.GetString(flag)
		put(flag, field, text, err)
	}
	for flag, field := range map[string]string{"starts-at": "starts_at", "ends-at": "ends_at"} {
		at, err := aliasMoment(cmd, flag)
		put(flag, field, at, err)
	}
	tags, err := flags.GetStringArray("tag")
	put("tag", "tags", tags, err)
	visits, err := flags.GetUint64("visit-limit")
	put("visit-limit", "visit_limit", visits, err)
	splice, err := flags.GetBool("splice")
	put("splice", "splice", splice, err)
	disabled, err := flags.GetBool("disabled")
	put("disabled", "disabled", disabled, err)
	return errors.Join(errs...)
}

func aliasMoment(cmd *cobra.Command, flag string) (*time.Time, error) {
	if !cmd.Flags().Changed(flag) {
		return nil, nil //nolint:nilnil // nothing is said
	}
	at, err := moment(cmd.Flag(flag).Value.String(), time.Now())
	if err != nil {
		return nil, fmt.Errorf("--%s %w", flag, err)
	}
	return at, nil
}
