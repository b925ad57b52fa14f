package handlers

import (
	"errors"
	"io"
	"iter"
	"strconv"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"linkbroker/broker"
)

const (
	// mostLines is how many lines a batch may have.
	mostLines = 100_000

	// mostBatches and clientBatches are how many batches go on at once, in all and of one client. More of them would
	// be no faster, for WeChat's rate is one for all.
	mostBatches   = 4
	clientBatches = 2

	// batchWait is after how long to ask again for a batch's place.
	batchWait = 5 * time.Second

	// maxID bounds what a line may call itself, in bytes.
	maxID = 128
)

// batches are those that go on.
type batches struct {
	mu      sync.Mutex
	all     int
	clients map[string]int

	spareMemory func(from bool) // see Config
}

// begin takes a place for a batch of a client.
func (b *batches) begin(client string) (done func(), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.clients[client] >= clientBatches:
		return nil, later(broker.RateLimited, "this client has batches under way already: wait for their end")
	case b.all >= mostBatches:
		return nil, later(broker.Busy, "too many batches are under way")
	}
	if b.clients == nil {
		b.clients = make(map[string]int)
	}
	b.all++
	b.clients[client]++
	if b.all == 1 && b.spareMemory != nil {
		b.spareMemory(true)
	}
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.all--; b.all == 0 && b.spareMemory != nil {
			b.spareMemory(false)
		}
		if b.clients[client]--; b.clients[client] == 0 {
			delete(b.clients, client)
		}
	}, nil
}

func later(code broker.Code, message string) error {
	err := broker.Errorf(code, "%s", message)
	err.RetryAfter = batchWait
	return err
}

// batch is one that goes on.
type batch struct {
	*stream

	api    *api
	who    caller
	app    string // of the lines that name none
	lines  *lines
	ending error // why no more lines could be read; nil at their end
}

// postBatch answers POST /api/v1/links:batch: one line for each that comes, in their order, while they come.
func (a *api) postBatch(c *gin.Context, who caller) error {
	if who.exposed() {
		return broker.Errorf(broker.Forbidden, "a batch is not for keys and signatures that stand in web pages")
	}
	app, dry, err := a.batchParams(c, who)
	if err != nil {
		return err
	}
	done, err := a.batches.begin(who.Name)
	if err != nil {
		return err
	}
	defer done()
	s := a.stream(c)
	defer s.close()
	lines, err := openLines(s, maxBody, mostLines)
	if err != nil {
		return err
	}
	s.open(contentNDJSON)
	b := &batch{stream: s, api: a, who: who, app: app, lines: lines}
	if dry {
		b.plan(languageOf(c.Request))
	} else {
		b.run()
	}
	return nil
}

func (a *api) batchParams(c *gin.Context, who caller) (app string, dry bool, err error) {
	err = eachParam(c.Request.URL.RawQuery, func(name, value string) (err error) {
		switch {
		case isCredential(name):
		case name == "appid":
			app, err = a.chooseApp(who, value)
		case name == "dry_run":
			dry, err = parseDryRun(value)
		default:
			err = broker.Errorf(malformed, "unknown parameter %q", name)
		}
		return err
	})
	return app, dry, err
}

func parseDryRun(value string) (bool, error) {
	dry, err := strconv.ParseBool(value)
	if err != nil {
		return false, broker.Errorf(malformed, "dry_run must be true or false")
	}
	return dry, nil
}

// batchRequest is a line of a batch.
type batchRequest struct {
	linkRequest

	ID *string `json:"id"` // is repeated in the answer
}

// requests reads the lines. Each is expected before it is given, so that an answer finds its label.
func (b *batch) requests() iter.Seq2[broker.Request, error] {
	return func(yield func(broker.Request, error) bool) {
		for {
			text, err := b.lines.next()
			if err != nil && !errors.Is(err, tooLarge) {
				if !errors.Is(err, io.EOF) {
					b.ending = err
				}
				return
			}
			who, gone := b.api.admitAgain(b.who)
			if gone != nil {
				b.ending = gone
				return
			}
			var req broker.Request
			l := label{line: b.lines.number}
			if err == nil {
				err = guarded(func() (err error) {
					req, l.id, err = b.request(who, text)
					return err
				})
			}
			b.expect(l)
			if !yield(req, err) {
				return
			}
		}
	}
}

