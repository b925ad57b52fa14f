package cli_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"linkbroker/cli"
	"linkbroker/handlers"
)

// rowed writes rows as text.
func rowed(rows []handlers.Setting) (all []string) {
	for _, r := range rows {
		line := fmt.Sprintf("%s = %s (%s)", r.Path, r.Value, r.Source)
		if r.Secret {
			line += " secret"
		}
		if r.Pending {
			line += " then " + r.Next
		}
		all = append(all, line)
	}
	return all
}

const rowedConfig = `deadline: 5s
apps:
  - {appid: wx0123456789abcdef, secret: ` + canary + `, token: external, token_source: {url: "https://t.example.com/x?key=` + canary + `", headers: [{name: A, value: ` + canary + `}]}}
clients:
  - {name: shop, key: ` + canary + `-key, role: generate, apps: [wx0123456789abcdef], paths: ["p?a&b=[0-9]", {path: q, params: [{name: c, max_length: 99}]}]}
`

func loadRows(t *testing.T, file string, environ []string, args ...string) []handlers.Setting {
	t.Helper()
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.String("listen", "", "")
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	settings, err := cli.LoadConfig(cli.Sources{FileName: "config.yaml", File: []byte(file), FileMode: 0o600, Environ: environ, Flags: flags, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return cli.Rows(settings)
}

func TestWhereEachSettingWasSet(t *testing.T) {
	rows := rowed(loadRows(t, rowedConfig, []string{"LINKBROKER_LOG_LEVEL=warn"}, "--listen=:1"))
	for _, want := range []string{
		"listen = :1 (--listen)",
		"tls.cert_file =  (default)",
		"deadline = 5s (config.yaml:1)",
		"trusted_proxies =  (default)",
		"apps[0].appid = wx0123456789abcdef (config.yaml:3)",
		"apps[0].secret =  (config.yaml:3) secret",
		"apps[0].token_source.url = https://t.example.com/x?[redacted] (config.yaml:3)",
		"apps[0].token_source.headers[0].value =  (config.yaml:3) secret",
		"apps[0].link_hosts = wxaurl.cn, wxmpurl.cn (default)",
		"clients[0].key =  (config.yaml:5) secret",
		"clients[0].paths[0] = p?a&b=[0-9] (config.yaml:5)",
		`clients[0].paths[1] = {"path":"q","params":[{"name":"c","max_length":99}]} (config.yaml:5)`,
		"clients[0].expires_at =  (default)",
		"log.level = warn (LINKBROKER_LOG_LEVEL)",
	} {
		if !slices.Contains(rows, want) {
			t.Errorf("there is no row %q in\n%s", want, strings.Join(rows, "\n"))
		}
	}
	if strings.Contains(strings.Join(rows, "\n"), canary) {
		t.Error("a secret is told")
	}
}

// TestWhatOnlyARestartTakesOver follows the settings through reloads.
func TestWhatOnlyARestartTakesOver(t *testing.T) {
	before := loadRows(t, rowedConfig, nil)
	changed := strings.NewReplacer("deadline: 5s", "deadline: 6s", "role: generate", "role: read").Replace(rowedConfig)
	changed = strings.Replace(changed, "clients:", "  - {appid: wx1111111111111111, secret: x}\nclients:", 1)
	rows := rowed(cli.Pending(before, loadRows(t, changed, nil)))
	for _, want := range []string{
		"deadline = 5s (config.yaml:1) then 6s", "clients[0].role = read (config.yaml:6)",
		"apps[0].appid = wx0123456789abcdef (config.yaml:3)", "apps[1].appid =  (config.yaml:4) then wx1111111111111111",
	} {
		if !slices.Contains(rows, want) {
			t.Errorf("there is no row %q in\n%s", want, strings.Join(rows, "\n"))
		}
	}
	if back := rowed(cli.Pending(before, loadRows(t, rowedConfig, nil))); !slices.Equal(back, rowed(before)) {
		t.Errorf("a change that is taken back:\n%s", strings.Join(back, "\n"))
	}
	fewer := rowed(cli.Pending(loadRows(t, changed, nil), loadRows(t, rowedConfig, nil)))
	if want := "apps[1].appid = wx1111111111111111 (config.yaml:4) then "; !slices.Contains(fewer, want) {
		t.Errorf("an app that a restart takes away is not there:\n%s", strings.Join(fewer, "\n"))
	}
}
