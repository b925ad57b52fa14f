package handlers

import (
	"context"
	"hash/maphash"
	"sync/atomic"

	"linkbroker/broker"
)

// idiom is a way to ask for a link: the words of a request, a body or the parameters of an address, are read by it.
type idiom struct {
	read func(words []byte) (broker.Request, error) // must not keep the words; the request's App is the one they name
	salt uint64                                     // the same words in another idiom mean something else
}

// asked is what words ask for, whoever says them.
type asked struct {
	app     string          // that they name; empty if they name none
	request *broker.Request // without an app; nil if it is prepared

	idiom *idiom // the next two are set if it is remembered or worth it
	words string

	settled  string // the app for which it is prepared
	prepared *broker.Prepared
}

// memo remembers what words mean: what is asked for over and over is decoded, normalised and hashed once. It leads to
// the key of a target and never to a link, so that no deletion and no renewal has anything to take back here.
//
// It is a table of fixed size without a lock. Words have one place each, and who is asked for twice in a row there takes
// it: what is asked for once would only cost.
type memo struct {
	seed   maphash.Seed
	places [memoPlaces]struct {
		last  atomic.Uint32 // part of the hash of the words that came last and are not remembered
		taken atomic.Pointer[asked]
	}
}

const (
	memoPlaces  = 1 << 14 // some 10 MiB when all are taken
	memoLongest = 1 << 10 // bytes; longer words are read each time
)

func newMemo() *memo { return &memo{seed: maphash.MakeSeed()} }

// newIdiom gives an idiom with a reader.
func newIdiom(read func(words []byte) (broker.Request, error)) *idiom {
	f := &idiom{read: read}
	f.salt = maphash.Comparable(maphash.MakeSeed(), f)
	return f
}

// bodyOf is an idiom whose words are the JSON of a T.
func bodyOf[T any, P interface {
	*T
	request() (broker.Request, error)
}]() *idiom {
	return newIdiom(func(words []byte) (broker.Request, error) {
		in := P(new(T))
		if p, ok := any(in).(plainRequest); ok && readPlain(words, p) {
			return in.request()
		}
		in = P(new(T))
		if err := decode(words, in); err != nil {
			return broker.Request{}, err
		}
		return in.request()
	})
}

// understand gives what words ask for: as it is remembered, or read now.
func (m *memo) understand(f *idiom, words []byte) (*asked, error) {
	known, again := m.find(f, words)
	if known != nil {
		return known, nil
	}
	return f.ask(words, again)
}

// find gives what is remembered, or else says whether the words would be worth it.
func (m *memo) find(f *idiom, words []byte) (known *asked, again bool) {
	if len(words) > memoLongest {
		return nil, false
	}
	hash := maphash.Bytes(m.seed, words) ^ f.salt
	place := &m.places[hash%memoPlaces]
	if known := place.taken.Load(); known != nil && known.idiom == f && known.words == string(words) {
		return known, false
	}
	mark := uint32(hash >> 32) // the part of it that the place does not say
	return nil, place.last.Swap(mark) == mark
}

// ask reads words, and notes them if they are asked for again.
func (f *idiom) ask(words []byte, again bool) (*asked, error) {
	req, err := f.read(words)
	if err != nil {
		return nil, err
	}
	a := &asked{app: req.App, request: &req}
	req.App = ""
	if again {
		a.idiom, a.words = f, string(words)
	}
	return a, nil
}

// remember keeps what is asked, prepared for an app.
func (m *memo) remember(a *asked, app string, prepared *broker.Prepared) {
	hash := maphash.String(m.seed, a.words) ^ a.idiom.salt
	m.places[hash%memoPlaces].taken.Store(&asked{app: a.app, idiom: a.idiom, words: a.words, settled: app, prepared: prepared})
}

// answerTo gives the answer to what a caller asks on behalf of an app. What is asked again is prepared for the next time.
func (a *api) answerTo(ctx context.Context, who *caller, app string, what *asked) (broker.Answer, error) {
	var req broker.Request
	switch {
	case what.prepared == nil:
		req = *what.request
		req.App = app
		if what.idiom == nil {
			break
		}
		if prepared, lasting := a.Broker.Prepare(&req); lasting {
			a.memo.remember(what, app, prepared)
			req.Prepared = prepared
		}
	case what.settled == app:
		req.Prepared = what.prepared
	default:
		read, err := what.idiom.ask([]byte(what.words), true)
		if err != nil {
			return broker.Answer{}, err
		}
		return a.answerTo(ctx, who, app, read)
	}
	who.ask(&req)
	return a.Broker.Get(ctx, req)
}
