package cli_test

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"linkbroker/wechat/sandbox"
)

// examined is what doctor prints as JSON.
type examined struct {
	Healthy  bool
	Findings []struct{ Verdict, Check, Found, Do string }
}

// says reports whether a finding has the verdict, and holds the text in what it found or in what to do.
func (e examined) says(verdict, check, text string) bool {
	for _, f := range e.Findings {
		if f.Verdict == verdict && strings.HasPrefix(f.Check, check) && strings.Contains(f.Found+" "+f.Do, text) {
			return true
		}
	}
	return false
}

func doctor(t *testing.T, dir string, environ []string) (e examined, code int) {
	t.Helper()
	stdout, stderr, code := run(t, dir, environ, "doctor", "-o", "json")
	if err := json.Unmarshal([]byte(stdout), &e); err != nil {
		t.Fatalf("exit code %d, %v\n%s%s", code, err, stdout, stderr)
	}
	for _, secret := range []string{appSecret, shopKey, opsKey, readKey} {
		if strings.Contains(stdout+stderr, secret) {
			t.Errorf("a secret is shown:\n%s%s", stdout, stderr)
		}
	}
	return e, code
}

func TestDoctorFindsAllWell(t *testing.T) {
	t.Parallel()
	w := newWeChat(t)
	dir := configured(t, w.configuration())
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := run(t, dir, secrets, "doctor")
	if code != 0 || strings.Contains(stdout, "FAIL") || strings.Contains(stdout, "→") {
		t.Errorf("exit code %d and\n%s%s", code, stdout, stderr)
	}
	for _, want := range []string{
		"configuration", "none is unsafe", "the first start makes it", "of its disk are free", "answers within", "is off by 0s", "WeChat gives one to this machine",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is not in\n%s", want, stdout)
		}
	}
	if made := w.Stats().Generated; made != 0 {
		t.Errorf("it spent %d units of quota", made)
	}
}

func TestDoctorOnTheWayToWeChat(t *testing.T) {
	t.Parallel()
	answering := func(handle http.HandlerFunc) func(*testing.T) string {
		return func(t *testing.T) string {
			t.Helper()
			s := httptest.NewServer(handle)
			t.Cleanup(s.Close)
			return s.URL
		}
	}
	clock := func(off time.Duration) func(*testing.T) string {
		return answering(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Date", time.Now().Add(off).UTC().Format(http.TimeFormat))
			rw.WriteHeader(http.StatusNotFound)
		})
	}
	fake := func(faults ...sandbox.Fault) func(*testing.T) string {
		return func(t *testing.T) string {
			t.Helper()
			w := newWeChat(t)
			for _, fault := range faults {
				w.fail(t, fault)
			}
			return w.server.URL
		}
	}
	for claim, test := range map[string]struct {
		base    func(*testing.T) string
		environ []string
		verdict string
		check   string
		want    string
	}{
		"40164 names the address and where it belongs": {
			fake(sandbox.Fault{Name: "ip", Route: "*"}), secrets, "FAIL", "token of " + appID, "IP whitelist: add 203.0.113.7",
		},
		"40125 says that the secret is wrong": {
			fake(), append([]string{"SECRET=another"}, secrets[1:]...), "FAIL", "token of " + appID, "WeChat refuses the AppSecret",
		},
		"40243 says that the secret is frozen": {
			fake(sandbox.Fault{Name: "frozen", Route: "*"}), secrets, "FAIL", "token of " + appID, "unfreeze it",
		},
		"garbage is no token":                {fake(sandbox.Fault{Name: "html", Route: "*"}), secrets, "FAIL", "token of " + appID, "try again"},
		"a clock that is late fails":         {clock(5 * time.Minute), secrets, "FAIL", "clock", "is off by -5m0s"},
		"so does one that is early":          {clock(-5 * time.Minute), secrets, "FAIL", "clock", "timedatectl"},
		"a clock that is a little off warns": {clock(40 * time.Second), secrets, "WARN", "clock", "is off by -40s"},
		"a server without a clock warns": {
			answering(func(rw http.ResponseWriter, _ *http.Request) { rw.Header()["Date"] = nil }), secrets, "WARN", "clock", "does not say what time it is",
		},
		"a redirect is not followed": {
			answering(func(rw http.ResponseWriter, r *http.Request) {
				http.Redirect(rw, r, "http://127.0.0.1:1/", http.StatusTemporaryRedirect)
			}), secrets, "OK", "connection", "answers within",
		},
		"nobody there": {
			func(*testing.T) string { return "http://127.0.0.1:1" }, secrets, "FAIL", "connection to 127.0.0.1:1", "connection refused",
		},
		"a name that is not found": {
			func(*testing.T) string { return "https://nowhere.invalid" }, secrets, "FAIL", "name nowhere.invalid", "is not found",
		},
		"a certificate of nobody's": {
			func(t *testing.T) string {
				t.Helper()
				s := httptest.NewUnstartedServer(http.NotFoundHandler())
				s.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that fail
				s.StartTLS()
				t.Cleanup(s.Close)
				return s.URL
			}, secrets, "FAIL", "connection", "ca-certificates",
		},
		"plain HTTP where TLS belongs": {
			func(t *testing.T) string {
				t.Helper()
				return strings.Replace(fake()(t), "http:", "https:", 1)
			}, secrets, "FAIL", "connection", "base_url says https://",
		},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			w := newWeChat(t)
			dir := configured(t, strings.Replace(w.configuration(), w.server.URL, test.base(t), 1))
			got, code := doctor(t, dir, test.environ)
			if !got.says(test.verdict, test.check, test.want) {
				t.Errorf("got %+v", got)
			}
			if (code != 0) == got.Healthy || test.verdict == "FAIL" && code != 1 {
				t.Errorf("exit code %d, healthy %v", code, got.Healthy)
			}
		})
	}
}

