package cli_test

import (
	"slices"
	"strings"
	"testing"

	"linkbroker/cache/redistest"
)

func TestDoctorOnAStoreThatTakesNoWrites(t *testing.T) {
	t.Parallel()
	w := newWeChat(t)
	server := redistest.Start(t)
	for claim, test := range map[string]struct{ server, want string }{
		"a server that is full": {redistest.Start(t, "--maxmemory", "1").URL(), "its memory is full"},
		"a replica":             {server.StartReplica(t).URL(), "it is a replica"},
		"nobody there":          {"redis://127.0.0.1:1", "connection refused"},
	} {
		dir := configured(t, w.configuration())
		stdout, stderr, code := run(t, dir, append(slices.Clone(secrets), "LINKBROKER_STORE="+test.server), "doctor")
		if code != 1 || !strings.Contains(stdout, test.want) {
			t.Errorf("%s: exit code %d and\n%s%s", claim, code, stdout, stderr)
		}
	}
}
