package cli_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"linkbroker/cli"
	"linkbroker/wechat"
)

// canary is a secret that must be seen nowhere.
const canary = "CANARY-0123456789abcdef"

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// minimal is the least configuration that works.
const minimal = `
apps:
  - appid: wx0123456789abcdef
    secret: ` + canary + `
clients:
  - name: ops
    key: ` + canary + `-key
    role: admin
`

func load(file string, environ ...string) (*cli.Settings, error) {
	return cli.LoadConfig(cli.Sources{FileName: "config.yaml", File: []byte(file), Environ: environ, Now: now})
}

func mustLoad(t *testing.T, file string, environ ...string) *cli.Settings {
	t.Helper()
	settings, err := load(file, environ...)
	if err != nil {
		t.Fatal(err)
	}
	return settings
}

func TestConfigRefuses(t *testing.T) {
	for claim, test := range map[string]struct {
		file    string
		environ []string
		want    string // in the error
	}{
		"an unknown key, with its line and the one meant": {
			"listen: :8080\nlistn: x\nstor: memory://\n", nil, `config.yaml:3: key "stor" is not known: did you mean "store"?`,
		},
		"an unknown key that looks like none, with those known": {
			"admin:\n  zzz: 1\n", nil, `config.yaml:2: admin: key "zzz" is not known: known are listen, tls, public_url`,
		},
		"an unknown key in a list": {
			"apps:\n- apid: x\n", nil, `config.yaml:2: apps[0]: key "apid" is not known: did you mean "appid"?`,
		},
		"a key set twice": {
			"listen: :1\n\nlisten: :2\n", nil, `config.yaml:3: listen: is set twice, first in line 1`,
		},
		"an unset variable, with its name and line": {
			"\nlisten: ${NOWHERE}\n", nil, `config.yaml:2: listen: the environment variable NOWHERE is not set`,
		},
		"a reference without an end": {
			"listen: ${NOWHERE\n", nil, `config.yaml:1: listen: has a ${ that is no ${NAME}`,
		},
		"a variable beside its file": {
			"listen: ${A}\n", []string{"A=1", "A_FILE=/nowhere"}, `both A and A_FILE are set`,
		},
		"a file that is not there": {
			"listen: ${A}\n", []string{"A_FILE=/nowhere"}, `A_FILE: open /nowhere: no such file`,
		},
		"a list where a value belongs":    {"listen: [1]\n", nil, `config.yaml:1: listen: must be a single value`},
		"a value where a list belongs":    {"apps: 1\n", nil, `config.yaml:1: apps: must be a list`},
		"a value where a section belongs": {"admin: 1\n", nil, `config.yaml:1: admin: must be a mapping of listen`},
		"an alias":                        {"listen: &a :1\nstore: *a\n", nil, `config.yaml:2: store: aliases are not supported`},
		"an unquoted star":                {"listen: *" + canary + "\n", nil, `config.yaml: a value begins with * or &`},
		"two documents":                   {"listen: :1\n---\nlisten: :2\n", nil, `more than one YAML document`},
		"what is no YAML":                 {"listen: [", nil, `config.yaml: line 1: `},
		"a duration without unit":         {"deadline: 4\n", nil, `config.yaml:1: deadline: must be a duration such as 4s`},
		"a deadline of nothing":           {"deadline: 0s\n", nil, `config.yaml:1: deadline: must be from 100ms to 1m`},
		"a number in words":               {"cache: {memory_links: many}\n", nil, `config.yaml:1: cache.memory_links: must be a whole number`},
		"an address without port":         {"listen: 127.0.0.1\n", nil, `config.yaml:1: listen: must be an address and a port`},
		"a port out of range":             {"listen: 127.0.0.1:99999\n", nil, `config.yaml:1: listen: must be an address and a port`},
		"one address for both listeners":  {"listen: :1\nadmin: {listen: ':1'}\n", nil, `config.yaml:2: admin.listen: is the same address as listen`},
		"a public address with a query":   {"public_url: https://a.example/?x=1\n", nil, `public_url: must be an address`},
		"an unknown store":                {"store: mysql://x\n", nil, `config.yaml:1: store: must be bolt://`},
		"no app":                          {"listen: :1\n", nil, `apps: has no app`},
		"an appid in another form":        {"apps:\n- appid: wx123\n", nil, `config.yaml:2: apps[0].appid: must be wx and 16 digits`},
		"one app twice": {
			"apps:\n- appid: wx0123456789abcdef\n- appid: wx0123456789abcdef\n", nil, `config.yaml:3: apps[1].appid: is the same as apps[0].appid`,
		},
		"an app without its secret":         {"apps:\n- appid: wx0123456789abcdef\n", nil, `apps[0].secret: is missing`},
		"a secret with a space":             {"apps:\n- secret: 'a b'\n", nil, `config.yaml:2: apps[0].secret: has a character`},
		"plain http over the network":       {"apps:\n- base_url: http://api.weixin.qq.com\n", nil, `config.yaml:2: apps[0].base_url: must begin with https://`},
		"a base address with a query":       {"apps:\n- base_url: https://api.weixin.qq.com?a=1\n", nil, `apps[0].base_url: must be an address`},
		"a token mode that does not exist":  {"apps:\n- token: magic\n", nil, `config.yaml:2: apps[0].token: must be one of stable, legacy, cloudbase, none, external`},
		"a fallback over plain http":        {"apps:\n- fallback_urls: ['http://api2.weixin.qq.com']\n", nil, `config.yaml:2: apps[0].fallback_urls: must begin with https://`},
		"a fallback that is the first":      {"apps:\n- fallback_urls: ['https://api.weixin.qq.com']\n", nil, `config.yaml:2: apps[0].fallback_urls: names a host twice`},
		"a legacy token without secret":     {"apps:\n- token: legacy\n", nil, `apps[0].secret: is missing`},
		"an external token from nowhere":    {"apps:\n- token: external\n", nil, `apps[0].token_source: is missing`},
		"an external token from two places": {"apps:\n- token: external\n  token_source:\n    url: https://a.example\n    file: f\n", nil, `config.yaml:5: apps[0].token_source.file: is set beside url`},
		"a source for a stable token":       {"apps:\n- token_source: {url: 'https://a.example'}\n", nil, `apps[0].token_source.url: goes with token: external alone`},
		"a file for a legacy token":         {"apps:\n- token: legacy\n  token_source: {file: f}\n", nil, `apps[0].token_source.file: goes with token: external and token: cloudbase`},
		"a token server over plain http":    {"apps:\n- token: external\n  token_source: {url: 'http://a.example'}\n", nil, `apps[0].token_source.url: must begin with https://`},
		"a token server with a password":    {"apps:\n- token: external\n  token_source: {url: 'https://a:b@a.example'}\n", nil, `apps[0].token_source.url: must be an address such as`},
		"a field with a space":              {"apps:\n- token: external\n  token_source: {url: 'https://a.example', token_field: a b}\n", nil, `apps[0].token_source.token_field: must be the name`},
		"a header of two lines": {
			"apps:\n- token: external\n  token_source: {url: 'https://a.example', headers: [{name: X-Key, value: \"a\\nb\"}]}\n", nil, `apps[0].token_source.headers[0]: must have a name`,
		},
		"headers for nobody":           {"apps:\n- token_source: {headers: [{name: X-Key, value: a}]}\n", nil, `apps[0].token_source.headers: are sent to a token server`},
		"a from_appid beside a token":  {"apps:\n- from_appid: wx0123456789abcdef\n", nil, `apps[0].from_appid: must be an appid`},
		"a generating call passed on":  {"apps:\n- pass_through: [/wxa/generate_urllink]\n", nil, `config.yaml:2: apps[0].pass_through: names a call that generates links`},
		"another spelling of it":       {"apps:\n- pass_through: [/wxa/Generatescheme]\n", nil, `apps[0].pass_through: names a call that generates links`},
		"a token call passed on":       {"apps:\n- pass_through: [/cgi-bin/stable_token]\n", nil, `apps[0].pass_through: names a call that generates links, which would go past the daily quota kept here, or that gives tokens away`},
		"a pattern of calls passed on": {"apps:\n- pass_through: ['/wxa/*']\n", nil, `apps[0].pass_through: must be paths`},
		"a way around it":              {"apps:\n- pass_through: [/wxa/x/../generatescheme]\n", nil, `apps[0].pass_through: must be paths`},
		"one of our own addresses":     {"apps:\n- pass_through: [/api/v1/links]\n", nil, `apps[0].pass_through: names an address that means something else here`},
		"a passing on by readers":      {"clients:\n- {name: a, key: 0123456789abcdef, role: read, pass_through: true}\n", nil, `clients[0]: pass_through is for secret keys of role generate or admin`},
		"a passing on by publishable keys": {
			"clients:\n- {name: a, key: 0123456789abcdef, role: generate, publishable: true, pass_through: true}\n", nil, `clients[0]: pass_through is for secret keys`,
		},
		"a rate of nothing":                 {"apps:\n- rate: 0\n", nil, `config.yaml:2: apps[0].rate: must be a number of calls a second above 0`},
		"a rate that is not a number":       {"apps:\n- rate: NaN\n", nil, `apps[0].rate: must be a number of calls`},
		"a quota of nothing":                {"apps:\n- daily_quota: 0\n", nil, `apps[0].daily_quota: must be 1 or more`},
		"an unknown way of sharing":         {"apps:\n- share: perhaps\n", nil, `apps[0].share: must be one of always, never`},
		"an unknown expiry":                 {"apps:\n- expiry: soon\n", nil, `apps[0].expiry: must be one of exact, at_least`},
		"a grain of more than a day":        {"apps:\n- expire_time_grain: 48h\n", nil, `apps[0].expire_time_grain: must be from 0`},
		"a link host with its scheme":       {"apps:\n- link_hosts: ['https://wxaurl.cn']\n", nil, `apps[0].link_hosts: must be host names`},
		"a fallback host with a path":       {"apps:\n- fallback_hosts: [a.example/x]\n", nil, `config.yaml:2: apps[0].fallback_hosts: must be host names`},
		"a fallback host in capitals":       {"apps:\n- fallback_hosts: [Shop.example]\n", nil, `apps[0].fallback_hosts: must be host names such as wxaurl.cn, in lower case`},
		"splicing in other words":           {"apps:\n- splice: on\n", nil, `config.yaml:2: apps[0].splice: must be true or false`},
		"no reserve against batches":        {"apps:\n- batch_reserve: 0\n", nil, `apps[0].batch_reserve: must be a share`},
		"no link host":                      {"apps:\n- link_hosts: []\n", nil, `config.yaml:2: apps[0].link_hosts: is empty`},
		"an unknown time zone":              {"apps:\n- quota_timezone: Mars/Base\n", nil, `apps[0].quota_timezone: must be the name of a time zone`},
		"the machine's own time zone":       {"jobs: {timezone: Local}\n", nil, `jobs.timezone: must be the name of a time zone`},
		"a reserve of more than everything": {"apps:\n- prewarm_reserve: 2\n", nil, `apps[0].prewarm_reserve: must be a share`},
		"an expiry without time":            {"clients:\n- expires_at: 2026-03-01\n", nil, `clients[0].expires_at: must be a moment such as`},
		"a short key":                       {"clients:\n- key: short\n", nil, `config.yaml:2: clients[0].key: cannot be one: an API key has 16 to 128 characters`},
		"a client without key":              {"clients:\n- name: a\n", nil, `clients[0].key: is missing`},
		"an unknown role":                   {"clients:\n- role: boss\n", nil, `clients[0].role: must be one of read, generate, admin`},
		"an odd client name":                {"clients:\n- {name: a b, key: 0123456789abcdef, role: read}\n", nil, `clients[0]: a client's name has 1 to 64 characters`},
		"one name for two":                  {"clients:\n- name: a\n- name: a\n", nil, `config.yaml:3: clients[1].name: is the same as clients[0].name`},
		"one key for two": {
			"clients:\n- key: 0123456789abcdef\n- key: 0123456789abcdef\n", nil, `clients[1].key: is the same as clients[0].key`,
		},
		"an app that is not there": {"clients:\n- apps: [wx1]\n", nil, `clients[0].apps: names an app that is not in apps`},
		"a mistyped key":           {"clients:\n- key: sk_AAAAAAAAAAAAAAAAAAAAAAAAAA00000000\n", nil, `config.yaml:2: clients[0].key: is mistyped`},
		"a truth in other words":   {"clients:\n- disabled: yes\n", nil, `config.yaml:2: clients[0].disabled: must be true or false`},
		"an impossible page":       {"clients:\n- paths: [pages/item, 'pages/[']\n", nil, `config.yaml:2: clients[0].paths[1]: path "pages/[" is no page or pattern`},
		"an impossible pattern":    {"clients:\n- paths:\n  - path: p\n    params: [{name: id, pattern: '['}]\n", nil, `config.yaml:3: clients[0].paths[0]: pattern of parameter "id"`},
		"an unknown key of a page": {"clients:\n- paths:\n  - path: p\n    any: true\n", nil, `config.yaml:4: clients[0].paths[0]: key "any" is not known`},
		"a parameter without name": {"clients:\n- paths: ['p?=1']\n", nil, `config.yaml:2: clients[0].paths[0]: must be a page such as`},
		"a length in words":        {"clients:\n- paths:\n  - params: [{name: id, max_length: long}]\n", nil, `config.yaml:3: clients[0].paths[0].params[0].max_length: must be a whole number`},
		"an origin with a path":    {"clients:\n- origins: ['https://a.example/x']\n", nil, `config.yaml:2: clients[0].origins: origin "https://a.example/x" is not of the form`},
		"an unknown env_version":   {"clients:\n- env_versions: [release, beta]\n", nil, `config.yaml:2: clients[0].env_versions: must be one of release, trial, develop`},
		"a negative limit":         {"clients:\n- generations_per_day: -1\n", nil, `config.yaml:2: clients[0].generations_per_day: a limit must not be negative`},
		"a publishable key without a guard": {
			"clients:\n- {name: a, key: 0123456789abcdef, role: generate, publishable: true, origins: ['https://a.example'], paths: [p]}\n", nil,
			`config.yaml:2: clients[0]: a publishable key needs origins, paths and generations_per_day`,
		},
		"a publishable administrator": {
			"clients:\n- {name: a, key: 0123456789abcdef, role: admin, publishable: true}\n", nil, `clients[0]: a publishable key cannot be an administrator's`,
		},
		"an admin address with a query":   {"admin:\n  public_url: https://a.example/?x=1\n", nil, `config.yaml:2: admin.public_url: must be an address`},
		"a certificate without its key":   {"tls: {cert_file: a.pem}\n", nil, `tls.key_file: is missing beside cert_file`},
		"a key without its certificate":   {"admin: {tls: {key_file: a.pem}}\n", nil, `admin.tls.cert_file: is missing beside key_file`},
		"a certificate that is not there": {"tls:\n  cert_file: /nowhere.pem\n  key_file: /nowhere.pem\n", nil, `config.yaml:2: tls.cert_file: cannot be used with its key_file: open /nowhere.pem`},
		"a proxy in words":                {"trusted_proxies: [caddy]\n", nil, `config.yaml:1: trusted_proxies: must be addresses`},
		"trust in everybody":              {"trusted_proxies: [0.0.0.0/0]\n", nil, `config.yaml:1: trusted_proxies: would trust everybody`},
		"a limit below nothing":           {"limits:\n  address_requests_per_second: -1\n", nil, `config.yaml:2: limits.address_requests_per_second: must be from 0`},
		"logins without end":              {"limits:\n  failed_logins_per_minute: 0\n", nil, `config.yaml:2: limits.failed_logins_per_minute: must be 1 or more`},
		"an audit of an hour":             {"audit: {retention: 1h}\n", nil, `config.yaml:1: audit.retention: must be 1d or more`},
		"a schedule in words":             {"jobs: {purge: daily}\n", nil, `config.yaml:1: jobs.purge: must be a schedule such as`},
		"a schedule with a zone":          {"jobs: {purge: TZ=}\n", nil, `jobs.purge: must be a schedule such as "30 3 * * *" or "@every 5m", or "" for never: the time zone of all jobs is a setting`},
		"backups to nowhere":              {"backup: {dir: ''}\n", nil, `backup.dir: is empty`},
		"no backup kept":                  {"backup: {keep: 0}\n", nil, `backup.keep: must be 1 or more`},
		"an unknown log level":            {"log: {level: loud}\n", nil, `log.level: must be debug, info, warn or error`},
		"an unknown log format":           {"log: {format: xml}\n", nil, `log.format: must be one of text, json`},
		"a variable that is no number": {
			"", []string{"LINKBROKER_CACHE_MEMORY_LINKS=many"}, `LINKBROKER_CACHE_MEMORY_LINKS: cache.memory_links: must be a whole number`,
		},
		"a gap in numbered variables": {
			"", []string{"LINKBROKER_APPS_1_APPID=wx0123456789abcdef"}, `apps: variables set entries beyond apps[0], which is not there`,
		},
	} {
		t.Run(claim, func(t *testing.T) {
			_, err := load(test.file, test.environ...)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got\n%v\nwant it to contain\n%s", err, test.want)
			}
		})
	}
}

