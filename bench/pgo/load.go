package main

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
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

// profileUnderLoad takes the profile while everything is asked. One refused question ends it: a profile of errors is
// worse than none.
func (s *server) profileUnderLoad(ctx context.Context, d time.Duration) (cpu []byte, err error) {
	asking, stop := context.WithCancel(ctx)
	defer stop()
	loaded := make(chan error, 1)
	go func() {
		defer stop()
		loaded <- s.load(asking, pick)
	}()
	cpu, err = s.profile(asking, d)
	stop()
	return cpu, cmp.Or(<-loaded, err)
}

// load asks from all callers until the context ends, or a question is refused.
func (s *server) load(ctx context.Context, next func() question) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	refused := make(chan error, callers)
	for range callers {
		all.Go(func() {
			for ctx.Err() == nil {
				if err := s.ask(context.WithoutCancel(ctx), next()); err != nil {
					refused <- err
					cancel()
				}
			}
		})
	}
	all.Wait()
	close(refused)
	return <-refused
}
