package handlers

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// Version says what is running.
type Version struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Go      string `json:"go"`
}

// health answers GET /healthz: the process is alive.
func (a *api) health(c *gin.Context, _ caller) error {
	writeJSON(c, http.StatusOK, struct {
		Status string `json:"status"`
	}{"ok"})
	return nil
}

// readiness is what GET /readyz answers.
type readiness struct {
	Status   string   `json:"status"`   // ready, degraded or unready
	Degraded []string `json:"degraded"` // what does not work as it should; requests are answered all the same
	Reason   string   `json:"reason,omitempty"`
}

// ready answers GET /readyz: whether requests can be answered.
func (a *api) ready(c *gin.Context, _ caller) error {
	degraded, err := a.Ready(c.Request.Context())
	state := readiness{Status: "ready", Degraded: degraded}
	if state.Degraded == nil {
		state.Degraded = []string{}
	}
	status := http.StatusOK
	switch {
	case err != nil:
		state.Status, state.Reason, status = "unready", err.Error(), http.StatusServiceUnavailable
	case len(degraded) > 0:
		state.Status = "degraded"
	}
	c.Writer.Header().Set("Cache-Control", "no-store")
	writeJSON(c, status, state)
	return nil
}

// version answers GET /version.
func (a *api) version(c *gin.Context, _ caller) error {
	writeJSON(c, http.StatusOK, a.Version)
	return nil
}
