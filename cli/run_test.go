package cli_test

import (
	"bytes"
	"regexp"
	"testing"

	"linkbroker/cli"
)

func TestRun(t *testing.T) {
	for claim, test := range map[string]struct {
		args   []string
		code   int
		stdout string // patterns
		stderr string
	}{
		"nothing asked is explained":           {nil, 0, `(?s)linkbroker serve --sandbox.*Available Commands`, `^$`},
		"help teaches by examples":             {[]string{"serve", "--help"}, 0, `(?s)Examples:\n  linkbroker serve --sandbox`, `^$`},
		"a group explains itself":              {[]string{"links"}, 0, `(?s)Available Commands:.*list.*renew`, `^$`},
		"an unknown command is wrong usage":    {[]string{"srve"}, 2, `^$`, `^linkbroker: unknown command "srve" for "linkbroker"\nSee ` + "`linkbroker --help`" + `.\n$`},
		"so it is in a group":                  {[]string{"links", "lst"}, 2, `^$`, `unknown command "lst" for "linkbroker links"\nSee ` + "`linkbroker links --help`"},
		"an unknown flag is wrong usage":       {[]string{"serve", "--sandbx"}, 2, `^$`, `^linkbroker: unknown flag: --sandbx\nSee ` + "`linkbroker serve --help`" + `.\n$`},
		"a failure is told once, without help": {[]string{"check-config", "-c", "nowhere"}, 78, `^$`, `^linkbroker: reading the configuration: open nowhere: no such file or directory\n$`},
		"a bad configuration has a code":       {[]string{"check-config"}, 78, `^$`, `^linkbroker: the configuration has a problem: apps: has no app`},
		"any other failure has another":        {[]string{"links", "list"}, 1, `^$`, `^linkbroker: an API key of role admin is needed`},
		"version names what runs":              {[]string{"version"}, 0, `^linkbroker \S+ \(commit \S+, go1\.\d+.*\)\n$`, `^$`},
		"version speaks JSON":                  {[]string{"version", "-o", "json"}, 0, `^\{\n  "version": "`, `^$`},
		"shells are completed":                 {[]string{"completion", "bash"}, 0, `bash completion`, `^$`},
		"the hidden command stays hidden":      {[]string{"help"}, 0, `check-config(.*\n)+`, `^$`},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Chdir(t.TempDir())
			var stdout, stderr bytes.Buffer
			code := cli.Run(test.args, &stdout, &stderr)
			if code != test.code || !regexp.MustCompile(test.stdout).Match(stdout.Bytes()) || !regexp.MustCompile(test.stderr).Match(stderr.Bytes()) {
				t.Errorf("exit code %d, stdout\n%s\nstderr\n%s\nwant %d, %s and %s", code, &stdout, &stderr, test.code, test.stdout, test.stderr)
			}
			if bytes.Contains(stdout.Bytes(), []byte("inspect-store")) && test.args[0] != "completion" {
				t.Error("the hidden command is shown")
			}
		})
	}
}