func TestConfigTellsAllProblemsAtOnce(t *testing.T) {
	_, err := load("listn: :1\nstore: x\nlog: {level: loud}\n")
	for _, want := range []string{"config.yaml:1", "config.yaml:2: store", "config.yaml:3: log.level", "apps"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in\n%v", want, err)
		}
	}
}

func TestConfigAccepts(t *testing.T) {
	for claim, test := range map[string]struct {
		more    string
		environ []string
		check   func(cli.Config) bool
	}{
		"plain http on loopback": {
			"",
			[]string{"LINKBROKER_APPS_0_BASE_URL=http://127.0.0.1:9"},
			func(c cli.Config) bool { return c.Apps[0].BaseURL == "http://127.0.0.1:9" },
		},
		"plain http and no secret without a token": {
			"",
			[]string{"LINKBROKER_APPS_0_BASE_URL=http://api.weixin.qq.com", "LINKBROKER_APPS_0_TOKEN=none", "LINKBROKER_APPS_0_SECRET="},
			func(c cli.Config) bool { return c.Apps[0].Token == "none" },
		},
		"a token server with secrets in its headers": {
			"",
			[]string{
				"LINKBROKER_APPS_0_TOKEN=external", "LINKBROKER_APPS_0_SECRET=", "LINKBROKER_APPS_0_TOKEN_SOURCE_URL=https://a.example/t?key=" + canary,
				"LINKBROKER_APPS_0_TOKEN_SOURCE_HEADERS_0_NAME=Authorization", "LINKBROKER_APPS_0_TOKEN_SOURCE_HEADERS_0_VALUE=Bearer " + canary,
			},
			func(c cli.Config) bool { return string(c.Apps[0].TokenSource.Headers[0].Value) == "Bearer "+canary },
		},
		"a token's file": {
			"",
			[]string{"LINKBROKER_APPS_0_TOKEN=external", "LINKBROKER_APPS_0_SECRET=", "LINKBROKER_APPS_0_TOKEN_SOURCE_FILE=f"},
			func(c cli.Config) bool { return c.Apps[0].TokenSource.File == "f" },
		},
		"fallback hosts": {
			"",
			[]string{"LINKBROKER_APPS_0_FALLBACK_URLS=https://api2.weixin.qq.com,https://sh.api.weixin.qq.com"},
			func(c cli.Config) bool { return len(c.Apps[0].FallbackURLs) == 2 },
		},
		"calls that are passed on": {
			"",
			[]string{"LINKBROKER_APPS_0_PASS_THROUGH=/wxa/getwxacodeunlimit /datacube/getweanalysisappidvisitpage", "LINKBROKER_CLIENTS_0_PASS_THROUGH=true"},
			func(c cli.Config) bool { return len(c.Apps[0].PassThrough) == 2 && c.Clients[0].PassThrough },
		},
		"a grain of nothing": {
			"",
			[]string{"LINKBROKER_APPS_0_EXPIRE_TIME_GRAIN=0"},
			func(c cli.Config) bool { return c.Apps[0].ExpireTimeGrain == 0 },
		},
		"a list in a variable": {
			"",
			[]string{"LINKBROKER_APPS_0_LINK_HOSTS=a.cn, b.cn"},
			func(c cli.Config) bool { return slices.Equal(c.Apps[0].LinkHosts, []string{"a.cn", "b.cn"}) },
		},
		"fallback hosts, splice and a reserve": {
			"",
			[]string{"LINKBROKER_APPS_0_FALLBACK_HOSTS=shop.example,localhost:8443", "LINKBROKER_APPS_0_SPLICE=true", "LINKBROKER_APPS_0_BATCH_RESERVE=1"},
			func(c cli.Config) bool {
				app := c.Apps[0]
				return slices.Equal(app.FallbackHosts, []string{"shop.example", "localhost:8443"}) && app.Splice && app.BatchReserve == 1
			},
		},
		"a job turned off":          {"jobs: {backup: ''}\n", nil, func(c cli.Config) bool { return c.Jobs.Backup == "" }},
		"digits grouped":            {"cache: {memory_links: 1_000}\n", nil, func(c cli.Config) bool { return c.Cache.MemoryLinks == 1000 }},
		"an empty value as default": {"deadline:\n", nil, func(c cli.Config) bool { return c.Deadline == 4*time.Second }},
		"an escaped reference": {
			"public_url: https://a.example/$${x}\n", nil,
			func(c cli.Config) bool { return c.PublicURL == "https://a.example/${x}" },
		},
		"a reference within a text": {
			"public_url: https://${HOST}/a\n",
			[]string{"HOST=b.example"},
			func(c cli.Config) bool { return c.PublicURL == "https://b.example/a" },
		},
		"days":              {"audit: {retention: 90d}\n", nil, func(c cli.Config) bool { return c.Audit.Retention == 90*24*time.Hour }},
		"a disabled client": {"", []string{"LINKBROKER_CLIENTS_0_DISABLED=true"}, func(c cli.Config) bool { return c.Clients[0].Disabled }},
		"no enabled client, for the store may hold one": {
			"",
			[]string{"LINKBROKER_CLIENTS_0_EXPIRES_AT=2026-03-01T12:00:00Z"},
			func(c cli.Config) bool { return len(c.Clients) == 1 },
		},
		"a page in a variable": {
			"",
			[]string{`LINKBROKER_CLIENTS_0_PATHS_0=pages/item?id=\d+&from`, "LINKBROKER_CLIENTS_0_PATHS_1_PATH=p", "LINKBROKER_CLIENTS_0_PATHS_1_ANY_QUERY=true"},
			func(c cli.Config) bool {
				return reflect.DeepEqual(c.Clients[0].Paths, []cli.PathConfig{
					{Path: "pages/item", Params: []cli.ParamConfig{{Name: "id", Pattern: `\d+`}, {Name: "from"}}},
					{Path: "p", AnyQuery: true},
				})
			},
		},
		"a value that looks like YAML": {
			"backup: {dir: '${DIR}'}\n",
			[]string{"DIR=a: [b] # c"},
			func(c cli.Config) bool { return c.Backup.Dir == "a: [b] # c" },
		},
	} {
		t.Run(claim, func(t *testing.T) {
			if got := mustLoad(t, minimal+test.more, test.environ...); !test.check(got.Config) {
				t.Errorf("got %+v", got.Config)
			}
		})
	}
}

