package sandbox

import (
	"maps"
	"net/http"
)

// Stats is what the fake WeChat has seen since it began.
type Stats struct {
	Calls    map[string]int `json:"calls"`    // by route
	Errcodes map[int]int    `json:"errcodes"` // by errcode, 0 left out
	Faults   map[string]int `json:"faults"`   // how often each struck

	Generated int            `json:"generated"`  // links made
	ByKind    map[string]int `json:"by_kind"`    // the same by kind
	UsedToday map[string]int `json:"used_today"` // URL Links and schemes made by app in this quota day, with those before a restart
	Tokens    int            `json:"tokens"`     // tokens handed out, equal ones counted each time

	InFlight        int `json:"in_flight"`          // calls under way
	MaxInFlight     int `json:"max_in_flight"`      // most ever
	MaxSameInFlight int `json:"max_same_in_flight"` // most generate calls ever under way with one body

	Redirected    int `json:"redirected"`     // calls that followed the redirect fault
	StateFailures int `json:"state_failures"` // links that could not be written to the state
}

// stats counts, under WeChat's lock.
type stats struct {
	Stats

	bodies map[string]int // generate calls under way, by body
}

func newStats() stats {
	return stats{
		Stats:  Stats{Calls: map[string]int{}, Errcodes: map[int]int{}, Faults: map[string]int{}, ByKind: map[string]int{}},
		bodies: map[string]int{},
	}
}

func (s *stats) enter(c *call) {
	s.Calls[c.route]++
	s.InFlight++
	s.MaxInFlight = max(s.MaxInFlight, s.InFlight)
	if body, generates := c.generates(); generates {
		s.bodies[body]++
		s.MaxSameInFlight = max(s.MaxSameInFlight, s.bodies[body])
	}
}

func (s *stats) leave(c *call) {
	s.InFlight--
	body, generates := c.generates()
	if !generates {
		return
	}
	if s.bodies[body]--; s.bodies[body] == 0 {
		delete(s.bodies, body)
	}
}

// generates reports whether the call is one that makes a link, and which.
func (c *call) generates() (body string, yes bool) {
	switch c.route {
	case generateRoute, schemeRoute, shortLinkRoute:
		return c.route + " " + string(c.body), true
	default:
		return "", false
	}
}

// Stats gives what has been seen so far.
func (w *WeChat) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.stats.Stats
	seen.Calls, seen.Errcodes, seen.Faults = maps.Clone(seen.Calls), maps.Clone(seen.Errcodes), maps.Clone(seen.Faults)
	seen.ByKind = maps.Clone(seen.ByKind)
	seen.UsedToday = make(map[string]int, len(w.apps))
	for id, a := range w.apps {
		a.turnDay(w.clock())
		seen.UsedToday[id] = a.used
	}
	return seen
}

// getStats answers GET /sandbox/stats.
func (w *WeChat) getStats(rw http.ResponseWriter, _ *http.Request) { sendJSON(rw, encode(w.Stats())) }

// redirected counts who followed the redirect fault, which would have carried a secret along.
func (w *WeChat) redirected(rw http.ResponseWriter, _ *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stats.Redirected++
	rw.WriteHeader(http.StatusNoContent)
}
