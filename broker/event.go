package broker

import (
	"slices"
	"time"
)

// EventName says what happened.
type EventName string

// What Policy.Observe is told of. The fields of Event that each fills stand behind it.
const (
	Answered     EventName = "answered"      // App, Kind, Outcome; on an error Err
	CallEnded    EventName = "call_ended"    // App, Kind, Took, Purpose; on an error Err: one call to WeChat that generates
	QueryEnded   EventName = "query_ended"   // App, Took; on an error Err: one call to WeChat that asks about links
	QuotaClosed  EventName = "quota_closed"  // App, Err: WeChat says the day's quota is used up
	RateLowered  EventName = "rate_lowered"  // App, Rate: WeChat says too fast
	StoreFailing EventName = "store_failing" // Err: a write failed; what it held is kept in memory and retried
	LinkLost     EventName = "link_lost"     // Err: a link that could not be stored had to make room for newer ones
	LinkRefused  EventName = "link_refused"  // App, Kind, Err: WeChat's answer leads to a host that is not on the app's list
	Visited      EventName = "visited"       // App, Visitor: somebody came to an alias; to its fallback if there is an Err
	WentAlone    EventName = "went_alone"    // App, Err: the store of several brokers cannot be asked whose turn it is
	Panicked     EventName = "panicked"      // Err: a panic was caught in the door
)

// Event is one thing that happened.
type Event struct {
	Name    EventName
	App     string
	Kind    Kind // empty in Answered if it was not known
	Outcome Outcome
	Purpose Purpose
	Visitor Visitor
	Took    time.Duration
	Rate    float64 // calls a second
	Err     error
}

// Purpose says for whom a link is generated.
type Purpose string

// The purposes, in the order of their precedence.
const (
	Interactive Purpose = "interactive" // somebody waits
	Batched     Purpose = "batched"     // a batch does
	Prewarming  Purpose = "prewarming"  // nobody does
)

// before reports whether this purpose goes before the other.
func (p Purpose) before(other Purpose) bool {
	order := [...]Purpose{Interactive, Batched, Prewarming}
	return slices.Index(order[:], p) < slices.Index(order[:], other)
}
