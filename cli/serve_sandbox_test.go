package cli_test

import (
	"encoding/json"
	"net"
	"net/url"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// sandboxed is the program as a newcomer starts it, but for the ports, which may be taken.
type sandboxed struct {
	*program

	curl curlLine
	key  string
	wx   string // the fake WeChat
}

// curlLine is a line that the program prints to be pasted.
type curlLine struct{ url, header, body string }

func serveSandbox(t *testing.T, dir, public, admin string) *sandboxed {
	t.Helper()
	p := start(t, dir, nil, "serve", "--sandbox", "--listen", public, "--admin-listen", admin)
	all := p.stdout.find(t, p.exited, `(?s)curl -s (\S+) -H '([^']*)' -d '([^']*)'.*LINKBROKER_KEY=(\S+) LINKBROKER_URL=(\S+).*All its faults: (\S+)/\n.*Ctrl-C`)
	s := &sandboxed{program: p, curl: curlLine{all[1], all[2], all[3]}, key: all[4], wx: all[6]}
	p.public, p.admin = strings.TrimSuffix(s.curl.url, "/api/v1/links"), all[5]
	return s
}

// paste runs a printed line.
func (s *sandboxed) paste(t *testing.T, line curlLine) answer {
	t.Helper()
	return decoded(t, call(t, "POST", line.url, line.body, line.header))
}

// answer is what a native answer holds that tests look at.
type answer struct {
	Key     string
	URL     string
	Outcome string
}

func decoded(t *testing.T, got reply) (a answer) {
	t.Helper()
	if err := json.Unmarshal([]byte(got.body), &a); err != nil || got.status != 200 {
		t.Fatalf("status %d, body %s", got.status, got.body)
	}
	return a
}

func host(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// TestSandboxAsANewcomerTriesIt is the promise of the README: paste, paste, stop, start, paste.
func TestSandboxAsANewcomerTriesIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := serveSandbox(t, dir, "127.0.0.1:0", "127.0.0.1:0")
	public, admin := host(t, first.public), host(t, first.admin)
	miss := first.paste(t, first.curl)
	if miss.Outcome != "miss" || !strings.HasPrefix(miss.URL, "https://wxaurl.cn/") {
		t.Fatalf("the first answer is %+v", miss)
	}
	again := func(s *sandboxed, when string) {
		t.Helper()
		if hit := s.paste(t, first.curl); hit.Outcome != "hit" || hit.URL != miss.URL {
			t.Errorf("%s the answer is %+v, want a hit with %s", when, hit, miss.URL)
		}
	}
	again(first, "pasted again,")
	first.terminate()

	second := serveSandbox(t, dir, public, admin)
	again(second, "after SIGTERM and a restart")
	other := curlLine{first.curl.url, first.curl.header, `{"path":"pages/item","query":"id=43"}`}
	lastMiss := second.paste(t, other)
	second.kill()

	third := serveSandbox(t, dir, public, admin)
	again(third, "after kill -9 and a restart")
	if hit := third.paste(t, other); lastMiss.Outcome != "miss" || hit.Outcome != "hit" || hit.URL != lastMiss.URL {
		t.Errorf("a link answered just before kill -9 is %+v afterwards, want a hit with %s", hit, lastMiss.URL)
	}
	if sdk := call(t, "POST", third.public+"/k/"+third.key+"/wxa/generate_urllink", first.curl.body); !strings.Contains(sdk.body, miss.URL) {
		t.Errorf("as an SDK the answer is %s, want %s in it", sdk.body, miss.URL)
	}
	if stats := call(t, "GET", third.wx+"/sandbox/stats", ""); !strings.Contains(stats.body, `"generated":0`) {
		t.Errorf("after the last start no link was to be generated: %s", stats.body)
	}
}

func TestSandboxReadsNoConfiguration(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), []string{"LINKBROKER_STORE=nonsense", "LINKBROKER_LISTEN=nonsense"},
		"serve", "--sandbox", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
	p.stdout.find(t, p.exited, "Ctrl-C ends it")
	p.terminate()
	if _, stderr, code := run(t, t.TempDir(), nil, "serve", "--sandbox", "--config", "x"); code != 2 || !strings.Contains(stderr, "config") {
		t.Errorf("--sandbox beside --config exits with %d and says %s", code, stderr)
	}
}

