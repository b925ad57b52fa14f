package cli_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"linkbroker/cache"
	"linkbroker/cache/redistest"
	"linkbroker/cli"
)

// composed is what is looked at of deploy/compose.yaml. No container engine runs here, so what the files promise each other is
// held against the programs that have to keep it.
type composed struct {
	Services map[string]composedService
	Secrets  map[string]struct{ File string }
	Networks map[string]struct{ Internal bool }
}

type composedService struct {
	Image       string
	Command     []string
	Environment map[string]string
	Volumes     []string
	Ports       []string
	Secrets     []string
	Networks    yaml.Node
	Healthcheck struct{ Test []string }
}

func (s *composedService) joins(network string) bool {
	for _, node := range s.Networks.Content {
		if node.Value == network {
			return true
		}
	}
	return false
}

func readComposed(t *testing.T) (c composed) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(readFile(t, "../deploy/compose.yaml")), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// brokerNames are the services that are brokers.
func (c composed) brokerNames() (names []string) {
	for name, service := range c.Services {
		if strings.HasPrefix(service.Image, "linkbroker:") {
			names = append(names, name)
		}
	}
	return slices.Sorted(slices.Values(names))
}

// mounted gives a file of a container by where it is on the host.
func (c composed) mounted(t *testing.T, secrets, inside string) string {
	t.Helper()
	name, is := strings.CutPrefix(inside, "/run/secrets/")
	if !is || c.Secrets[name].File != "secrets/"+name {
		t.Fatalf("%s is no secret of compose.yaml", inside)
	}
	return filepath.Join(secrets, name)
}

// makeSecrets does what docs/several-machines.md says is to be done first, and gives the folder that comes of it.
func makeSecrets(t *testing.T) string {
	t.Helper()
	_, after, _ := strings.Cut(readFile(t, "../docs/several-machines.md"), "<!-- secrets of compose.yaml -->\n```sh\n")
	script, _, found := strings.Cut(after, "```")
	if !found {
		t.Fatal("docs/several-machines.md no longer tells how to make the secrets")
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "deploy"), 0o700); err != nil {
		t.Fatal(err)
	}
	rules := readFile(t, "../deploy/users.acl")
	if err := os.WriteFile(filepath.Join(dir, "deploy", "users.acl"), []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	script = strings.ReplaceAll(script, "the AppSecret", "0123456789abcdef0123456789abcdef") // as it stands it is refused
	shell := exec.CommandContext(t.Context(), "sh", "-eu", "-c", script)
	shell.Dir = dir
	if out, err := shell.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return filepath.Join(dir, "deploy", "secrets")
}

// substituted is a value as compose gives it where PUBLIC_HOST is not set.
func substituted(value string) string {
	return strings.ReplaceAll(value, "${PUBLIC_HOST:-localhost}", "localhost")
}

func TestComposeConfiguresEachBroker(t *testing.T) {
	c, secrets := readComposed(t), makeSecrets(t)
	if names := c.brokerNames(); len(names) != 2 {
		t.Fatalf("the brokers are %v", names)
	}
	proxy := c.Services["caddy"].Networks.Content[1].Content[1].Value
	for _, name := range c.brokerNames() {
		service := c.Services[name]
		if !slices.Contains(service.Volumes, "../config.yaml:/etc/linkbroker/config.yaml:ro") {
			t.Errorf("%s has no config.yaml", name)
		}
		var environ []string
		for variable, value := range service.Environment {
			if strings.HasSuffix(variable, "_FILE") {
				if secret := strings.TrimPrefix(value, "/run/secrets/"); !slices.Contains(service.Secrets, secret) {
					t.Errorf("%s is not given the secret %s", name, secret)
				}
				value = c.mounted(t, secrets, value)
			}
			environ = append(environ, variable+"="+substituted(value))
		}
		settings, err := cli.LoadConfig(cli.Sources{
			FileName: "config.yaml", File: []byte(readFile(t, "../config.yaml")), Environ: environ, Now: time.Now(),
		})
		if err != nil {
			t.Errorf("%s would not start: %v", name, err)
			continue
		}
		if store := string(settings.Store); !strings.HasSuffix(store, "@valkey:6379") || len(settings.Warnings) > 0 {
			t.Errorf("%s: store %s, warnings %v", name, settings.Store, settings.Warnings)
		}
		if !slices.Contains(settings.TrustedProxies, proxy) {
			t.Errorf("%s does not trust Caddy at %s but %v", name, proxy, settings.TrustedProxies)
		}
	}
}