func TestKeyOfDigitsKeepsItsZero(t *testing.T) {
	got := mustLoad(t, strings.Replace(minimal, canary+"-key", "0123456789012345", 1))
	if key := string(got.Clients[0].Key); key != "0123456789012345" {
		t.Errorf("got %s", key)
	}
}

func TestConfigPrecedence(t *testing.T) {
	secretFile := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secretFile, []byte("from-a-file-16-long\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	flags.String("listen", "", "")
	flags.String("admin-listen", "", "")
	flags.String("store", "", "")
	if err := flags.Parse([]string{"--listen=:4"}); err != nil {
		t.Fatal(err)
	}
	got, err := cli.LoadConfig(cli.Sources{
		FileName: "config.yaml",
		File:     []byte("listen: :2\nadmin: {listen: ':2'}\nstore: memory://\n" + strings.Replace(minimal, canary+"\n", "${SECRET}\n", 1)),
		Environ: []string{
			"LINKBROKER_LISTEN=:3", "LINKBROKER_ADMIN_LISTEN=:3",
			"SECRET_FILE=" + secretFile, "LINKBROKER_CLIENTS_0_KEY_FILE=" + secretFile,
			"LINKBROKER_CLIENTS_1_NAME=second", "LINKBROKER_CLIENTS_1_KEY=abcdefghijklmnop", "LINKBROKER_CLIENTS_1_ROLE=read",
			"LINKBROKER_KEY=of-another-command", "LINKBROKER_PORT=tcp://10.0.0.1:80",
		},
		Flags: flags,
		Now:   now,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ claim, got, want, path, origin string }{
		{"a flag beats a variable", got.Listen, ":4", "listen", "--listen"},
		{"a variable beats the file", got.Admin.Listen, ":3", "admin.listen", "LINKBROKER_ADMIN_LISTEN"},
		{"the file beats a default, and a flag not given", string(got.Store), "memory://", "store", "config.yaml:3"},
		{"what nobody sets has its default", got.Log.Level, "info", "log.level", "default"},
		{"a reference reads NAME_FILE", string(got.Apps[0].Secret), "from-a-file-16-long", "apps[0].secret", "config.yaml:7"},
		{"a setting reads its own _FILE", string(got.Clients[0].Key), "from-a-file-16-long", "clients[0].key", "LINKBROKER_CLIENTS_0_KEY_FILE"},
		{"variables add to a list", got.Clients[1].Name, "second", "clients[1].name", "LINKBROKER_CLIENTS_1_NAME"},
	} {
		t.Run(test.claim, func(t *testing.T) {
			if origin := got.Origin(test.path); test.got != test.want || origin != test.origin {
				t.Errorf("got %q from %s, want %q from %s", test.got, origin, test.want, test.origin)
			}
		})
	}
	if want := []string{"LINKBROKER_PORT is no setting and does nothing"}; !slices.Equal(got.Warnings, want) {
		t.Errorf("got warnings %q, want %q", got.Warnings, want)
	}
}

func TestEachAppHasItsOwnDefaults(t *testing.T) {
	got := mustLoad(t, minimal, "LINKBROKER_APPS_1_APPID=wx0000000000000000", "LINKBROKER_APPS_1_SECRET=x", "LINKBROKER_APPS_0_LINK_HOSTS=a.cn")
	if want := cli.DefaultApp().LinkHosts; !slices.Equal(got.Apps[1].LinkHosts, want) {
		t.Errorf("the second app has the hosts %q, want %q", got.Apps[1].LinkHosts, want)
	}
}

func TestConfigErrorsShowNoSecret(t *testing.T) {
	for _, file := range []string{
		"clients:\n- key: " + canary + " \u00e9\n",
		"apps:\n- secret: " + canary + " x\n",
		"apps:\n- secret: *" + canary + "\n",
		"apps:\n- secret: ${" + canary + "\n",
		"apps:\n- secret: [" + canary + "]\n",
		"apps:\n- secret: {a: " + canary + "}\n",
		"apps:\n- rate: " + canary + "\n  daily_quota: " + canary + "\n  expire_time_grain: " + canary + "\n  appid: " + canary + "\n  base_url: " + canary + "\n",
		"deadline: " + canary + "\n",
		"clients:\n- expires_at: " + canary + "\n  role: " + canary + "\n  name: '" + canary + " '\n  apps: [" + canary + "]\n",
		"apps:\n- secret: \"" + canary + "\n",
		"apps:\n- secret: `" + canary + "\n",
	} {
		if _, err := load(file); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%q gives\n%v", file, err)
		}
	}
}

func TestShortRule(t *testing.T) {
	for claim, test := range map[string]struct {
		text string
		want cli.PathConfig
	}{
		"a page by itself has no query":     {"pages/item", cli.PathConfig{Path: "pages/item"}},
		"a star stands for any query":       {"pages/**?*", cli.PathConfig{Path: "pages/**", AnyQuery: true}},
		"a name allows a parameter":         {"p?id", cli.PathConfig{Path: "p", Params: []cli.ParamConfig{{Name: "id"}}}},
		"what follows = is its pattern":     {"p?id=[0-9]{1,3}", cli.PathConfig{Path: "p", Params: []cli.ParamConfig{{Name: "id", Pattern: "[0-9]{1,3}"}}}},
		"a pattern may have = and ? itself": {"p?id=a?=b", cli.PathConfig{Path: "p", Params: []cli.ParamConfig{{Name: "id", Pattern: "a?=b"}}}},
		"& begins the next":                 {"p?a=1&b", cli.PathConfig{Path: "p", Params: []cli.ParamConfig{{Name: "a", Pattern: "1"}, {Name: "b"}}}},
	} {
		t.Run(claim, func(t *testing.T) {
			var got cli.PathConfig
			if err := got.UnmarshalText([]byte(test.text)); err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v, %v, want %+v", got, err, test.want)
			}
		})
	}
}

