package cli_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const lateKey = "canary-late-key-0123456789abcdef"

// rewrite replaces the configuration and asks for a reload, and waits for what is logged of it.
func (p *program) rewrite(config, logged string) {
	p.t.Helper()
	before := len(p.stderr.String())
	if err := os.WriteFile(filepath.Join(p.cmd.Dir, "config.yaml"), []byte(config), 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.signal(syscall.SIGHUP)
	eventually(p.t, "it logs "+logged, func() bool { return strings.Contains(p.stderr.String()[before:], logged) })
}

const taken, kept = "the new configuration is taken over", "the new configuration is not taken over"

// answers gives the status that a key gets.
func (p *program) answers(key string) int {
	p.t.Helper()
	return call(p.t, http.MethodPost, p.public+"/api/v1/links", `{"path":"p"}`, bearer(key)).status
}

func TestReload(t *testing.T) {
	t.Parallel()
	w := newWeChat(t)
	p := serve(t, configured(t, w.configuration()), secrets)
	token := p.token(shopKey)
	ask := func() string {
		return call(t, http.MethodPost, p.public+"/wxa/generate_urllink?access_token="+token, `{"path":"p"}`).body
	}
	if got := ask(); !strings.Contains(got, `"errcode":0`) {
		t.Fatalf("with a token the answer is %s", got)
	}

	late := w.configuration() + "  - {name: late, key: " + lateKey + ", role: generate}\n"
	p.rewrite(late, taken)
	if got := p.answers(lateKey); got != http.StatusOK {
		t.Errorf("a client that was added gets %d", got)
	}
	if got := ask(); !strings.Contains(got, `"errcode":0`) {
		t.Errorf("the token of a client that stays gets %s", got)
	}

	without := strings.Replace(late, `  - {name: shop, key: "${SHOP}", role: generate}`+"\n", "", 1)
	p.rewrite(without, taken)
	if got := p.answers(shopKey); got != http.StatusUnauthorized {
		t.Errorf("a client that was taken away gets %d", got)
	}
	if got := ask(); !strings.Contains(got, `"errcode":40001`) {
		t.Errorf("the token of a client that was taken away gets %s", got)
	}

	for claim, test := range map[string]struct {
		config string
		logged []string
	}{
		"a file with problems is not taken over, and all are logged": {
			strings.Replace(without, "log: {level: debug", "lgo: {level: debug", 1) + "deadline: never\n",
			[]string{kept, `key \"lgo\" is not known`, "deadline: must be a duration"},
		},
		"nor is one that lets nobody in": {
			strings.ReplaceAll(without, "role:", "disabled: true, role:"), []string{kept, "nobody could ask"},
		},
		"nor what is no YAML": {"[", []string{kept}},
		"a setting that needs a restart is named": {
			without + "deadline: 3s\ncache: {memory_links: 7}\n", []string{taken, `"settings":"deadline, cache.memory_links"`},
		},
	} {
		t.Run(claim, func(t *testing.T) {
			p.rewrite(test.config, test.logged[0])
			for _, logged := range test.logged[1:] {
				if !strings.Contains(p.stderr.String(), logged) {
					t.Errorf("%s is not logged", logged)
				}
			}
			if got := p.answers(lateKey); got != http.StatusOK {
				t.Errorf("then a client of the old configuration gets %d", got)
			}
		})
	}

	p.rewrite(strings.Replace(without, "level: debug", "level: error", 1), taken)
	quiet := len(p.stderr.String())
	p.answers(lateKey)
	p.terminate()
	if more := p.stderr.String()[quiet:]; more != "" {
		t.Errorf("after the level was raised it logs %s", more)
	}
	if all := p.stderr.String() + p.stdout.String(); strings.Contains(all, lateKey) {
		t.Error("a key is logged")
	}
}

// page is a client whose key everybody knows.
const page = `  - {name: page, key: ` + exposedKey + `, role: generate, publishable: true, origins: ["https://a.example"], paths: ["p?n"], generations_per_day: 100}` + "\n"

const exposedKey = "pk_page-0123456789abcdef"

func TestReloadTakesLimitsOver(t *testing.T) {
	t.Parallel()
	w := newWeChat(t)
	config := func(limits string) string { return w.configuration() + page + "limits: {" + limits + "}\n" }
	p := serve(t, configured(t, config("address_generations_per_minute: 1")), secrets)
	n := 0
	miss := func() int {
		n++
		return call(t, http.MethodPost, p.public+"/api/v1/links", fmt.Sprintf(`{"path":"p","query":"n=%d"}`, n), bearer(exposedKey)).status
	}
	if first, second := miss(), miss(); first != http.StatusOK || second != http.StatusTooManyRequests {
		t.Errorf("with one generation a minute they get %d and %d", first, second)
	}
	p.rewrite(config("address_generations_per_minute: 0"), taken)
	if first, second := miss(), miss(); first != http.StatusOK || second != http.StatusOK {
		t.Errorf("without a limit they get %d and %d", first, second)
	}
	p.rewrite(config("address_generations_per_minute: 0, address_requests_per_second: 0.01"), taken)
	if first, second := miss(), miss(); first == http.StatusOK && second == http.StatusOK {
		t.Errorf("with a request in 100 s they get %d and %d", first, second)
	}
	if strings.Contains(p.stderr.String(), "only a restart") {
		t.Error("limits are said to need a restart")
	}
}

// token gets a broker token as an SDK does.
func (p *program) token(key string) string {
	p.t.Helper()
	got := call(p.t, http.MethodGet, p.public+"/cgi-bin/token?grant_type=client_credential&appid="+appID+"&secret="+key, "").body
	_, rest, _ := strings.Cut(got, `"access_token":"`)
	token, _, found := strings.Cut(rest, `"`)
	if !found {
		p.t.Fatalf("no token in %s", got)
	}
	return token
}
