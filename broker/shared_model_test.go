package broker_test

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"linkbroker/broker"
)

// The model: a key has one current link or none. What brokers do with it happens at one instant each, somewhere between a
// beginning and an end.
//
//   - A link that WeChat made becomes current at some instant after it was made, and before anybody was answered with it as
//     stored. What was made for a request finds none there; what a renewal made replaces what there is.
//   - A deletion leaves none.
//   - An answer says what was current, though not always at that moment: a hit comes from the broker's memory, which hears
//     of a change elsewhere a little later. So it may be as old as such a notice takes at most, and where the store could not
//     be asked as old as the last moment at which it could.
//
// Of what failed nobody knows whether it has happened: it may do so at any time, or never. A link that could not be stored
// may be stored later; until then it is answered as not stored, which says nothing about the current one.

// deed is what happened to a key.
type deed struct {
	kind deedKind
	url  string // the link that became current or was read; empty = none
}

type deedKind int

const (
	put      deedKind = iota // whatever was there
	putNew                   // where there was none, or one of a broker that was alone and asked nobody
	putAlone                 // by a broker that was alone
	removed                  // whatever was there
	took                     // removed where there was one
	read
)

// anyTime is the end of what may happen at any time, or never.
const anyTime = math.MaxInt64

// current is what is there.
type current struct {
	url   string
	alone bool // it was put by a broker that was alone
}

// model is that of one key.
var model = porcupine.Model{
	Init: func() any { return current{} },
	Step: func(state, input, _ any) (bool, any) {
		d, _ := input.(deed)
		now, _ := state.(current)
		switch d.kind {
		case put, putAlone:
			return true, current{d.url, d.kind == putAlone}
		case putNew:
			return now.url == "" || now.alone, current{url: d.url}
		case removed:
			return true, current{}
		case took:
			return now.url != "", current{}
		default:
			return now.url == d.url, now
		}
	},
}

// isPossible reports whether the history of one key is one that the model can have.
func isPossible(history []porcupine.Operation) porcupine.CheckResult {
	return porcupine.CheckOperationsTimeout(model, history, 20*time.Second)
}

// operation is what a client of a broker has asked, and what he was told.
type operation struct {
	node      *node
	key       broker.Key
	kind      operationKind
	call, end time.Time
	url       string
	stored    bool
	err       error
}

type operationKind string

const (
	gets    operationKind = "get"
	looks   operationKind = "look" // get, but only what is stored
	renews  operationKind = "renew"
	deletes operationKind = "delete"
)

// made is a link that WeChat made.
type made struct {
	node         *node
	key          broker.Key
	of           *operation // by which it came about
	url          string
	began, ended time.Time
}

// deedsOf gives what happened to one key.
func (h *history) deedsOf(key broker.Key) (deeds []porcupine.Operation) {
	add := func(call, end int64, d deed) {
		deeds = append(deeds, porcupine.Operation{ClientId: len(deeds), Input: d, Call: call, Return: end})
	}
	firm, loose := h.firmOf(key)
	for _, m := range h.made {
		if m.key != key {
			continue
		}
		end, isFirm := firm[m.url]
		switch {
		case !isFirm:
			add(h.at(m.ended), anyTime, deed{putAlone, m.url})
		case m.node.troubled(m.began, end):
			add(h.at(m.ended), h.at(end), deed{putAlone, m.url})
		case m.of.kind == renews:
			add(h.at(m.ended), h.at(end), deed{put, m.url})
		default:
			add(h.at(m.ended), h.at(end), deed{putNew, m.url})
		}
	}
	for _, o := range h.operations {
		if o.key == key {
			h.tell(o, loose, add)
		}
	}
	slices.SortFunc(deeds, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	return deeds
}

// firmOf says which links were answered as stored, and until when they had been, and whether others may be stored at
// any time.
func (h *history) firmOf(key broker.Key) (firm map[string]time.Time, loose bool) {
	firm = make(map[string]time.Time)
	for _, o := range h.operations {
		if o.key == key && o.err == nil && o.stored {
			if end, ok := firm[o.url]; !ok || o.end.Before(end) {
				firm[o.url] = o.end
			}
		}
	}
	for _, m := range h.made {
		_, isFirm := firm[m.url]
		loose = loose || m.key == key && !isFirm
	}
	return firm, loose
}

// tell says what an operation did, and what its answer says about the current link.
func (h *history) tell(o *operation, loose bool, add func(call, end int64, d deed)) {
	oldest := h.at(o.node.asOld(o.call, h.delay()))
	switch code := broker.CodeOf(o.err); {
	case o.kind == deletes && o.err == nil && loose: // it may have been one that was not stored
		add(h.at(o.call), h.at(o.end), deed{removed, ""})
	case o.kind == deletes && o.err == nil:
		add(h.at(o.call), h.at(o.end), deed{took, ""})
	case o.kind == deletes && code == broker.NotFound:
		add(h.at(o.call), h.at(o.end), deed{read, ""})
	case o.kind == deletes:
		add(h.at(o.call), anyTime, deed{removed, ""})
	case o.err == nil && o.stored:
		add(oldest, h.at(o.end), deed{read, o.url})
	case o.kind == looks && code == broker.NotCached, o.kind == renews && code == broker.NotFound:
		add(oldest, h.at(o.end), deed{read, ""})
	}
}
