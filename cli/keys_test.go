package cli_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"linkbroker/broker"
)

// shown is what a command prints of a client as JSON.
type shown struct {
	Name      string
	Enabled   bool
	ExpiresAt time.Time `json:"expires_at"`
	Keys      []struct{ Hint string }
	Key       string
	broker.Grant
}

// keys runs a command on clients that must succeed, and gives what it shows.
func (p *program) keys(args ...string) (got shown) {
	p.t.Helper()
	stdout, stderr, code := run(p.t, p.t.TempDir(), p.asAdmin(), append(append([]string{"keys"}, args...), "-o", "json")...)
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != 0 {
		p.t.Fatalf("keys %s exits with %d\n%s%s", args, code, stdout, stderr)
	}
	return got
}

func (p *program) asAdmin() []string {
	return []string{"LINKBROKER_URL=" + p.admin, "LINKBROKER_KEY=" + opsKey}
}

func TestTheLifeOfAKey(t *testing.T) {
	t.Parallel()
	w := newWeChat(t)
	dir := configured(t, w.configuration())
	p := serve(t, dir, secrets)
	expect := func(claim, key string, status int) {
		t.Helper()
		if got := p.answers(key); got != status {
			t.Errorf("%s: it gets %d, want %d", claim, got, status)
		}
	}
	made := p.keys("create", "partner", "--requests-per-second=50")
	if !regexp.MustCompile(`^sk_[A-Z2-7]{26}[0-9a-f]{8}$`).MatchString(made.Key) {
		t.Fatalf("the key is %q", made.Key)
	}
	expect("a new key", made.Key, http.StatusOK)
	if again := p.keys("show", "partner"); again.Key != "" || again.Keys[0].Hint != made.Key[:8] || again.RequestsPerSecond != 50 {
		t.Errorf("afterwards it is shown as %+v", again)
	}

	rotated := p.keys("rotate", "partner", "--overlap=1h")
	expect("the key of a rotation", rotated.Key, http.StatusOK)
	expect("the old one meanwhile", made.Key, http.StatusOK)
	last := p.keys("rotate", "partner", "--overlap=0s")
	expect("the key before the last", rotated.Key, http.StatusUnauthorized)
	expect("the one before that", made.Key, http.StatusUnauthorized)
	token := p.token(last.Key)

	p.keys("disable", "partner")
	expect("a disabled key", last.Key, http.StatusUnauthorized)
	if got := call(t, http.MethodPost, p.public+"/wxa/generate_urllink?access_token="+token, `{"path":"p"}`).body; !strings.Contains(got, "40001") {
		t.Errorf("its token gets %s", got)
	}
	p.keys("enable", "partner")
	expect("an enabled key", last.Key, http.StatusOK)
	if got := p.keys("expire", "partner"); got.Enabled {
		t.Errorf("an expired client is %+v", got)
	}
	expect("an expired key", last.Key, http.StatusUnauthorized)
	if got := p.keys("expire", "partner", "--at=30d"); !got.Enabled || time.Until(got.ExpiresAt).Round(time.Hour) != 30*24*time.Hour {
		t.Errorf("a client that lives longer is %+v", got)
	}
	expect("one that lives longer", last.Key, http.StatusOK)
	if got := p.keys("expire", "partner", "--at=never"); !got.ExpiresAt.IsZero() || got.RequestsPerSecond != 50 {
		t.Errorf("a client that lives for ever is %+v", got)
	}

	p.terminate() // keys live in the store
	p = serve(t, dir, secrets)
	expect("a key after a restart", last.Key, http.StatusOK)
	if stdout, stderr, code := run(t, dir, p.asAdmin(), "keys", "delete", "partner"); code != 0 || stdout != "partner deleted\n" {
		t.Errorf("delete exits with %d: %s%s", code, stdout, stderr)
	}
	expect("a deleted key", last.Key, http.StatusUnauthorized)

	stdout, _, _ := run(t, dir, p.asAdmin(), "audit", "list")
	for _, want := range []string{"client.create", "client.rotate", "client.disable", "client.enable", "client.update", "client.delete"} {
		if !regexp.MustCompile(`(?m)^\d+ +\S+ +ops +127\.0\.0\.1 +` + want + ` +partner`).MatchString(stdout) {
			t.Errorf("the audit lacks %s:\n%s", want, stdout)
		}
	}
	for _, secret := range []string{made.Key, rotated.Key, last.Key, token} {
		if strings.Contains(stdout+p.stderr.String(), secret) {
			t.Error("a key or a token is in the audit or the log")
		}
	}
}