func TestSecretsInAnOpenFileAreWarnedOf(t *testing.T) {
	const public = "clients:\n- {name: a, key: 0123456789abcdef, role: generate, publishable: true, origins: ['https://a.example'], paths: [p], generations_per_day: 1}\n"
	const app = "apps:\n- {appid: wx0123456789abcdef, secret: "
	for claim, test := range map[string]struct {
		file string
		mode fs.FileMode
		want string // in the one warning; empty = there is none
	}{
		"a file that all may read":       {minimal, 0o644, "config.yaml can be read by others (mode 0644) and holds apps[0].secret, clients[0].key"},
		"one that its group may read":    {minimal, 0o640, "mode 0640"},
		"one for its owner is good":      {minimal, 0o600, ""},
		"references are no secrets":      {strings.NewReplacer(canary+"-key", "${KEY}", canary, "${SECRET}").Replace(minimal), 0o644, ""},
		"nor is a publishable key":       {app + "'${SECRET}'}\n" + public, 0o644, ""},
		"but the AppSecret beside it is": {app + "x}\n" + public, 0o644, "holds apps[0].secret:"},
	} {
		t.Run(claim, func(t *testing.T) {
			got, err := cli.LoadConfig(cli.Sources{
				FileName: "config.yaml", File: []byte(test.file), FileMode: test.mode, Now: now,
				Environ: []string{"KEY=0123456789abcdef", "SECRET=x"},
			})
			if err != nil {
				t.Fatal(err)
			}
			if warnings := strings.Join(got.Warnings, "; "); !strings.Contains(warnings, test.want) || (test.want == "") != (warnings == "") {
				t.Errorf("got warnings %q, want %q", warnings, test.want)
			}
			if strings.Contains(strings.Join(got.Warnings, ""), canary) {
				t.Error("a warning shows a secret")
			}
		})
	}
}

