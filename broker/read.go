package broker

import (
	"crypto/rand"
	"time"
)

// reading is what a request says by itself, whoever asks: of which app, for which canonical target and its key, and
// how long the link of the answer must live.
type reading struct {
	app       *app
	rules     *kindRules
	key       Key
	cq        string // to be spliced onto the link
	unspliced string // why nothing is, although it was asked
	leastLife time.Duration
	clamped   bool   // more than WeChat's 30 days were asked
	target    Target // as WeChat is sent it: without the query where cq is set; the last, for a hit hardly looks at it
}

// Prepared is a request that has been read for all the times that it is made: Get then neither normalises nor hashes.
type Prepared struct{ reading }

// Prepare reads a request. It reports false for one that cannot be read, and for one that is read differently each time:
// with expire_time, which may be too near the next time, or of an app that never shares.
func (b *Broker) Prepare(req *Request) (*Prepared, bool) {
	app := b.apps[req.App]
	if app == nil || app.NeverShare || !req.Expiry.At.IsZero() {
		return nil, false
	}
	p := new(Prepared)
	if err := b.read(&p.reading, req, b.clock()); err != nil {
		return nil, false
	}
	return p, true
}

// read reads a request: the class of its expiry, its canonical target, its key and the least life of its answer.
func (b *Broker) read(r *reading, req *Request, now time.Time) (err error) {
	app, ok := b.apps[req.App]
	if !ok {
		return Errorf(UnknownApp, "no mini program of this appid is configured")
	}
	r.app, r.target = app, req.Target
	expiry := &r.target.Expiry
	if *expiry, r.clamped, err = expiry.settle(now, app.ExpireTimeGrain); err != nil {
		return err
	}
	if r.leastLife, err = expiry.leastLifeFor(req.LeastLife); err != nil {
		return err
	}
	if app.AtLeast && expiry.Days != 0 {
		// Folded into the living link, which then must have left what was asked as the whole life.
		r.leastLife = max(r.leastLife, expiry.leastLife(), time.Duration(expiry.Days)*day-safetyMargin)
		*expiry = Expiry{}
	}
	if app.NeverShare {
		if r.target.Scope != "" {
			return Errorf(InvalidArgument, "scope means nothing for this app: its links are never shared")
		}
		r.target.Scope = "never-share " + rand.Text() // a target of its own, and so a key of its own
	}
	if r.rules, err = r.target.normalize(); err != nil {
		return err
	}
	r.cq, r.unspliced = app.splice(&r.target, req.Splice)
	r.key = r.target.Key()
	return nil
}

// permittedTo reports with an error why the request is not a client's to make.
func (r *reading) permittedTo(client *Client, signed bool) error {
	if r.cq == "" {
		return client.Permits(&r.target, signed)
	}
	asked := r.target
	asked.Query = r.cq
	return client.Permits(&asked, signed)
}

// satisfiedBy reports whether a stored link does.
func (r *reading) satisfiedBy(l *Link, now time.Time) bool {
	return l.Outlives(now.Add(r.leastLife))
}

// describe says how an answer came about.
func (r *reading) describe(a *Answer, outcome Outcome, now time.Time) {
	a.At, a.Outcome, a.LeastLife = now, outcome, r.leastLife
	a.CQ, a.Unspliced, a.Clamped = r.cq, r.unspliced, r.clamped
}

// compose answers with a link that is put together here. It is kept nowhere: the next is the same.
func (r *reading) compose(answer *Answer, now time.Time) error {
	if !r.app.PlainScheme {
		return Errorf(InvalidArgument, "this mini program has no plain schemes: plain_scheme switches them on, "+
			"once the pages are declared for them in WeChat's console")
	}
	sent := now.UTC().Truncate(time.Millisecond)
	answer.Link = Link{Key: r.key, Target: r.target, URL: r.rules.compose(r.target), GeneratedAt: sent, ExpiresAt: never}
	answer.Stored = true
	r.describe(answer, Composed, now)
	return nil
}

// leastLifeFor gives the least life of an answer: the asked one, or by default that of the class.
func (e Expiry) leastLifeFor(asked time.Duration) (time.Duration, error) {
	switch {
	case !e.Renewable(), asked == 0:
		return e.leastLife(), nil
	case asked < 0:
		return 0, Errorf(InvalidLeastLife, "least_life must not be negative")
	case asked > e.mostLeastLife():
		return 0, Errorf(InvalidLeastLife, "least_life is at most two thirds of the link's life, here %s", e.mostLeastLife())
	default:
		return asked, nil
	}
}
