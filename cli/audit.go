package cli

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"linkbroker/broker"
)

func newAudit() *cobra.Command {
	group := newGroup("audit", "Look up who did what with a running linkbroker", newAuditList())
	addAdminFlags(group)
	return group
}

func newAuditList() *cobra.Command {
	var format string
	var limit int
	var before uint64
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List what was created, changed, deleted, run and restored, the newest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := newAdmin(cmd)
			if err != nil {
				return err
			}
			query := url.Values{"limit": {strconv.Itoa(limit)}}
			if before > 0 {
				query.Set("before", strconv.FormatUint(before, 10))
			}
			var page struct {
				Items      []broker.AuditEntry `json:"items"`
				NextBefore uint64              `json:"next_before"`
			}
			raw, err := a.get(cmd.Context(), "/api/v1/audit?"+query.Encode(), &page)
			if err != nil {
				return err
			}
			if page.NextBefore != 0 && format == formatTable {
				defer fmt.Fprintf(cmd.ErrOrStderr(), "There may be more: add --before %d\n", page.NextBefore)
			}
			return output{cmd.OutOrStdout(), format}.show(raw, func() table { return auditTable(page.Items) })
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 50, "how many, up to 500")
	cmd.Flags().Uint64Var(&before, "before", 0, "only those before this `id`")
	addOutputFlag(cmd, &format)
	return cmd
}

// printable keeps what could move a terminal's cursor out of a table: names in the audit may be a stranger's.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}

func auditTable(entries []broker.AuditEntry) table {
	rows := table{{"ID", "AT", "WHO", "FROM", "DID", "TO", "DETAIL"}}
	for _, e := range entries {
		rows = append(rows, []string{
			strconv.FormatUint(e.ID, 10), e.At.Format(time.RFC3339), orDash(printable(e.Actor)), orDash(e.Address), e.Action, orDash(printable(e.Object)), orDash(printable(e.Detail)),
		})
	}
	return rows
}