func TestDoctorOnSettings(t *testing.T) {
	t.Parallel()
	w := newWeChat(t)
	const page = `  - {name: page, key: pk_page0123456789ab, role: generate, publishable: true, origins: ["https://a.example"], paths: [p], generations_per_day: 1}` + "\n"
	for claim, test := range map[string]struct {
		old, changed string // in the configuration
		verdict      string
		check, want  string
	}{
		"the admin listener on every address": {"admin: {listen: 127.0.0.1:0}", "admin: {listen: ':0'}", "WARN", "admin.listen", "ssh -L"},
		"the public one in plain HTTP":        {"listen: 127.0.0.1:0\nadmin", "listen: ':0'\nadmin", "WARN", "listen", "set tls"},
		"a proxy in front makes it good":      {"listen: 127.0.0.1:0\nadmin", "trusted_proxies: [10.0.0.1]\nlisten: ':0'\nadmin", "OK", "settings", "none is unsafe"},
		"an admin page in plain HTTP":         {"admin: {", "admin: {public_url: 'http://a.example', ", "WARN", "admin.public_url", "https://"},
		"a publishable key without limits": {
			"clients:\n", "trusted_proxies: [127.0.0.1]\nlimits: {address_generations_per_minute: 0}\nclients:\n" + page, "WARN", "client page", "limits.address_generations_per_minute",
		},
		"one whose visitors share an address": {"clients:\n", "clients:\n" + page, "WARN", "client page", "trusted_proxies"},
		"one behind a proxy that is trusted":  {"clients:\n", "trusted_proxies: [127.0.0.1]\nclients:\n" + page, "OK", "settings", "none is unsafe"},
		"secrets in the file":                 {"${SECRET}", "literal", "WARN", "secrets", "config.yaml holds apps[0].secret"},
		"a store that forgets":                {"listen: 127.0.0.1:0\nadmin", "store: memory://\nlisten: 127.0.0.1:0\nadmin", "WARN", "store", "forgets every link"},
		"no backups":                          {"jobs: {", "jobs: {backup: '', ", "WARN", "backup.dir", "no backups"},
		"a mistake":                           {"level: debug", "level: loud", "FAIL", "configuration", "log.level: must be debug"},
		"what is right is examined beside it": {"level: debug", "level: loud", "OK", "token of " + appID, ""},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			got, code := doctor(t, configured(t, strings.Replace(w.configuration(), test.old, test.changed, 1)), secrets)
			if !got.says(test.verdict, test.check, test.want) || (code == 0) != got.Healthy {
				t.Errorf("exit code %d, got %+v", code, got)
			}
		})
	}
}

func TestDoctorOnTheStore(t *testing.T) {
	t.Parallel()
	w := newWeChat(t)
	dir := configured(t, w.configuration())
	p := serve(t, dir, secrets)
	decoded(t, p.postLink(`{"path":"p"}`))
	expect := func(claim, verdict, check, want string) {
		t.Helper()
		if got, _ := doctor(t, dir, secrets); !got.says(verdict, check, want) {
			t.Errorf("%s: got %+v", claim, got)
		}
	}
	expect("a broker that runs", "OK", "store", "in use by a running linkbroker")
	p.terminate()
	expect("one that was stopped", "OK", "store", "is sound at a first look")

	data := filepath.Join(dir, "data")
	store := filepath.Join(data, "links.db")
	for _, mode := range []struct {
		path string
		mode os.FileMode
	}{{data, 0o755}, {store, 0o644}} {
		if err := os.Chmod(mode.path, mode.mode); err != nil {
			t.Fatal(err)
		}
	}
	expect("an open folder", "WARN", "store", "chmod 700 data")
	expect("an open file", "WARN", "store", "chmod 600 data/links.db")

	if err := os.WriteFile(store, []byte(strings.Repeat("no store", 10_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	expect("a damaged file", "FAIL", "store", "the newest good backup")
	if err := os.RemoveAll(data); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(data, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	expect("a file in the folder's place", "FAIL", "store", "data is no folder")
}
