package handlers_test

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestHealthReadinessVersion(t *testing.T) {
	for name, test := range map[string]struct {
		degraded []string
		err      error
		status   int
		want     string
	}{
		"all is well":           {nil, nil, 200, `{"status":"ready","degraded":[]}`},
		"something does not go": {[]string{"links cannot be stored"}, nil, 200, `{"status":"degraded","degraded":["links cannot be stored"]}`},
		"nothing goes":          {nil, errors.New("the store cannot be read"), 503, `{"status":"unready","degraded":[],"reason":"the store cannot be read"}`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.config.Ready = func(context.Context) ([]string, error) { return test.degraded, test.err }
			w.listen()
			for _, out := range []reply{w.ask("GET", "/readyz", ""), w.send(w.admin, "admin", "GET", "/readyz", "", nil)} {
				if out.Code != test.status || strings.TrimSpace(out.text()) != test.want {
					t.Errorf("%d %s", out.Code, out.text())
				}
			}
			if out := w.ask("GET", "/healthz", ""); out.Code != 200 || strings.TrimSpace(out.text()) != `{"status":"ok"}` {
				t.Errorf("a process that is alive says %d %s", out.Code, out.text())
			}
		})
	}
	out := newWorld(t).ask("GET", "/version", "")
	if want := `{"version":"v1.2.3","commit":"abcdef","go":"go1.26"}`; strings.TrimSpace(out.text()) != want {
		t.Error(out.text())
	}
}
