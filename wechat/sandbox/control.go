package sandbox

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"
)

// faultBody is a fault as JSON.
type faultBody struct {
	Fault   string `json:"fault"`
	Route   string `json:"route,omitempty"`
	Times   int    `json:"times,omitempty"`
	Every   int    `json:"every,omitempty"`
	Delay   string `json:"delay,omitempty"` // such as 2s or 300ms
	ErrCode int    `json:"errcode,omitempty"`
}

// postFault answers POST /sandbox/faults.
func (w *WeChat) postFault(rw http.ResponseWriter, r *http.Request) {
	var body faultBody
	dec := json.NewDecoder(http.MaxBytesReader(rw, r.Body, maxBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&body); err != nil {
		http.Error(rw, `want {"fault": …, "route"?, "times"?, "every"?, "delay"?, "errcode"?}: `+err.Error(), http.StatusBadRequest)
		return
	}
	f := Fault{Name: body.Fault, Route: body.Route, Times: body.Times, Every: body.Every, ErrCode: body.ErrCode}
	if body.Delay != "" {
		delay, err := time.ParseDuration(body.Delay)
		if err != nil {
			http.Error(rw, "delay is not of the form 2s or 300ms", http.StatusBadRequest)
			return
		}
		f.Delay = delay
	}
	if err := w.SetFault(f); err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	w.listFaults(rw, r)
}

// deleteFaults answers DELETE /sandbox/faults.
func (w *WeChat) deleteFaults(rw http.ResponseWriter, _ *http.Request) {
	w.ClearFaults()
	rw.WriteHeader(http.StatusNoContent)
}

// listFaults answers GET /sandbox/faults: those that are on.
func (w *WeChat) listFaults(rw http.ResponseWriter, _ *http.Request) {
	w.mu.Lock()
	on := make([]faultBody, 0, len(w.faults))
	for _, f := range w.faults {
		body := faultBody{Fault: f.Name, Route: f.Route, Every: f.Every, ErrCode: f.ErrCode}
		if f.Times > 0 {
			body.Times = f.Times - f.struck
		}
		if f.Delay > 0 {
			body.Delay = f.Delay.String()
		}
		on = append(on, body)
	}
	w.mu.Unlock()
	sendJSON(rw, encode(on))
}

// postSteal answers POST /sandbox/steal {"app": …, "stuck"?}. Without an app it is the only one.
func (w *WeChat) postSteal(rw http.ResponseWriter, r *http.Request) {
	var body struct {
		App   string `json:"app"`
		Stuck bool   `json:"stuck"`
	}
	var raw bytes.Buffer
	_, _ = raw.ReadFrom(http.MaxBytesReader(rw, r.Body, maxBody))
	if raw.Len() > 0 && json.Unmarshal(raw.Bytes(), &body) != nil {
		http.Error(rw, `want {"app": …, "stuck"?}`, http.StatusBadRequest)
		return
	}
	for id := range w.apps {
		if body.App == "" && len(w.apps) == 1 {
			body.App = id
		}
	}
	if !w.Steal(body.App, body.Stuck) {
		http.Error(rw, "no such app", http.StatusNotFound)
		return
	}
	rw.WriteHeader(http.StatusNoContent)
}
