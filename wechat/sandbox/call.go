package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"
)

const maxBody = 1 << 20

// call is one call of WeChat's interface.
type call struct {
	route  string
	method string
	query  url.Values
	body   []byte
	length int64 // -1 = sent in chunks, without a Content-Length
	now    time.Time

	made    *link  // the link that came of it; nil if none did
	picture []byte // that is answered in place of JSON; nil = none
}

// handler does the work of a route. It runs under the lock and gives either fields or an errcode.
type handler func(c *call) (fields, errcode)

// serve answers a route: counts the call, refuses what a fault or WeChat's outer rules refuse, does the work, keeps
// what came of it, and sends the answer as whole or as damaged as the fault wants it.
func (w *WeChat) serve(route, method string, work handler) {
	w.mux.HandleFunc(route, func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(io.LimitReader(r.Body, maxBody))
		c := &call{
			route: route, method: r.Method, query: r.URL.Query(), body: body, length: r.ContentLength, now: w.clock(),
		}

		w.mu.Lock()
		w.stats.enter(c)
		fault := w.takeFault(route)
		answer := w.answer(c, method, fault, work)
		w.mu.Unlock()
		defer func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.stats.leave(c)
		}()

		w.keep(context.WithoutCancel(r.Context()), c.made)
		switch {
		case !wait(r.Context(), fault.Delay):
		case c.picture != nil && faults[fault.Name].send == nil:
			sendPicture(rw, c.picture)
		default:
			send(rw, r, fault, answer)
		}
	})
}

// answer gives what WeChat answers.
func (w *WeChat) answer(c *call, method string, fault Fault, work handler) fields {
	var answer fields
	code := fault.refuses()
	switch {
	case code != ok:
	case c.method != method && method == http.MethodPost:
		code = wantsPOST
	case c.method != method:
		code = wantsGET
	case method == http.MethodPost && c.length <= 0:
		code = bodyEmpty
	default:
		answer, code = work(c)
	}
	if code != ok {
		w.stats.Errcodes[int(code)]++
		return code.refused(c.now)
	}
	if change := faults[fault.Name].change; change != nil {
		change(answer, c.now)
	}
	return answer
}

// decode reads the body. WeChat tells a body that is no JSON from a field of the wrong type (assumed).
func (c *call) decode(into any) errcode {
	err := json.Unmarshal(c.body, into)
	if _, mistyped := errors.AsType[*json.UnmarshalTypeError](err); mistyped && bytes.HasPrefix(bytes.TrimSpace(c.body), []byte("{")) {
		return argumentInvalid
	}
	if err != nil {
		return jsonInvalid
	}
	return ok
}

// wait waits, and reports whether the caller is still there.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func encode(value any) []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(value) // maps, strings and numbers can always be encoded
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}