func TestAddressInUse(t *testing.T) {
	t.Parallel()
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	address := taken.Addr().String()
	for claim, test := range map[string]struct {
		args []string
		want string
	}{
		"the public listener": {
			[]string{"serve", "--sandbox", "--listen", address, "--admin-listen", "127.0.0.1:0"},
			"cannot listen on " + address + ": the address is in use: is another linkbroker running? Choose another address with --listen\n",
		},
		"the admin listener": {
			[]string{"serve", "--sandbox", "--listen", "127.0.0.1:0", "--admin-listen", address},
			"cannot listen on " + address + ": the address is in use: is another linkbroker running? Choose another address with --admin-listen\n",
		},
		"the fake WeChat": {
			[]string{"sandbox", "--listen", address},
			"cannot listen on " + address + ": the address is in use: is another linkbroker running? Choose another address with --listen\n",
		},
		"the fake WeChat on the network": {
			[]string{"sandbox", "--listen", "0.0.0.0:0"},
			"the fake WeChat listens on this machine alone",
		},
	} {
		t.Run(claim, func(t *testing.T) {
			_, stderr, code := run(t, t.TempDir(), nil, test.args...)
			if code != 1 || !strings.Contains(stderr, test.want) {
				t.Errorf("exit code %d and\n%s\nwant 1 and\n%s", code, stderr, test.want)
			}
		})
	}
}

func TestSecondProcessOnTheSameStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	serveSandbox(t, dir, "127.0.0.1:0", "127.0.0.1:0")
	_, stderr, code := run(t, dir, nil, "serve", "--sandbox", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
	if want := "data/sandbox.db: the store is in use by another linkbroker process: stop that one first"; code != 1 || !strings.Contains(stderr, want) {
		t.Errorf("exit code %d and\n%s\nwant 1 and\n%s", code, stderr, want)
	}
}

// slowly has the fake WeChat take its time, asks for a link and waits until that call is under way.
func (s *sandboxed) slowly(t *testing.T, delay string) <-chan reply {
	t.Helper()
	call(t, "POST", s.wx+"/sandbox/faults", `{"fault":"slow","delay":"`+delay+`"}`)
	replies := make(chan reply, 1)
	go func() {
		got, err := try(t.Context(), "POST", s.curl.url, s.curl.body, s.curl.header)
		if err != nil {
			got.body = err.Error()
		}
		replies <- got
	}()
	eventually(t, "the call reaches WeChat", func() bool {
		return strings.Contains(call(t, "GET", s.wx+"/sandbox/stats", "").body, `"/wxa/generate_urllink":1`)
	})
	return replies
}

func TestSIGTERMFinishesAndStoresWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serveSandbox(t, dir, "127.0.0.1:0", "127.0.0.1:0")
	replies := s.slowly(t, "1s")
	s.signal(syscall.SIGTERM)
	miss := decoded(t, <-replies)
	if miss.Outcome != "miss" {
		t.Errorf("the answer is %+v, want a miss", miss)
	}
	if code := s.wait(); code != 0 {
		t.Errorf("it exits with %d", code)
	}
	next := serveSandbox(t, dir, host(t, s.public), host(t, s.admin))
	if hit := next.paste(t, s.curl); hit.Outcome != "hit" || hit.URL != miss.URL {
		t.Errorf("after a restart the answer is %+v, want a hit with %s", hit, miss.URL)
	}
}

func TestSecondSignalEndsItAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serveSandbox(t, dir, "127.0.0.1:0", "127.0.0.1:0")
	replies := s.slowly(t, "1h")
	s.signal(syscall.SIGTERM)
	eventually(t, "no new requests are taken", func() bool {
		_, err := try(t.Context(), "GET", s.public+"/healthz", "")
		return err != nil
	})
	s.signal(syscall.SIGTERM)
	s.wait()
	if status, ok := s.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
		t.Errorf("it ended with %v, want by the signal", s.cmd.ProcessState)
	}
	<-replies
	next := serveSandbox(t, dir, host(t, s.public), host(t, s.admin))
	if got := next.paste(t, s.curl); got.Outcome != "miss" {
		t.Errorf("afterwards the answer is %+v, want a miss", got)
	}
}

func TestSandboxByItself(t *testing.T) {
	t.Parallel()
	fake := start(t, t.TempDir(), nil, "sandbox", "--listen", "127.0.0.1:0")
	said := fake.stdout.find(t, fake.exited, `(?s)apps:\n(.*)Have the fake`)[1]
	url := regexp.MustCompile(`base_url: (\S+)`).FindStringSubmatch(said)[1]
	config := "listen: 127.0.0.1:0\nadmin: {listen: 127.0.0.1:0}\nstore: memory://\napps:\n" + said +
		"clients: [{name: shop, key: " + shopKey + ", role: generate}]\n"
	p := serve(t, configured(t, config), nil)
	link := `{"path":"pages/item","query":"id=42"}`
	if miss := decoded(t, call(t, "POST", p.public+"/api/v1/links", link, bearer(shopKey))); miss.Outcome != "miss" {
		t.Errorf("the configuration it prints gives %+v", miss)
	}
	call(t, "POST", url+"/sandbox/faults", `{"fault":"quota"}`)
	if got := call(t, "POST", p.public+"/api/v1/links", `{"path":"pages/other"}`, bearer(shopKey)); got.status != 503 {
		t.Errorf("with its quota used up the answer is %d %s", got.status, got.body)
	}
	fake.terminate()
}
