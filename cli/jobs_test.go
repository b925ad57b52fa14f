package cli_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestAJobsErrorsStandInOneLine lists a job that failed at two things, whose errors were joined.
func TestAJobsErrorsStandInOneLine(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(rw, `{"items":[{"name":"flush","schedule":"@every 5s","last_error":"no uses\nno visits"},{"name":"verify","elsewhere":true}]}`)
	}))
	t.Cleanup(server.Close)
	stdout, stderr, code := run(t, t.TempDir(), []string{"LINKBROKER_KEY=ops_0123456789abcdef"}, "jobs", "list", "--url", server.URL)
	if code != 0 || strings.Count(stdout, "\n") != 3 || !strings.Contains(stdout, "no uses; no visits") || !strings.Contains(stdout, "elsewhere") {
		t.Errorf("exit code %d and\n%s%s", code, stdout, stderr)
	}
}