func TestComposeStartsAServerThatForgetsNothing(t *testing.T) {
	c, secrets, dir := readComposed(t), makeSecrets(t), t.TempDir()
	service := c.Services["valkey"]
	var args []string
	for _, arg := range service.Command[1:] {
		switch {
		case arg == "/data":
			arg = dir
		case strings.HasPrefix(arg, "/run/secrets/"):
			arg = c.mounted(t, secrets, arg)
		}
		args = append(args, arg)
	}
	test := strings.Join(service.Healthcheck.Test, " ")
	if !strings.Contains(test, "valkey-cli --user health --pass x ping") {
		t.Fatalf("Valkey's health is told by %q", test)
	}
	server := redistest.New(t, dir, args...)
	server.User = "health x"
	server.EndWith(t)
	server.Start(t) // and answers PING as its health is told

	url := strings.TrimSpace(readFile(t, filepath.Join(secrets, "store")))
	url = strings.Replace(url, "valkey:6379", server.Addr, 1)
	store, err := cache.Open(t.Context(), url, cache.Options{Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.PutBlob(t.Context(), "name", []byte("value")); err != nil {
		t.Error(err)
	}
	_ = store.Close()
	report, err := cache.ExamineRedis(t.Context(), url, time.Now)
	if err != nil || !report.AppendOnly || report.Policy != "noeviction" {
		t.Errorf("got %+v, %v", report, err)
	}
	for _, server.User = range []string{"", "health x"} {
		for _, command := range [][]string{{"GET", "x"}, {"CONFIG", "GET", "dir"}, {"KEYS", "*"}, {"FLUSHALL"}} {
			if answer, err := server.Ask(command...); err != nil || !strings.HasPrefix(answer, "-NO") {
				t.Errorf("whoever has no password is answered %v with %q, %v", command, answer, err)
			}
		}
	}
}

// upstreams are the addresses that a Caddyfile names behind reverse_proxy.
var upstreams = regexp.MustCompile(`(?m)^\treverse_proxy (.+) \{$`)

func TestComposePutsCaddyInFrontOfEachBroker(t *testing.T) {
	c := readComposed(t)
	found := upstreams.FindStringSubmatch(readFile(t, "../deploy/compose.Caddyfile"))
	if found == nil {
		t.Fatal("compose.Caddyfile names no broker")
	}
	var named []string
	for address := range strings.FieldsSeq(found[1]) {
		name, port, _ := net.SplitHostPort(address)
		service := c.Services[name]
		if _, listens, _ := net.SplitHostPort(service.Environment["LINKBROKER_LISTEN"]); listens != port {
			t.Errorf("%s listens on port %s, and Caddy asks at %s", name, listens, address)
		}
		named = append(named, name)
	}
	if fmt.Sprint(named) != fmt.Sprint(c.brokerNames()) {
		t.Errorf("Caddy asks %v, the brokers are %v", named, c.brokerNames())
	}
	if caddy, err := exec.LookPath("caddy"); err == nil {
		validate := exec.CommandContext(t.Context(), caddy, "validate", "--adapter", "caddyfile", "--config", "../deploy/compose.Caddyfile")
		validate.Env = append(os.Environ(), "HOME="+t.TempDir())
		if out, err := validate.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}
}

func TestComposeShowsNothingThatNeedNotBeSeen(t *testing.T) {
	c := readComposed(t)
	for name, service := range c.Services {
		for _, port := range service.Ports {
			if name != "caddy" && !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s can be reached from elsewhere at %s", name, port)
			}
		}
		if inside := service.joins("back"); inside != slices.Contains([]string{"broker-1", "broker-2", "valkey"}, name) {
			t.Errorf("%s reaches Valkey: %v", name, inside)
		}
	}
	if !c.Networks["back"].Internal || c.Networks["front"].Internal || len(c.Services["valkey"].Ports) > 0 {
		t.Error("Valkey can be reached from outside, or a broker does not reach WeChat")
	}
}