func TestPrintedConfig(t *testing.T) {
	settings := mustLoad(t, minimal, "LINKBROKER_APPS_0_RATE=50")
	var out bytes.Buffer
	if err := settings.Print(&out); err != nil {
		t.Fatal(err)
	}
	for claim, want := range map[string]string{
		"a default is named as one":      `(?m)^listen: 127.0.0.1:8080 +# default$`,
		"a value of the file has a line": `(?m)^  - appid: wx0123456789abcdef +# config.yaml:3$`,
		"a variable is named":            `(?m)^    rate: 50 +# LINKBROKER_APPS_0_RATE$`,
		"an app's secret is redacted":    `(?m)^    secret: '\[redacted\]' +# config.yaml:4$`,
		"an API key is redacted":         `(?m)^    key: '\[redacted\]' +# config.yaml:7$`,
		"a duration is short":            `(?m)^    expire_time_grain: 1h +# default$`,
		"a retention is in days":         `(?m)^  retention: 400d +# default$`,
		"a list stays on its line":       `(?m)^    link_hosts: \[wxaurl.cn, wxmpurl.cn\] +# default$`,
	} {
		if !regexp.MustCompile(want).Match(out.Bytes()) {
			t.Errorf("%s: %s is not in\n%s", claim, want, out.String())
		}
	}
	if strings.Contains(out.String(), canary) {
		t.Errorf("a secret is printed:\n%s", out.String())
	}
}