// request reads a line. It has the id of some lines that are refused, too.
func (b *batch) request(who caller, text []byte) (req broker.Request, id *string, err error) {
	var in batchRequest
	if err = decode(text, &in); err != nil {
		return req, nil, err
	}
	if in.ID != nil && len(*in.ID) > maxID {
		return req, nil, broker.Errorf(malformed, "id is longer than %d bytes", maxID)
	}
	if req, err = in.request(); err != nil {
		return req, in.ID, err
	}
	if req.App == "" {
		req.App = b.app
	}
	req.App, err = b.api.chooseApp(who, req.App)
	return who.request(req), in.ID, err
}

// batchSummary is the last line of a batch that was answered to its end.
type batchSummary struct {
	Lines     int `json:"lines"`
	Hits      int `json:"hits"`      // from the store, or by the generation of another line or caller
	Generated int `json:"generated"` // for a line of this batch
	Stale     int `json:"stale"`
	Failed    int `json:"failed"`

	Quota []quotaLeft `json:"quota"` // of the mini programs of the links
}

// run answers the lines.
func (b *batch) run() {
	var sum batchSummary
	cost := make(costs)
	for answer, err := range b.api.Broker.Batch(b.ctx, b.requests()) {
		if err != nil && b.ctx.Err() != nil {
			b.abort() // or its end would be waited for
			break
		}
		cost[answer.Link.Target.App] += sum.count(answer, err)
		b.reply(b.result(answer, err))
	}
	sum.Quota = b.api.against(b.ctx, cost)
	b.say(b.api.lastLine(b.stream, b.ending, sum))
}

// count counts an answer, and says how many generations it cost.
func (s *batchSummary) count(answer broker.Answer, err error) int64 {
	s.Lines++
	switch {
	case err != nil:
		s.Failed++
	case answer.Outcome == broker.Stale:
		s.Stale++
	case answer.Outcome == broker.Miss && !answer.Collapsed:
		s.Generated++
		return 1
	default:
		s.Hits++
	}
	return 0
}

// result is the answer to a line. It is written out because there may be very many.
func (b *batch) result(answer broker.Answer, err error) []byte {
	text := b.next().append(make([]byte, 0, 512))
	if err != nil {
		text = append(append(text, `,"error":`...), encode(b.api.lineProblem(err))...)
		text[len(text)-1] = '}' // instead of a newline
		return append(text, '\n')
	}
	text = appendFields(append(text, ','), &answer)
	if answer.Collapsed {
		text = append(text, `,"collapsed":true`...)
	}
	if answer.Clamped {
		text = append(text, `,"warning":"expiry-clamped"`...)
	}
	if !answer.Stored {
		text = append(text, `,"stored":false`...)
	}
	return append(text, "}\n"...)
}

// append appends the members of a line that say which it answers, and no end.
func (l label) append(b []byte) []byte {
	b = strconv.AppendInt(append(b, `{"line":`...), int64(l.line), 10)
	if l.id != nil {
		b = appendString(append(b, `,"id":`...), *l.id)
	}
	return b
}

// lineProblem tells an error inside of a stream.
func (a *api) lineProblem(err error) problem {
	r, e := judge(err)
	if e.Code == broker.Internal {
		a.Logger.Error("a line met a defect", "error", err)
	}
	p := r.problem(e)
	if wait := retryAfter(r, e); wait > 0 {
		p.RetryAfter = int64(wait / time.Second)
	}
	return p
}

// lastLine is the last line of a stream: the summary of one that came to its end, or why it did not.
func (a *api) lastLine(s *stream, ending error, summary any) []byte {
	if ending == nil && s.ctx.Err() != nil {
		ending = s.cause()
	}
	if ending != nil {
		return encode(struct {
			Error problem `json:"error"`
		}{a.lineProblem(ending)})
	}
	return encode(struct {
		Summary any `json:"summary"`
	}{summary})
}
