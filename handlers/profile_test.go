package handlers_test

import (
	"bytes"
	"context"
	"io"
	"net/http/httptest"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"
)

func TestProfiles(t *testing.T) {
	for name, kind := range map[string]string{
		"profile?seconds=1": "cpu", "heap": "inuse_space", "allocs": "alloc_space", "goroutine": "goroutine",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			out := w.administer("GET", "/debug/pprof/"+name)
			if out.Code != 200 {
				t.Fatalf("%d %s", out.Code, out.text())
			}
			p, err := profile.Parse(bytes.NewReader(out.Body.Bytes()))
			if err != nil {
				t.Fatal(err)
			}
			var kinds []string
			for _, k := range p.SampleType {
				kinds = append(kinds, k.Type)
			}
			if !strings.Contains(strings.Join(kinds, " "), kind) {
				t.Errorf("it is of %v", kinds)
			}
			if strings.Contains(p.String(), adminKey) {
				t.Error("a key is in it")
			}
		})
	}
}

func TestWhyThereIsNoProfile(t *testing.T) {
	w := newWorld(t)
	for address, code := range map[string]string{
		"/debug/pprof/cmdline":             "not_found",
		"/debug/pprof/profile?seconds=0":   "malformed",
		"/debug/pprof/profile?seconds=61":  "malformed",
		"/debug/pprof/profile?debug=1":     "malformed",
		"/debug/pprof/goroutine?debug=2":   "malformed",
		"/debug/pprof/goroutine?seconds=1": "malformed",
	} {
		wantCode(t, w.administer("GET", address), code)
	}
}

func TestTheProcessorIsProfiledOnceAtATime(t *testing.T) {
	w := newWorld(t)
	if err := pprof.StartCPUProfile(io.Discard); err != nil {
		t.Skip("the tests are being profiled: ", err)
	}
	wantCode(t, w.administer("GET", "/debug/pprof/profile?seconds=1"), "conflict")
	pprof.StopCPUProfile()
	if out := w.administer("GET", "/debug/pprof/profile?seconds=1"); out.Code != 200 {
		t.Errorf("%d %s", out.Code, out.text())
	}
}

func TestWhoHangsUpEndsHisProfile(t *testing.T) {
	w := newWorld(t)
	ctx, hangUp := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer hangUp()
	w.serve(w.admin, httptest.NewRequestWithContext(ctx, "GET", "/debug/pprof/profile?seconds=60", nil), as(adminKey))
	if out := w.administer("GET", "/debug/pprof/profile?seconds=1"); out.Code != 200 {
		t.Errorf("%d %s", out.Code, out.text())
	}
}