func TestAPrintedTokenServerShowsNoSecret(t *testing.T) {
	settings := mustLoad(t, "clients: [{name: ops, key: 0123456789abcdef, role: admin}]\napps:\n- appid: wx0123456789abcdef\n  token: external\n"+
		"  token_source: {url: 'https://a.example/t?key=${SECRET}', headers: [{name: Authorization, value: 'Bearer ${SECRET}'}]}\n", "SECRET="+canary)
	var out bytes.Buffer
	if err := settings.Print(&out); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); strings.Contains(got, canary) || !strings.Contains(got, "https://a.example/t?[redacted]") || !strings.Contains(got, "name: Authorization") {
		t.Errorf("got\n%s", got)
	}
}

// TestExampleConfig holds config.yaml against the settings there are: all of them stand in it, with their defaults.
func TestExampleConfig(t *testing.T) {
	document, err := os.ReadFile("../config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	key := strings.Repeat("k", 20)
	got := mustLoad(t, string(document), "WECHAT_SECRET=s", "SHOP_KEY=shop-"+key, "OPS_KEY=ops-"+key).Config

	want := cli.DefaultConfig()
	app := cli.DefaultApp()
	app.AppID, app.Secret, app.FallbackHosts = "wx0123456789abcdef", "s", []string{}
	app.FallbackURLs, app.PassThrough, app.TokenSource.Headers = []string{}, []string{}, []cli.HeaderConfig{}
	want.Apps = []cli.AppConfig{app}
	want.Clients = []cli.ClientConfig{
		{
			Name: "shop-web", Key: wechat.Secret("shop-" + key), Role: "generate",
			Apps: []string{}, Paths: []cli.PathConfig{}, EnvVersions: []string{}, Origins: []string{},
		},
		{Name: "ops", Key: wechat.Secret("ops-" + key), Role: "admin"},
	}
	want.TrustedProxies = []string{}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("config.yaml sets\n%+v\nbut the defaults are\n%+v", got, want)
	}

	var root yaml.Node
	if err := yaml.Unmarshal(document, &root); err != nil {
		t.Fatal(err)
	}
	for _, path := range missing("", reflect.TypeFor[cli.Config](), root.Content[0], string(document)) {
		t.Errorf("config.yaml lacks %s", path)
	}
}

