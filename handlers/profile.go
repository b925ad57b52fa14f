package handlers

import (
	"bytes"
	"context"
	"io"
	"runtime/pprof"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

// profiles are what a running program tells of itself, in pprof's format: the names of functions with how often or for
// how much each was seen, and never a value. So no secret is in them. Their addresses are those that Go's tools know;
// net/http/pprof, which serves more of them, would put itself on http.DefaultServeMux and write some as text, in which
// values do stand.
//
//nolint:gochecknoglobals // a constant table
var profiles = map[string]func(ctx context.Context, w io.Writer, seconds int) error{
	"profile":   profileCPU,
	"heap":      snapshot("heap"),
	"allocs":    snapshot("allocs"),
	"goroutine": snapshot("goroutine"),
}

// How long the processor is looked at.
const (
	usualProfile   = 30 // seconds, as with Go's own tools
	longestProfile = 60
)

// showProfile answers GET /debug/pprof/{profile}. The server's stopping ends it.
func (a *api) showProfile(c *gin.Context, _ caller) error {
	name := c.Param("profile")
	take, ok := profiles[name]
	if !ok {
		return broker.Errorf(broker.NotFound, "there is no such profile: there are profile (of the processor), heap, allocs and goroutine")
	}
	seconds := usualProfile
	err := eachParam(c.Request.URL.RawQuery, func(param, value string) (err error) {
		if name != "profile" || param != "seconds" {
			return broker.Errorf(malformed, "unknown parameter %q", param)
		}
		seconds, err = parseSeconds(value)
		return err
	})
	if err != nil {
		return err
	}
	s := a.stream(c) // for the server would wait for no answer as long as this takes
	defer s.close()
	var whole bytes.Buffer // of some hundred kilobytes
	if err := take(s.ctx, &whole, seconds); err != nil {
		return err
	}
	h := c.Writer.Header()
	h.Set("Content-Disposition", `attachment; filename="`+name+`.pb.gz"`)
	h.Set("Content-Length", strconv.Itoa(whole.Len()))
	s.open(contentFile)
	_, err = whole.WriteTo(s)
	return err
}

func parseSeconds(value string) (int, error) {
	seconds, err := strconv.Atoi(value)
	if err != nil || seconds < 1 || seconds > longestProfile {
		return 0, broker.Errorf(malformed, "seconds must be a number from 1 to %d", longestProfile)
	}
	return seconds, nil
}

// profileCPU looks a hundred times a second at what is being done. There is one such profile at a time.
func profileCPU(ctx context.Context, w io.Writer, seconds int) error {
	if err := pprof.StartCPUProfile(w); err != nil {
		return broker.Errorf(broker.Conflict, "another profile is being taken: %w", err)
	}
	defer pprof.StopCPUProfile() // which writes it
	timer := time.NewTimer(time.Duration(seconds) * time.Second)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// snapshot takes a profile that is there at any time.
func snapshot(name string) func(context.Context, io.Writer, int) error {
	return func(_ context.Context, w io.Writer, _ int) error {
		const withoutValues = 0 // the forms for people have some
		return pprof.Lookup(name).WriteTo(w, withoutValues)
	}
}
