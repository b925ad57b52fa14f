package cli

import (
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"strings"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
	"linkbroker/handlers"
	"linkbroker/wechat"
)

// NewEventLog gives what Policy.Observe and the WeChat client tell the log.
func NewEventLog(logger *slog.Logger, clock broker.Clock) (func(broker.Event), func(wechat.TokenFetch)) {
	e := newEventLog(logger, clock)
	return e.observe, e.observeToken
}

// NewCertificate gives what a listener asks at each handshake.
func NewCertificate(files TLSConfig, logger *slog.Logger) (func() (*tls.Certificate, error), error) {
	c, err := newCertificate(files, logger)
	if err != nil {
		return nil, err
	}
	return func() (*tls.Certificate, error) { return c.get(nil) }, nil
}

// SheetRow is a row of a file as tests see it: what is sent for it, and how it begins in the output.
type SheetRow struct {
	Line    int
	Request string
	Begin   string
}

// ReadSheet reads the input of a batch.
func ReadSheet(name, text string) (rows []SheetRow, head string, err error) {
	of, err := formOf(name)
	if err != nil {
		return nil, "", err
	}
	input, err := openInput(of, strings.NewReader(text))
	if err != nil {
		return nil, "", err
	}
	for {
		r, err := input.next()
		if errors.Is(err, io.EOF) {
			return rows, string(input.outputHead()), nil
		}
		if err != nil {
			return nil, "", err
		}
		rows = append(rows, SheetRow{r.line, string(input.request(r)), string(r.text)})
	}
}

// WriteOutput writes the output of an input in which row n has the n-th of the links, or an error where that is empty.
func WriteOutput(name, text string, link func(n int) string) (string, error) {
	of, err := formOf(name)
	if err != nil {
		return "", err
	}
	input, err := openInput(of, strings.NewReader(text))
	if err != nil {
		return "", err
	}
	out := input.outputHead()
	for n := 0; ; n++ {
		r, err := input.next()
		if errors.Is(err, io.EOF) {
			return string(out), nil
		}
		if err != nil {
			return "", err
		}
		result := result{URL: link(n), Key: "k", ExpiresAt: "2027-01-31T08:00:00Z", Outcome: "miss"}
		if result.URL == "" {
			result.Key, result.ExpiresAt, result.Outcome, result.Error = "", "", "", "=refused, \"quoted\"\nor not"
		}
		out = input.appendOutput(out, r, result)
	}
}

// Resume reads how far an output has come. With a whole output of an earlier run it is one of a retry.
func Resume(name, text, part, earlier string) (done int, keep int64, err error) {
	of, err := formOf(name)
	if err != nil {
		return 0, 0, err
	}
	s := &source{of: of}
	if s.input, err = openInput(of, strings.NewReader(text)); err != nil {
		return 0, 0, err
	}
	if earlier != "" {
		if s.earlier, err = openOutput(of, strings.NewReader(earlier), s.input); err != nil {
			return 0, 0, err
		}
	}
	size, err := trimZeros(strings.NewReader(part), int64(len(part)))
	if err != nil {
		return 0, 0, err
	}
	keep, err = s.resume(strings.NewReader(part), size, func(result) { done++ })
	for err == nil && s.earlier != nil { // what was done before is looked at up to its end
		_, err = s.next()
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return done, keep, err
}

// ShowProgress gives what is told of a batch of so many rows, of which one is done each millisecond, behind those done
// before.
func ShowProgress(total, before int, outcome func(n int) string) string {
	var out strings.Builder
	now := time.Unix(0, 0)
	p := newProgress(&out, false, total)
	p.clock = func() time.Time { return now }
	p.note(&batchSummary{Quota: []batchQuota{{App: "a", Left: 498_766}}})
	for n := range before {
		p.count(result{Outcome: outcome(n)})
	}
	p.start()
	for n := before; n < total; n++ {
		now = now.Add(time.Millisecond)
		p.add(result{Outcome: outcome(n)})
	}
	return out.String()
}

// NewWarnings gives a handler that remembers, and what it remembers.
func NewWarnings(clock broker.Clock) (slog.Handler, func() []handlers.Warning) {
	w := newWarnings(clock)
	return w, w.newest
}

// Rows gives the configuration value by value.
func Rows(s *Settings) []handlers.Setting { return s.rows() }

// Pending gives the rows after a reload.
var Pending = pending

// NewBackups gives the copies of a store; nil where it has no file.
func NewBackups(cfg Config, store *cache.Store) handlers.Backups {
	if copies := cfg.copies(store); copies != nil {
		return copies
	}
	return nil
}

// MemoryLimit gives what memory is limited to on a machine that has so much, and whether that is too little.
func MemoryLimit(cfg Config, machine int64) (limit int64, tight bool) {
	m := cfg.memory(machine, "machine")
	return m.limit, m.tight()
}