func TestEachFieldOfAGrantHasAFlag(t *testing.T) {
	t.Parallel()
	w := newWeChat(t)
	p := serve(t, configured(t, w.configuration()), secrets)
	got := p.keys("create", "page", "--publishable", "--role=read", "--expires-at=2100-01-31T08:00:00+08:00",
		"--app="+appID, "--path=pages/item?id=[0-9]{1,9}&from", "--path=pages/any?*", `--path={"path":"pages/long","params":[{"name":"q","max_length":200}]}`,
		"--env-version=release,trial", "--no-cloud-base", "--origin=https://a.example", "--origin=https://b.example:8443",
		"--requests-per-second=2.5", "--generations-per-minute=7", "--generations-per-day=1000")
	want := broker.Grant{
		Apps: []string{appID},
		Paths: []broker.PathRule{
			{Path: "pages/item", Params: []broker.ParamRule{{Name: "id", Pattern: "[0-9]{1,9}"}, {Name: "from"}}},
			{Path: "pages/any", AnyQuery: true},
			{Path: "pages/long", Params: []broker.ParamRule{{Name: "q", Longest: 200}}},
		},
		Envs: []broker.Env{broker.Release, broker.Trial}, NoCloudBase: true, Origins: []string{"https://a.example", "https://b.example:8443"},
		RequestsPerSecond: 2.5, GenerationsPerMinute: 7, GenerationsPerDay: 1000,
	}
	if !reflect.DeepEqual(got.Grant, want) || !strings.HasPrefix(got.Key, "pk_") || got.ExpiresAt.Year() != 2100 {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	want.Paths, want.GenerationsPerDay = []broker.PathRule{{Path: "p"}}, 5
	if changed := p.keys("update", "page", "--path=p", "--generations-per-day=5"); !reflect.DeepEqual(changed.Grant, want) || changed.ExpiresAt.Year() != 2100 {
		t.Errorf("after an update of two fields\n%+v\nwant\n%+v", changed, want)
	}
	if passing := p.keys("create", "passing", "--pass-through"); !passing.PassThrough { // which no publishable key can have
		t.Errorf("with --pass-through it may\n%+v", passing)
	}
	stdout, _, _ := run(t, p.cmd.Dir, p.asAdmin(), "keys", "show", "page")
	for _, row := range []string{`paths +p`, `env_versions +release, trial`, `generations_per_day +5`, `state +enabled`, `a key +pk_\w{5}… ends -, used -`} {
		if !regexp.MustCompile(`(?m)^` + row).MatchString(stdout) {
			t.Errorf("%s is not in\n%s", row, stdout)
		}
	}
}

func TestKeysCommands(t *testing.T) {
	t.Parallel()
	w := newWeChat(t)
	dir := configured(t, w.configuration())
	p := serve(t, dir, secrets)
	for _, test := range []struct {
		claim string
		args  []string
		code  int
		want  string // a pattern in what it prints
	}{
		{"create shows the key once and says so", []string{"create", "a"}, 0, `(?s)^key +sk_.*\nname +a\n.*The key is shown this once`},
		{"a name that is taken is refused", []string{"create", "a"}, 1, `a client named "a" exists`},
		{"so is one that is in the configuration", []string{"create", "shop"}, 1, `a client named "shop" exists`},
		{"and one that is none", []string{"create", "a b"}, 1, `a client's name has 1 to 64 characters`},
		{"a publishable key needs a guard", []string{"create", "b", "--publishable"}, 1, `needs origins, paths and generations_per_day`},
		{"an unknown role is refused", []string{"create", "b", "--role=boss"}, 1, `role "boss" is not one of`},
		{"an impossible page is refused here", []string{"create", "b", "--path=p?=1"}, 1, `--path must be a page such as`},
		{"JSON with an unknown field is refused", []string{"create", "b", `--path={"page":"p"}`}, 1, `--path is no JSON of a rule`},
		{"a moment in words is refused", []string{"create", "b", "--expires-at=soon"}, 1, `--expires-at must be a moment`},
		{"list shows all", []string{"list"}, 0, `(?s)NAME +ROLE.*\na +generate +sk_\w{5}… +enabled +store.*\nops +admin +- +enabled +configuration`},
		{"a client of the configuration is not changed", []string{"disable", "shop"}, 1, `client "shop" stands in the configuration`},
		{"nor deleted", []string{"delete", "shop"}, 1, `client "shop" stands in the configuration`},
		{"what is no name is not asked for", []string{"show", "../links"}, 1, `"../links" is not the name of a client`},
		{"nor are dots", []string{"delete", ".."}, 1, `".." is not the name of a client`},
		{"an unknown client is not found", []string{"rotate", "nobody"}, 1, `no client is named "nobody"`},
		{"an overlap in words is refused", []string{"rotate", "a", "--overlap=long"}, 1, `--overlap must be a time such as`},
		{"an update of nothing is refused", []string{"update", "a"}, 1, `nothing is to be changed`},
		{"there is no flag for a key", []string{"create", "c", "--key=x"}, 2, `unknown flag: --key`},
	} {
		t.Run(test.claim, func(t *testing.T) {
			stdout, stderr, code := run(t, dir, p.asAdmin(), append([]string{"keys"}, test.args...)...)
			if code != test.code || !regexp.MustCompile(test.want).MatchString(stdout+stderr) {
				t.Errorf("exit code %d and\n%s%s\nwant %d and %s", code, stdout, stderr, test.code, test.want)
			}
		})
	}
	environ := []string{"LINKBROKER_URL=" + p.admin, "LINKBROKER_KEY=" + shopKey}
	for _, args := range [][]string{{"keys", "list"}, {"audit", "list"}} {
		if _, stderr, code := run(t, dir, environ, args...); code != 1 || !strings.Contains(stderr, "this needs a key of role admin") {
			t.Errorf("%s with a key of another role exits with %d: %s", args, code, stderr)
		}
	}
	if stdout, stderr, code := run(t, dir, p.asAdmin(), "audit", "list", "--limit=1"); code != 0 || !strings.Contains(stderr, "There may be more: add --before ") {
		t.Errorf("a page of the audit exits with %d\n%s%s", code, stdout, stderr)
	}
}
