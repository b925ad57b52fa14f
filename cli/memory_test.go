package cli_test

import (
	"math"
	"net/http"
	"strings"
	"testing"

	"linkbroker/cli"
)

func TestMemoryIsLimitedByTheConfigurationAndTheMachine(t *testing.T) {
	t.Parallel()
	const MiB = 1 << 20
	for claim, test := range map[string]struct {
		links, connections int
		machine            int64
		least, most        int64
		tight              bool
	}{
		"the defaults stay below 512 MiB, whatever there is":         {100_000, 10_000, 1 << 40, 400 * MiB, 511 * MiB, false},
		"they do where nobody says what there is":                    {100_000, 10_000, 0, 400 * MiB, 511 * MiB, false},
		"they take no more than a third of a machine of 1 GiB":       {100_000, 10_000, 1 << 30, 341 * MiB, 342 * MiB, false},
		"one of 512 MiB keeps two fifths for itself":                 {100_000, 10_000, 512 * MiB, 280 * MiB, 307 * MiB, false},
		"it keeps two thirds where few connections are let in":       {100_000, 1_000, 512 * MiB, 160 * MiB, 171 * MiB, false},
		"many links get room to be swept in":                         {1_000_000, 1_000, 8 << 30, 1500 * MiB, 1600 * MiB, false},
		"a machine without that room is limited above what is held":  {1_000_000, 1_000, 1 << 30, 740 * MiB, 768 * MiB, true},
		"more than the machine has leaves it a quarter and is tight": {10_000_000, 1_000, 1 << 30, 768 * MiB, 768 * MiB, true},
		"no number is too large":                                     {math.MaxInt, math.MaxInt, 1 << 30, 768 * MiB, 768 * MiB, true},
		"few links take little":                                      {1, 1, 1 << 30, 32 * MiB, 40 * MiB, false},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			cfg := cli.DefaultConfig()
			cfg.Cache.MemoryLinks, cfg.MaxConnections = test.links, test.connections
			limit, tight := cli.MemoryLimit(cfg, test.machine)
			if limit < test.least || limit > test.most || tight != test.tight {
				t.Errorf("%d MiB, tight: %v", limit>>20, tight)
			}
		})
	}
}

// TestTheCollectorIsSet looks at what Go itself says of the running program.
func TestTheCollectorIsSet(t *testing.T) {
	t.Parallel()
	for claim, test := range map[string]struct {
		config  string
		environ []string
		figures []string
		log     string
	}{
		"by what the configuration may hold": {
			"max_connections: 1\ncache: {memory_links: 1}\n", nil,
			[]string{"go_gc_gogc_percent 400", "go_gc_gomemlimit_bytes 3.35"},
			`"msg":"memory is bounded","gogc":"400","gomemlimit":"32MiB"`,
		},
		"by the environment, which wins": {
			"",
			[]string{"GOGC=50", "GOMEMLIMIT=100MiB"},
			[]string{"go_gc_gogc_percent 50", "go_gc_gomemlimit_bytes 1.048576e+08"},
			`"gogc":"50","gomemlimit":"100MiB"`,
		},
		"each by itself": {
			"max_connections: 1\ncache: {memory_links: 1}\n",
			[]string{"GOGC=50"},
			[]string{"go_gc_gogc_percent 50", "go_gc_gomemlimit_bytes 3.35"},
			`"gogc":"50","gomemlimit":"32MiB"`,
		},
		"not for a store in memory, which has no bound": {
			"store: memory://\n", nil,
			[]string{"go_gc_gogc_percent 100", "go_gc_gomemlimit_bytes 9.2"},
			"",
		},
		"with a warning where there is too little": {
			"cache: {memory_links: 1_000_000_000_000}\n", nil,
			[]string{"go_gc_gogc_percent 400"},
			"may take more memory than there is",
		},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			p := serve(t, configured(t, newWeChat(t).configuration()+test.config), append(test.environ, secrets...))
			got := call(t, http.MethodGet, p.admin+"/metrics", "", bearer(opsKey)).body
			for _, want := range test.figures {
				if !strings.Contains(got, "\n"+want) {
					t.Errorf("%s is not among\n%s", want, got)
				}
			}
			if !strings.Contains(p.stderr.String(), test.log) {
				t.Errorf("the log does not say %s", test.log)
			}
		})
	}
}

func TestDoctorLooksAtTheMemory(t *testing.T) {
	t.Parallel()
	w := newWeChat(t)
	if e, _ := doctor(t, configured(t, w.configuration()), secrets); !e.says("OK", "memory", "of which serve takes") {
		t.Errorf("it says %+v", e)
	}
	if e, _ := doctor(t, configured(t, w.configuration()+"cache: {memory_links: 1_000_000_000}\n"), secrets); !e.says("WARN", "memory", "lower them") {
		t.Errorf("it says %+v", e)
	}
}