// missing lists the settings of a type that a document does not name. What a list may hold that is empty in it has to
// stand in its comments.
func missing(path string, kind reflect.Type, node *yaml.Node, document string) []string {
	if kind.Kind() == reflect.Slice && kind.Elem().Kind() == reflect.Struct {
		if len(node.Content) > 0 {
			return missing(path, kind.Elem(), node.Content[0], document)
		}
		for _, example := range []string{
			`#   \{path: \S+, any_query: \S+ params: \[\{name: .*, pattern: .*, max_length: `, `# Such as - \{name: \S+, value: `,
		} {
			if regexp.MustCompile(example).MatchString(document) && strings.Contains(example, "{"+kind.Elem().Field(0).Tag.Get("koanf")+":") {
				return nil
			}
		}
		return []string{path}
	}
	if kind.Kind() != reflect.Struct || kind == reflect.TypeFor[time.Time]() {
		return nil
	}
	var absent []string
	for f := range kind.Fields() {
		name := f.Tag.Get("koanf")
		at := slices.IndexFunc(node.Content, func(n *yaml.Node) bool { return n.Value == name })
		if at < 0 {
			absent = append(absent, path+name)
			continue
		}
		absent = append(absent, missing(path+name+".", f.Type, node.Content[at+1], document)...)
	}
	return absent
}

func FuzzConfig(f *testing.F) {
	document, err := os.ReadFile("../config.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(document), "LISTEN", ":1")
	f.Add(minimal, "APPS_0_LINK_HOSTS", "a,b")
	f.Add("apps: [&a {appid: *a}]", "CLIENTS_0_KEY", "x")
	f.Add("jobs: {purge: 'TZ='}\n", "APPS_7_SECRET_FILE", "/dev/null")
	f.Fuzz(func(t *testing.T, file, name, value string) {
		settings, err := load(file, "LINKBROKER_"+name+"="+value, "WECHAT_SECRET="+canary, "SHOP_KEY="+canary, "OPS_KEY="+canary+"2")
		if err != nil {
			if strings.Contains(err.Error(), canary) && !strings.Contains(file+name+value, "CANARY") {
				t.Errorf("an error shows a secret: %v", err)
			}
			return
		}
		if err := settings.Print(new(bytes.Buffer)); err != nil {
			t.Error(err)
		}
	})
}
