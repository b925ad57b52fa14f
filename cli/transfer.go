package cli

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// transfer is a kind of thing that can be exported and imported.
type transfer struct {
	things  string            // as people call them
	path    string            // as the API does
	filters map[string]string // flags that choose what is exported, with their parameters
	explain string            // of an import
}

func linkTransfer() transfer {
	return transfer{
		things: "links", path: "/api/v1/links",
		filters: map[string]string{"q": "q", "app": "app", "env": "env", "expiring-within": "expiring_within"},
		explain: `A row needs a path (or the columns of another target), a url and its expires_at. It never takes the place
of a link that lives as long; dead links and hosts that are not in link_hosts are refused.`,
	}
}

func aliasTransfer() transfer {
	return transfer{
		things: "aliases", path: aliasesPath,
		filters: map[string]string{"q": "q", "app": "app", "tag": "tag"},
		explain: `A row needs a slug and a path. Of an alias that is there already the import wins.`,
	}
}

// addFormatFlag gives a command --format, which is asked for where no name says it.
func addFormatFlag(cmd *cobra.Command, format *string) {
	cmd.Flags().Var(&choice{value: format, of: []string{string(formCSV), string(formNDJSON)}}, "format", "csv or ndjson (default by the ending of the file's name)")
}

func chosenForm(file, format string) (form, error) {
	switch {
	case format != "":
		return form(format), nil
	case file == "-":
		return "", errors.New("say with --format whether it is csv or ndjson")
	default:
		return formOf(file)
	}
}

func newExport(what transfer) *cobra.Command {
	var file, format string
	cmd := &cobra.Command{
		Use:   "export -o FILE",
		Short: "Write all " + what.things + " into a file, as CSV or one JSON object a line",
		Example: fmt.Sprintf(`  linkbroker %[1]s export -o %[1]s.csv
  linkbroker %[1]s export --format=ndjson -o - | gzip > %[1]s.ndjson.gz`, what.things),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				return errors.New("name the file to write with -o; - is the standard output")
			}
			as, err := chosenForm(file, format)
			if err != nil {
				return err
			}
			query := make(url.Values)
			for flag, parameter := range what.filters {
				if value := cmd.Flag(flag).Value.String(); value != "" {
					query.Set(parameter, value)
				}
			}
			ctx, stop := untilSignal(cmd.Context())
			defer stop()
			return exportTo(ctx, cmd, file, what.path+"."+string(as)+"?"+query.Encode())
		},
	}
	for flag := range what.filters {
		shorthand := ""
		if len(flag) == 1 {
			shorthand = flag
		}
		cmd.Flags().StringP(flag, shorthand, "", "only those that list shows with it")
	}
	cmd.Flags().StringVarP(&file, "output", "o", "", "`file` to write; - = the standard output")
	addFormatFlag(cmd, &format)
	return cmd
}

// exportTo writes what is found at a path of the API. The file gets its name only once it is whole.
func exportTo(ctx context.Context, cmd *cobra.Command, file, path string) error {
	a, err := newAdmin(cmd)
	if err != nil {
		return err
	}
	resp, err := a.open(ctx, call{method: http.MethodGet, path: path})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if file == "-" {
		_, err := io.Copy(cmd.OutOrStdout(), resp.Body)
		return err
	}
	part, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*"+partSuffix)
	if err != nil {
		return err
	}
	if _, err := io.Copy(part, resp.Body); err != nil {
		return errors.Join(a.brokeOff(err), part.Close(), os.Remove(part.Name()))
	}
	if err := errors.Join(part.Sync(), part.Close(), os.Rename(part.Name(), file)); err != nil {
		return errors.Join(err, os.Remove(part.Name()))
	}
	fmt.Fprintln(cmd.OutOrStdout(), file)
	return nil
}

func newImport(what transfer) *cobra.Command {
	var format string
	var dry bool
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Take " + what.things + " over from a file: one that was exported, or one of your own",
		Long: "Takes " + what.things + ` over from a CSV file with names of columns in its first row, or from one JSON object a
line, as export writes them. ` + what.explain + `

Says which rows were refused and why; the others are taken over. Exits with 1 if any was refused.`,
		Example: fmt.Sprintf(`  linkbroker %[1]s import %[1]s.csv --dry-run     only say what would become of each row
  linkbroker %[1]s import %[1]s.csv
  gunzip -c %[1]s.ndjson.gz | linkbroker %[1]s import - --format=ndjson`, what.things),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			as, err := chosenForm(args[0], format)
			if err != nil {
				return err
			}
			in := io.NopCloser(cmd.InOrStdin())
			if args[0] != "-" {
				if in, err = os.Open(args[0]); err != nil {
					return err
				}
			}
			defer in.Close()
			path := what.path + ":import"
			if dry {
				path += "?dry_run=true"
			}
			ctx, stop := untilSignal(cmd.Context())
			defer stop()
			return importFrom(ctx, cmd, in, as, path)
		},
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only say what would become of each row")
	addFormatFlag(cmd, &format)
	return cmd
}

// imported is a line of the answer to an import: what became of a row, or at the end the summary.
type imported struct {
	Row     int            `json:"row"`
	Problem *refused       `json:"error"`
	Summary *importSummary `json:"summary"`
}

type importSummary struct {
	DryRun    bool `json:"dry_run"`
	Rows      int  `json:"rows"`
	Added     int  `json:"added"`
	Replaced  int  `json:"replaced"`
	Unchanged int  `json:"unchanged"`
	Failed    int  `json:"failed"`
}

func (s importSummary) String() string {
	text := fmt.Sprintf("%s rows: %s added, %s replaced, %s unchanged, %s refused",
		thousands(s.Rows), thousands(s.Added), thousands(s.Replaced), thousands(s.Unchanged), thousands(s.Failed))
	if s.DryRun {
		text += " (a dry run: nothing was changed)"
	}
	return text
}

// importFrom sends a file and tells what the broker says of it, while it says it.
func importFrom(ctx context.Context, cmd *cobra.Command, in io.Reader, as form, path string) error {
	a, err := newAdmin(cmd)
	if err != nil {
		return err
	}
	contentType := map[form]string{formCSV: "text/csv; charset=utf-8", formNDJSON: "application/x-ndjson"}[as]
	resp, err := a.open(ctx, call{method: http.MethodPost, path: path, contentType: contentType, body: in})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxRow)
	for lines.Scan() {
		var line imported
		switch err := json.Unmarshal(lines.Bytes(), &line); {
		case err != nil:
			return a.nonsense()
		case line.Summary != nil:
			fmt.Fprintln(cmd.OutOrStdout(), line.Summary)
			if line.Summary.Failed > 0 {
				return exitStatus(exitFailure)
			}
			return nil
		case line.Problem != nil && line.Row == 0: // no more rows could be read
			return fmt.Errorf("%w; the rows before were taken over, and may be imported again", line.Problem)
		case line.Problem != nil:
			fmt.Fprintf(cmd.OutOrStdout(), "row %d: %s\n", line.Row, printable(strings.TrimSpace(line.Problem.brief())))
		}
	}
	return a.brokeOff(cmp.Or(lines.Err(), io.ErrUnexpectedEOF))
}
