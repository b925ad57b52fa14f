package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// verdict is how an examination ended.
type verdict string

const (
	fine    verdict = "OK"
	odd     verdict = "WARN" // it works, and should not stay so
	failing verdict = "FAIL" // it does not work
)

// finding is one line of doctor.
type finding struct {
	Verdict verdict `json:"verdict"`
	Check   string  `json:"check"`
	Found   string  `json:"found"`
	Do      string  `json:"do,omitempty"` // what helps
}

// diagnosis is all that doctor found.
type diagnosis struct {
	Healthy  bool      `json:"healthy"` // nothing fails
	Findings []finding `json:"findings"`
}

func (d *diagnosis) add(v verdict, check, found, do string) {
	d.Findings = append(d.Findings, finding{v, check, found, do})
}

func (d *diagnosis) failed() bool {
	for _, f := range d.Findings {
		if f.Verdict == failing {
			return true
		}
	}
	return false
}

// examination bounds what doctor takes.
const examination = time.Minute

func newDoctor() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Examine this machine, the way to WeChat, the store and the settings, and say what to do",
		Long: `Examines what linkbroker needs: the configuration, the way to WeChat (names, TLS, clock, whether it
gives an access token to this machine), the store (its file and disk, or its Redis), and settings
that are not safe. It spends no quota and changes nothing. Exits with 1 if something does not work.

Run it in the broker's folder and with its environment, or it examines something else.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), examination)
			defer cancel()
			d, err := examine(ctx, cmd)
			if err != nil {
				return err
			}
			if err := (output{cmd.OutOrStdout(), format}).show(d, func() table { return d.table() }); err != nil {
				return err
			}
			if !d.Healthy {
				return exitStatus(exitFailure)
			}
			return nil
		},
	}
	addSettingFlags(cmd)
	addOutputFlag(cmd, &format)
	return cmd
}

// examine goes on with what can be read of a configuration that has problems elsewhere.
func examine(ctx context.Context, cmd *cobra.Command) (*diagnosis, error) {
	settings, err := readConfig(cmd)
	problems, known := errors.AsType[Problems](err)
	if err != nil && !known {
		return nil, err
	}
	d := new(diagnosis)
	for _, problem := range problems {
		d.add(failing, "configuration", problem.String(), "change it; `linkbroker check-config` looks again")
	}
	if len(problems) == 0 {
		d.add(fine, "configuration", fmt.Sprintf("%d apps, %d clients", len(settings.Apps), len(settings.Clients)), "")
	}
	for _, warning := range settings.Warnings {
		d.add(odd, "configuration", warning, "")
	}
	d.examineSettings(settings)
	if !problems.concern("cache", "max_connections", "store") {
		d.examineMemory(settings.Config)
	}
	if !problems.concern("store", "backup", "cache") {
		d.examineStore(ctx, settings.Config)
	}
	if !problems.concern("apps") {
		d.examineUpstream(ctx, settings.Config)
	}
	d.Healthy = !d.failed()
	return d, nil
}

func (d *diagnosis) table() table {
	rows := make(table, 0, len(d.Findings))
	for _, f := range d.Findings {
		found := f.Found
		if f.Do != "" {
			found += "\n\t\t→ " + f.Do
		}
		rows = append(rows, []string{string(f.Verdict), f.Check, found})
	}
	return rows
}
