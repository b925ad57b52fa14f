package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"linkbroker/broker"
)

const (
	batchPath     = "/api/v1/links:batch"
	rehearsalPath = batchPath + "?dry_run=true"

	// chunkRows and chunkBytes bound what is sent at once: little enough for a proxy with its usual limit of a megabyte,
	// and enough for the pause between two of them to be nothing.
	chunkRows  = 5000
	chunkBytes = 900 << 10

	// lineWithin is how long the broker may take for a line. It waits five minutes itself for one whose turn does not
	// come.
	lineWithin = 6 * time.Minute
)

// asked is a row that is asked for.
type asked struct {
	line     int
	text     []byte
	known    *result // it is not asked for, because this is known
	from, to int     // its request in the body of the chunk
}

// chunk is what is sent at once.
type chunk struct {
	rows []asked
	body []byte
}

// readChunk reads what is sent next. It is empty at the end.
func readChunk(s *source) (chunk, error) {
	var c chunk
	for len(c.rows) < chunkRows && len(c.body) < chunkBytes {
		r, err := s.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return chunk{}, err
		}
		a := asked{line: r.line, text: bytes.Clone(r.text), known: r.known, from: len(c.body)}
		if r.known == nil {
			c.body = append(append(c.body, s.input.request(r.row)...), '\n')
		}
		a.to = len(c.body)
		c.rows = append(c.rows, a)
	}
	return c, nil
}

// behind gives the chunk without its first rows.
func (c chunk) behind(n int) chunk {
	c.rows = c.rows[n:]
	return c
}

// requests gives the requests of the rows that are left.
func (c chunk) requests() []byte {
	if len(c.rows) == 0 {
		return nil
	}
	return c.body[c.rows[0].from:c.rows[len(c.rows)-1].to]
}

// batchLine is a line of the broker's answer: the result of a row, or at the end the summary.
type batchLine struct {
	result

	Line      int    `json:"line"` // of what was sent, from 1
	App       string `json:"app"`
	Collapsed bool   `json:"collapsed"` // a miss that shares the generation of another

	Problem  *refused       `json:"error"`
	Findings []batchFinding `json:"findings"` // of a dry run
	Summary  *batchSummary  `json:"summary"`
}

// batchFinding is what a rule of the rule book says of a row.
type batchFinding struct {
	Rule     string `json:"rule"`
	Severity string `json:"severity"`
	Message  string `json:"message"`
}

// batchSummary ends an answer.
type batchSummary struct {
	Quota []batchQuota `json:"quota"`
}

// batchQuota is how a mini program stands with its day.
type batchQuota struct {
	App      string    `json:"app"`
	Left     int64     `json:"left"`
	Reserve  int64     `json:"reserve"` // of it, what batches leave to others
	ResetsAt time.Time `json:"resets_at"`
}

// send asks for the rows of a chunk and hands out each result in its order. It says how many rows are settled; the next
// one is that of the error. The summary is nil where the broker was not asked.
func (a *remote) send(ctx context.Context, path string, c chunk, each func(asked, batchLine) error) (settled int, sum *batchSummary, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	overdue := time.AfterFunc(lineWithin, func() { cancel(errors.New("nothing came for too long")) })
	defer overdue.Stop()
	lines, err := a.openLines(ctx, path, c.requests())
	if err != nil {
		return 0, nil, err
	}
	defer lines.close()
	for i, row := range c.rows {
		var line batchLine
		if row.known != nil {
			line.result = *row.known
		} else if line, err = lines.next(ctx); err != nil {
			return i, nil, err
		}
		if err := each(row, line); err != nil {
			return i, nil, err
		}
		overdue.Reset(lineWithin)
	}
	sum, err = lines.summary(ctx)
	return len(c.rows), sum, err
}

// batchLines are the lines of an answer.
type batchLines struct {
	*remote

	body io.Closer // nil = nothing was asked
	scan *bufio.Scanner
	read int
}

func (a *remote) openLines(ctx context.Context, path string, requests []byte) (*batchLines, error) {
	if len(requests) == 0 {
		return &batchLines{}, nil
	}
	resp, err := a.open(ctx, call{ //nolint:bodyclose // close does
		method: http.MethodPost, path: path, contentType: "application/x-ndjson", body: bytes.NewReader(requests),
	})
	if err != nil {
		return nil, err
	}
	l := &batchLines{remote: a, body: resp.Body, scan: bufio.NewScanner(resp.Body)}
	l.scan.Buffer(nil, maxRow)
	return l, nil
}

func (l *batchLines) close() {
	if l.body != nil {
		l.body.Close()
	}
}

// next reads the result of the next row.
func (l *batchLines) next(ctx context.Context) (batchLine, error) {
	line, err := l.line(ctx)
	l.read++
	switch {
	case err != nil:
		return line, err
	case line.Line == 0 && line.Problem != nil:
		return line, line.Problem // of the batch as a whole
	case line.Line != l.read:
		return line, l.nonsense()
	}
	return line, nil
}

// summary reads the line behind the last result.
func (l *batchLines) summary(ctx context.Context) (*batchSummary, error) {
	if l.body == nil {
		return nil, nil //nolint:nilnil // nothing was asked
	}
	line, err := l.line(ctx)
	if err == nil && line.Summary == nil {
		err = l.nonsense()
	}
	return line.Summary, err
}

func (l *batchLines) line(ctx context.Context) (line batchLine, err error) {
	if !l.scan.Scan() {
		return line, l.brokeOff(cmpErr(context.Cause(ctx), l.scan.Err(), io.ErrUnexpectedEOF))
	}
	if json.Unmarshal(l.scan.Bytes(), &line) != nil {
		return line, l.nonsense()
	}
	return line, nil
}

// cmpErr gives the first error that is one.
func cmpErr(errs ...error) error {
	return errs[slices.IndexFunc(errs, func(err error) bool { return err != nil })]
}

// fate is what becomes of a batch in which a row or a call was refused.
type fate int

const (
	rowFails fate = iota // the row's own fault: it stays in the output with its error
	mayPass              // it is tried again for a while
	stops                // nothing comes before the time in retry_after
	breaks               // somebody has to change something first
)

// fates are those of rows. A code that is not here is the row's own.
var fates = map[broker.Code]fate{
	broker.QuotaExhausted:  stops,
	broker.BudgetExhausted: stops,
	broker.Busy:            mayPass,
	broker.Unavailable:     mayPass,
	broker.StoreFailed:     mayPass,
	broker.RateLimited:     mayPass,
	broker.TokenRefused:    mayPass,
	broker.AppNotReleased:  mayPass,
	broker.AppForbidden:    mayPass,
}

// fateOf says what becomes of a batch when a whole call failed.
func fateOf(err error) fate {
	p, ok := errors.AsType[*refused](err)
	switch {
	case !ok:
		return mayPass // no answer, or one that broke off
	case fates[p.Code] != rowFails:
		return fates[p.Code]
	case p.status/100 == 5 || p.status == http.StatusTooManyRequests:
		return mayPass // a proxy in front
	default:
		return breaks
	}
}

// stopped is why a batch ends before its end. The same command goes on.
type stopped struct {
	cause error
	after time.Duration // when it can go on; 0 if nothing is known
}

// Error says why.
func (s *stopped) Error() string { return fmt.Sprintf("stopped: %v", s.cause) }

// Unwrap gives the cause.
func (s *stopped) Unwrap() error { return s.cause }
