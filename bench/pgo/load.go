package main

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	callers    = 16
	targets    = 2000 // that are stored
	aliases    = 50
	batchLines = 500
)

// question is a request.
type question struct {
	method string
	admin  bool
	path   string
	body   string
}

// mix is what is asked, and how often among a thousand. Hits are nearly all, as with a broker that runs for a day: what
// is rare costs so much more that the profile has its share of it too.
//
//nolint:gochecknoglobals // a constant table
var mix = []struct {
	of  int
	ask func() question
}{
	{400, func() question { return post("/api/v1/links", known()) }},
	{150, func() question { return post("/wxa/generate_urllink", known()) }},
	{200, func() question { return post("/k/"+apiKey+"/wxa/generate_urllink", known()) }},
	{130, func() question {
		return question{http.MethodGet, false, fmt.Sprintf("/api/v1/link?path=pages/product/detail&query=id%%3D%d%%26src%%3Dsms", rand.IntN(targets)), ""}
	}},
	{100, func() question {
		return question{http.MethodGet, false, fmt.Sprintf("/l/item-%d", rand.IntN(aliases)), ""}
	}},
	{19, func() question { return post("/api/v1/links", body(targets+rand.Int())) }}, // a miss
	{1, func() question { return batch(rand.IntN(targets - batchLines)) }},
}

func post(path, body string) question { return question{http.MethodPost, false, path, body} }

func known() string { return body(rand.IntN(targets)) }

func body(id int) string {
	return fmt.Sprintf(`{"path":"pages/product/detail","query":"id=%d&src=sms"}`, id)
}

func batch(first int) question {
	var lines strings.Builder
	for id := first; id < first+batchLines; id++ {
		lines.WriteString(body(id) + "\n")
	}
	return post("/api/v1/links:batch", lines.String())
}

func pick() question {
	n := rand.IntN(1000)
	for _, m := range mix {
		if n -= m.of; n < 0 {
			return m.ask()
		}
	}
	panic("the mix is of less than a thousand")
}

// profileUnderLoad takes the profile while everything is asked.
func (s *server) profileUnderLoad(ctx context.Context, d time.Duration) (cpu []byte, err error) {
	asking, stop := context.WithCancel(ctx)
	loaded := make(chan error, 1)
	go func() { loaded <- s.load(asking, pick) }()
	cpu, err = s.profile(ctx, d)
	stop()
	return cpu, cmp.Or(err, <-loaded)
}

// load asks from all callers until the context ends. On a busy machine a miss may be refused for want of time, but a
// profile of errors would be worse than none: it fails if more than one question in a thousand does.
func (s *server) load(ctx context.Context, next func() question) error {
	var asked, refused atomic.Int64
	var why error // of the first
	var first sync.Once
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for ; ctx.Err() == nil; asked.Add(1) {
				if err := s.ask(context.WithoutCancel(ctx), next()); err != nil {
					refused.Add(1)
					first.Do(func() { why = err })
				}
			}
		})
	}
	all.Wait()
	if refused.Load() <= asked.Load()/1000 {
		return nil
	}
	return fmt.Errorf("%d of %d questions failed, the first: %w", refused.Load(), asked.Load(), why)
}
