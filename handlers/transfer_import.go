package handlers

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json"

	"linkbroker/broker"
)

// importLinks answers POST /api/v1/links:import.
func (a *api) importLinks(c *gin.Context, who caller) error {
	return runImport(a, c, who, linkColumns, func(i *importing, rows iter.Seq2[*linkRow, error]) iter.Seq2[broker.Imported, error] {
		links := func(yield func(broker.Link, error) bool) {
			for row, err := range rows {
				var link broker.Link
				if err == nil {
					row.App = cmp.Or(row.App, a.onlyApp(who.Client))
					err = guarded(func() (err error) {
						link, err = row.link()
						return err
					})
				}
				if !yield(link, err) {
					return
				}
			}
		}
		return a.Broker.ImportLinks(i.ctx, links, i.dry)
	})
}

// importAliases answers POST /api/v1/aliases:import.
func (a *api) importAliases(c *gin.Context, who caller) error {
	return runImport(a, c, who, aliasColumns, func(i *importing, rows iter.Seq2[*aliasRow, error]) iter.Seq2[broker.Imported, error] {
		return func(yield func(broker.Imported, error) bool) {
			for row, err := range rows { // one by one: of two rows of one slug the last wins
				var alias broker.Alias
				var outcome broker.Imported
				if err == nil {
					row.App = cmp.Or(row.App, a.onlyApp(who.Client))
					alias, err = row.alias()
				}
				if err == nil {
					outcome, err = a.Broker.ImportAlias(i.ctx, alias, i.dry)
				}
				if !yield(outcome, err) {
					return
				}
			}
		}
	})
}

// importing is an import that goes on.
type importing struct {
	*stream

	admitted func() error // whether the caller still is
	dry      bool
	ending   error // why no more rows could be read; nil at their end
}

// importSummary is the last line of an import that came to its end.
type importSummary struct {
	DryRun    bool `json:"dry_run"`
	Rows      int  `json:"rows"`
	Added     int  `json:"added"`
	Replaced  int  `json:"replaced"`
	Unchanged int  `json:"unchanged"`
	Failed    int  `json:"failed"`
}

// runImport reads rows, has them taken over, and says what became of each.
func runImport[Row any](
	a *api, c *gin.Context, who caller, columns []column[Row],
	take func(i *importing, rows iter.Seq2[*Row, error]) iter.Seq2[broker.Imported, error],
) error {
	i := &importing{admitted: func() error { _, err := a.admitAgain(who); return err }}
	err := eachParam(c.Request.URL.RawQuery, func(name, value string) (err error) {
		if name != "dry_run" {
			return broker.Errorf(malformed, "unknown parameter %q", name)
		}
		i.dry, err = parseDryRun(value)
		return err
	})
	if err != nil {
		return err
	}
	as, err := formOf(c.Request.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	i.stream = a.stream(c)
	defer i.close()
	next, err := openRows(i.stream, as, columns)
	if err != nil {
		return err
	}
	i.open(contentNDJSON)
	sum := importSummary{DryRun: i.dry}
	for outcome, err := range take(i, readRows(i, next)) {
		if err != nil && i.ctx.Err() != nil {
			i.abort() // or its end would be waited for
			break
		}
		sum.count(outcome, err)
		i.reply(a.importedLine(i.next(), outcome, err))
	}
	i.say(a.lastLine(i.stream, i.ending, sum))
	if note := entryOf(c); i.dry {
		note.Action = "" // nothing was changed
	} else {
		note.Object, note.Detail = "", sum.String()
	}
	return nil
}

// formOf gives the form of a body by its Content-Type.
func formOf(contentType string) (form, error) {
	switch media, _, _ := mime.ParseMediaType(contentType); media {
	case "text/csv":
		return formCSV, nil
	case "application/x-ndjson", "application/ndjson", "application/jsonl":
		return formNDJSON, nil
	default:
		return "", broker.Errorf(malformed, "the Content-Type must be text/csv or application/x-ndjson")
	}
}

// rowReader reads the next row. bad is wrong with this row alone; after end there are no more, and it is io.EOF if all
// were read.
type rowReader[Row any] func(r *Row) (number int, bad, end error)

func openRows[Row any](body io.Reader, as form, columns []column[Row]) (rowReader[Row], error) {
	if as == formCSV {
		table, err := openCSV(body, columns, "path")
		if err != nil {
			return nil, err
		}
		return table.next, nil
	}
	lines, err := openLines(body, maxTransferRow, 0)
	if errors.Is(err, emptyBody) { // as an empty store is exported
		return func(*Row) (int, error, error) { return 0, nil, io.EOF }, nil
	}
	return func(r *Row) (number int, bad, end error) {
		text, err := lines.next()
		switch {
		case errors.Is(err, tooLarge):
			return lines.number, err, nil
		case err != nil:
			return lines.number, nil, err
		}
		return lines.number, guarded(func() error { return decode(text, r, json.RejectUnknownMembers(true)) }), nil
	}, err
}

// readRows reads rows. Each is expected before it is given, so that an answer finds its number.
func readRows[Row any](i *importing, next rowReader[Row]) iter.Seq2[*Row, error] {
	return func(yield func(*Row, error) bool) {
		for {
			row := new(Row)
			number, bad, end := next(row)
			if end == nil {
				end = i.admitted()
			}
			if end != nil {
				if !errors.Is(end, io.EOF) {
					i.ending = end
				}
				return
			}
			i.expect(label{line: number})
			if !yield(row, bad) {
				return
			}
		}
	}
}

func (a *api) importedLine(l label, outcome broker.Imported, err error) []byte {
	line := struct {
		Row     int             `json:"row"`
		Outcome broker.Imported `json:"outcome,omitempty"`
		Error   *problem        `json:"error,omitzero"`
	}{Row: l.line, Outcome: outcome}
	if err != nil {
		line.Error = new(a.lineProblem(err))
	}
	return encode(line)
}

func (s *importSummary) count(outcome broker.Imported, err error) {
	s.Rows++
	switch {
	case err != nil:
		s.Failed++
	case outcome == broker.Added:
		s.Added++
	case outcome == broker.Replaced:
		s.Replaced++
	default:
		s.Unchanged++
	}
}

// String tells it to the audit.
func (s *importSummary) String() string {
	return fmt.Sprintf("added %d, replaced %d, unchanged %d, failed %d", s.Added, s.Replaced, s.Unchanged, s.Failed)
}
