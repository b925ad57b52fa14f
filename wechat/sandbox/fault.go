package sandbox

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// generateRoute is the route that faults strike when they name none; anyRoute stands for all.
const (
	generateRoute = "/wxa/generate_urllink"
	anyRoute      = "*"

	schemeRoute    = "/wxa/generatescheme"
	shortLinkRoute = "/wxa/genwxashortlink"
)

// Fault is something that goes wrong from now on. Faults that refuse make nothing; all others do the work, and only
// its answer suffers: the mean case, in which a unit of quota is spent.
type Fault struct {
	Name    string        // see Faults
	Route   string        // which calls; empty = /wxa/generate_urllink, * = all
	Times   int           // how often; 0 = until cleared
	Every   int           // only each so many-th call; 0 = the fault's own number
	Delay   time.Duration // before the answer
	ErrCode int           // for errcode

	calls, struck int
}

// faultKind is what a fault does.
type faultKind struct {
	Does    string  // for people
	errcode errcode // what it refuses with; 0 = it does not refuse
	every   int     // 0 = each call
	delay   time.Duration
	send    func(rw http.ResponseWriter, r *http.Request, answer fields) // how the answer suffers; nil = not at all
	change  func(answer fields, now time.Time)                           // what it says otherwise; nil = nothing
}

// faults are all there are.
var faults = map[string]faultKind{
	"slow":           {Does: "answers after delay (3 s)", delay: 3 * time.Second},
	"busy":           {Does: "-1, system busy", errcode: busy},
	"token_dead":     {Does: "40001, whatever the token", errcode: tokenInvalid},
	"rate":           {Does: "44990, too fast", errcode: tooFast},
	"quota":          {Does: "44993, the day's quota is used up", errcode: quotaUsedUp},
	"flaky_path":     {Does: "40165 for a good path, each third call", errcode: pathInvalid, every: 3},
	"not_released":   {Does: "85079, no released version", errcode: notReleased},
	"ip":             {Does: "40164, this machine is not on the whitelist", errcode: ipNotListed},
	"shops_only":     {Does: "43104, the mini program is no shop", errcode: shopsOnly},
	"permanent":      {Does: "85400, no permanent short link is left", errcode: permanentUsedUp},
	"lost":           {Does: "85403, no such link", errcode: linkUnknown},
	"ended":          {Does: "an expire_time an hour from now, to who asks about a link", change: endSoon},
	"frozen":         {Does: "40243, the secret is frozen", errcode: secretFrozen},
	"errcode":        {Does: "the errcode given"},
	"html":           {Does: "a web page", send: sendHTML},
	"empty":          {Does: "nothing, with status 200", send: sendNothing},
	"bad_gateway":    {Does: "status 502", send: sendBadGateway},
	"redirect":       {Does: "a 307 to another host", send: sendRedirect},
	"foreign_host":   {Does: "a link that is not WeChat's", send: sendForeign},
	"new_field":      {Does: "a field that nobody knows yet", change: addField},
	"string_errcode": {Does: "errcode as a string, escaped slashes, a byte order mark, unknown fields", send: sendSloppy},
	"cut":            {Does: "half of the answer, then the connection ends", send: sendHalf},
	"endless":        {Does: "an answer without end", send: sendEndless},
	"down":           {Does: "the connection ends without an answer; nothing is made", errcode: busy, send: hangUp},
}

// SetFault switches a fault on. Its error names the faults there are.
func (w *WeChat) SetFault(f Fault) error {
	kind, known := faults[f.Name]
	if !known {
		return fmt.Errorf("fault %q is not known; known are %q", f.Name, faultNames())
	}
	if f.Name == "errcode" && f.ErrCode == 0 {
		return fmt.Errorf("fault %q needs an errcode other than 0", f.Name)
	}
	if f.Times < 0 || f.Every < 0 || f.Delay < 0 {
		return errors.New("times, every and delay of a fault cannot be negative")
	}
	if f.Route == "" {
		f.Route = generateRoute
	}
	f.Every = cmp.Or(f.Every, kind.every, 1)
	if f.Delay == 0 {
		f.Delay = kind.delay
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, &f)
	return nil
}

// ClearFaults switches all faults off.
func (w *WeChat) ClearFaults() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = nil
}

// takeFault gives the fault that strikes a call: the first switched on whose turn it is, or the zero Fault.
func (w *WeChat) takeFault(route string) Fault {
	for i, f := range w.faults {
		if f.Route != route && f.Route != anyRoute {
			continue
		}
		f.calls++
		if f.calls%f.Every != 0 {
			continue
		}
		f.struck++
		if f.struck == f.Times {
			w.faults = slices.Delete(slices.Clone(w.faults), i, i+1)
		}
		w.stats.Faults[f.Name]++
		return *f
	}
	return Fault{}
}

// refuses gives the errcode with which the fault refuses a call, 0 if it does not.
func (f Fault) refuses() errcode {
	if f.Name == "errcode" {
		return errcode(f.ErrCode)
	}
	return faults[f.Name].errcode
}

func faultNames() []string {
	names := make([]string, 0, len(faults))
	for name := range faults {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
