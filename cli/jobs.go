package cli

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func newJobs() *cobra.Command {
	group := newGroup("jobs", "Look at the upkeep of a running linkbroker, and start it by hand", newJobsList(), newJobsRun())
	group.Example = `  export LINKBROKER_KEY=…             a key of role admin
  linkbroker jobs list
  linkbroker jobs run backup          copy the store while it is in use`
	addAdminFlags(group)
	return group
}

// job is what the commands show of a job.
type job struct {
	Name        string         `json:"name"`
	Schedule    string         `json:"schedule"`
	Running     bool           `json:"running"`
	LastStart   time.Time      `json:"last_start"`
	LastSeconds float64        `json:"last_seconds"`
	LastError   string         `json:"last_error"`
	LastCounts  map[string]int `json:"last_counts"`
	LastSuccess time.Time      `json:"last_success"`
	NextStart   time.Time      `json:"next_start"`
	Elsewhere   bool           `json:"elsewhere"` // another broker on the same store runs it
}

func newJobsList() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the jobs, what each did last and when it runs next",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return showAll(cmd, format, "/api/v1/jobs", jobTable)
		},
	}
	addOutputFlag(cmd, &format)
	return cmd
}

func newJobsRun() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "run NAME",
		Short: "Run a job now and wait for its end",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := newAdmin(cmd)
			if err != nil {
				return err
			}
			if !isJobName(args[0]) {
				return fmt.Errorf("there is no job %q: see `linkbroker jobs list`", args[0])
			}
			var done job // waited for without end: a backup may take minutes
			raw, err := a.fetch(cmd.Context(), http.MethodPost, "/api/v1/jobs/"+args[0]+":run", &done)
			if err != nil {
				return err
			}
			if done.LastError != "" {
				return fmt.Errorf("the job failed: %s", done.LastError)
			}
			return output{cmd.OutOrStdout(), format}.show(raw, func() table { return jobTable([]job{done}, time.Now()) })
		},
	}
	addOutputFlag(cmd, &format)
	return cmd
}

// isJobName keeps what is no name out of an address.
func isJobName(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz") == ""
}

func jobTable(jobs []job, now time.Time) table {
	rows := table{{"JOB", "SCHEDULE", "LAST", "TOOK", "DID", "LAST GOOD", "NEXT"}}
	for _, j := range jobs {
		last := fromNow(j.LastStart, now)
		switch {
		case j.Running:
			last = "running"
		case j.Elsewhere:
			last = "elsewhere"
		}
		rows = append(rows, []string{
			j.Name, orDash(j.Schedule), last, fmt.Sprintf("%.3fs", j.LastSeconds), did(j),
			fromNow(j.LastSuccess, now), fromNow(j.NextStart, now),
		})
	}
	return rows
}

func did(j job) string {
	if j.LastError != "" {
		return "failed: " + strings.ReplaceAll(j.LastError, "\n", "; ") // of errors that were joined
	}
	counts := make([]string, 0, len(j.LastCounts))
	for _, name := range slices.Sorted(maps.Keys(j.LastCounts)) {
		counts = append(counts, fmt.Sprintf("%s %d", name, j.LastCounts[name]))
	}
	return orDash(strings.Join(counts, ", "))
}
