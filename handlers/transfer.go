package handlers

import (
	"cmp"
	"encoding/csv"
	"iter"
	"strconv"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// maxTransferRow bounds a row of an import in bytes. A link with all it may have takes less.
const maxTransferRow = 128 << 10

// form is how rows are written.
type form string

const (
	formCSV    form = "csv"
	formNDJSON form = "ndjson"
)

// exportLinks answers GET /api/v1/links.csv and /api/v1/links.ndjson.
func (a *api) exportLinks(as form) func(*gin.Context, caller) error {
	return func(c *gin.Context, _ caller) error {
		var q broker.Query
		err := eachParam(c.Request.URL.RawQuery, func(name, value string) error {
			set, ok := queryParams[name]
			if !ok || name == "sort" || name == "limit" || name == "cursor" {
				return broker.Errorf(malformed, "unknown parameter %q", name)
			}
			return set(&q, value)
		})
		if err != nil {
			return err
		}
		s := a.stream(c)
		defer s.close()
		return export(s, c, as, "links", linkColumns, func(yield func(linkRow, error) bool) {
			for link, err := range a.Broker.AllLinks(s.ctx, q) {
				if !yield(linkRowOf(link), err) {
					return
				}
			}
		})
	}
}

// exportAliases answers GET /api/v1/aliases.csv and /api/v1/aliases.ndjson.
func (a *api) exportAliases(as form) func(*gin.Context, caller) error {
	return func(c *gin.Context, _ caller) error {
		var q broker.AliasQuery
		err := eachParam(c.Request.URL.RawQuery, func(name, value string) error {
			set, ok := aliasParams[name]
			if !ok || name == "limit" || name == "cursor" {
				return broker.Errorf(malformed, "unknown parameter %q", name)
			}
			return set(&q, value)
		})
		if err != nil {
			return err
		}
		s := a.stream(c)
		defer s.close()
		return export(s, c, as, "aliases", aliasColumns, func(yield func(aliasRow, error) bool) {
			for alias, err := range a.Broker.AllAliases(s.ctx, q) {
				if !yield(aliasRowOf(alias), err) {
					return
				}
			}
		})
	}
}

// export writes rows. An error after the first of them cuts the answer off, which must not look like a whole one.
func export[Row any](s *stream, c *gin.Context, as form, what string, columns []column[Row], rows iter.Seq2[Row, error]) error {
	c.Writer.Header().Set("Content-Disposition", `attachment; filename="`+what+"."+string(as)+`"`)
	var write func(r *Row) error
	end := func() error { return nil }
	begin := func() {
		if as == formNDJSON {
			s.open(contentNDJSON)
			write = func(r *Row) error { _, err := s.Write(encode(*r)); return err }
			return
		}
		s.open(contentCSV)
		write, end = csvWriter(s, columns)
	}
	count := 0
	defer func() { // whoever breaks it off has what was sent by then
		entryOf(c).Object, entryOf(c).Detail = "", string(as)+": "+strconv.Itoa(count)+" "+what
	}()
	for row, err := range rows {
		if err != nil {
			return err
		}
		if write == nil {
			begin()
		}
		if err := write(&row); err != nil {
			return err
		}
		count++
	}
	if write == nil {
		begin()
	}
	return end()
}

// csvWriter writes rows as CSV, below the names of the columns.
func csvWriter[Row any](s *stream, columns []column[Row]) (write func(r *Row) error, end func() error) {
	out, cells := csv.NewWriter(s), make([]string, len(columns))
	for i, column := range columns {
		cells[i] = column.name
	}
	first := writeCSV(out, cells)
	write = func(r *Row) error {
		for i, column := range columns {
			cells[i] = column.write(r)
		}
		return cmp.Or(first, writeCSV(out, cells))
	}
	return write, func() error {
		out.Flush()
		return out.Error()
	}
}
