package cli_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"linkbroker/wechat/sandbox"
)

const (
	appID     = "wx0123456789abcdef"
	appSecret = "canary0secret0of0the0app00000000"
	shopKey   = "canary-shop-key-0123456789abcdef"
	opsKey    = "canary-ops-key-0123456789abcdef"
	readKey   = "canary-read-key-0123456789abcdef"
)

func bearer(key string) string { return "Authorization: Bearer " + key }

// configured makes a folder with a config.yaml.
func configured(t *testing.T, config string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// weChat is a fake WeChat in the test's own process, which outlives the programs that ask it.
type weChat struct {
	*sandbox.WeChat

	server *httptest.Server

	mu     sync.Mutex
	tokens []string // the access tokens that were sent to it
}

// ServeHTTP notes the tokens that must be seen nowhere else.
func (w *weChat) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if token := r.URL.Query().Get("access_token"); token != "" {
		w.mu.Lock()
		w.tokens = append(w.tokens, token)
		w.mu.Unlock()
	}
	w.WeChat.ServeHTTP(rw, r)
}

func newWeChat(t *testing.T) *weChat {
	t.Helper()
	w := &weChat{WeChat: sandbox.New(t.Context(), sandbox.Config{
		Apps: []sandbox.App{{ID: appID, Secret: appSecret}}, Clock: time.Now,
	})}
	w.server = httptest.NewServer(w)
	t.Cleanup(w.server.Close)
	return w
}

// fail has it fail until it is cleared.
func (w *weChat) fail(t *testing.T, fault sandbox.Fault) {
	t.Helper()
	w.ClearFaults()
	if err := w.SetFault(fault); err != nil {
		t.Fatal(err)
	}
}

// configuration is a whole one for this WeChat.
func (w *weChat) configuration() string {
	return fmt.Sprintf(`
listen: 127.0.0.1:0
admin: {listen: 127.0.0.1:0}
log: {level: debug, format: json}
jobs: {flush: "@every 1s"}
apps:
  - appid: %s
    secret: ${SECRET}
    base_url: %s
clients:
  - {name: shop, key: "${SHOP}", role: generate}
  - {name: ops, key: "${OPS}", role: admin}
  - {name: board, key: "${READ}", role: read}
`, appID, w.server.URL)
}

var secrets = []string{"SECRET=" + appSecret, "SHOP=" + shopKey, "OPS=" + opsKey, "READ=" + readKey}

// postLink asks for a link natively.
func (p *program) postLink(body string) reply {
	p.t.Helper()
	return call(p.t, http.MethodPost, p.public+"/api/v1/links", body, bearer(shopKey))
}

// TestSixClientsShareOneLink sends what the SDKs of wechat.md really send for one page and query, all at once.
func TestSixClientsShareOneLink(t *testing.T) {
	t.Parallel()
	w := newWeChat(t)
	p := serve(t, configured(t, w.configuration()), secrets)
	clients := map[string]struct{ contentType, body string }{
		"silenceper/wechat": {
			"application/json;charset=utf-8",
			`{"path":"p","query":"a=1","is_expire":false,"expire_type":0,"expire_time":0,"expire_interval":0}` + "\n",
		},
		"PowerWeChat": {
			"application/json",
			`{"path":"p","query":"a=1","expire_type":0,"expire_interval":0,"expire_time":0,"env_version":"","cloud_base":null}`,
		},
		"WxJava":   {"application/json", `{"path":"p","query":"a=1"}`},
		"wechatpy": {"", `{"path": "p", "query": "a=1", "is_expire": false, "expire_type": 0, "cloud_base": []}`},
		"Senparc": {
			"application/json",
			`{"path":"p","query":"a=1","env_version":null,"is_expire":null,"expire_type":null,"expire_time":null,"expire_interval":null,"cloud_base":null}`,
		},
		"hand-written": {"application/x-www-form-urlencoded", `{"path":"/p","query":"?a=1","expire_type":"1","expire_interval":31.0}`},
	}
	var all sync.WaitGroup
	answers := make(chan string, len(clients))
	for name, client := range clients {
		all.Go(func() {
			got, err := try(t.Context(), http.MethodPost, p.public+"/k/"+shopKey+"/wxa/generate_urllink?debug=1", client.body, "Content-Type: "+client.contentType)
			if err != nil || !strings.HasPrefix(got.body, `{"errcode":0,"errmsg":"ok","url_link":"https://wxaurl.cn/`) {
				t.Errorf("%s gets %v %+v", name, err, got)
			}
			answers <- got.body
		})
	}
	all.Wait()
	close(answers)
	first := <-answers
	for other := range answers {
		if other != first {
			t.Errorf("got %s and %s", first, other)
		}
	}
	if made := w.Stats().Generated; made != 1 {
		t.Errorf("WeChat made %d links, want 1", made)
	}
}

func TestHitsNeedNoWeChat(t *testing.T) {
	t.Parallel()
	w := newWeChat(t)
	p := serve(t, configured(t, w.configuration()), secrets)
	const stored, other = `{"path":"p","query":"a=1"}`, `{"path":"p","query":"a=2"}`
	want := decoded(t, p.postLink(stored)).URL
	hit := func(when string) {
		t.Helper()
		if got := decoded(t, p.postLink(stored)); got.Outcome != "hit" || got.URL != want {
			t.Errorf("%s the stored link is answered with %+v", when, got)
		}
	}
	address := w.server.Listener.Addr().String()
	w.server.Close()
	hit("with WeChat away")
	if got := p.postLink(other); got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" {
		t.Errorf("with WeChat away another link is answered with %+v", got)
	}

	back, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	w.server = &httptest.Server{Listener: back, Config: &http.Server{Handler: w, ReadHeaderTimeout: time.Second}}
	w.server.Start()
	t.Cleanup(w.server.Close)
	eventually(t, "links are generated again when WeChat is back", func() bool { return p.postLink(other).status == http.StatusOK })

	w.fail(t, sandbox.Fault{Name: "quota"})
	const third = `{"path":"p","query":"a=3"}`
	if got := p.postLink(third); got.status != http.StatusServiceUnavailable || !strings.Contains(got.body, `"quota_exhausted"`) {
		t.Errorf("with 44993 another link is answered with %+v", got)
	}
	hit("with 44993")
	if ready := call(t, http.MethodGet, p.public+"/readyz", ""); ready.status != http.StatusOK || !strings.Contains(ready.body, "quota of "+appID) {
		t.Errorf("with 44993 readiness is %+v", ready)
	}
	if !strings.Contains(p.stderr.String(), "the day's quota is used up") {
		t.Error("44993 is not logged")
	}
}

// TestSystemdIsTold listens where systemd would.
func TestSystemdIsTold(t *testing.T) {
	t.Parallel()
	w := newWeChat(t)
	short, err := os.MkdirTemp("", "lb") //nolint:usetesting // the path of a socket has at most 108 characters
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(short) })
	socket := filepath.Join(short, "s")
	notified, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = notified.Close() }()
	read := func() string {
		t.Helper()
		message := make([]byte, 100)
		if err := notified.SetReadDeadline(time.Now().Add(soon)); err != nil {
			t.Fatal(err)
		}
		n, err := notified.Read(message)
		if err != nil {
			t.Fatal(err)
		}
		return string(message[:n])
	}
	p := serve(t, configured(t, w.configuration()), append([]string{"NOTIFY_SOCKET=" + socket}, secrets...))
	if got := read(); got != "READY=1" {
		t.Errorf("at the start systemd is told %q", got)
	}
	p.signal(syscall.SIGHUP)
	if got := read(); !strings.HasPrefix(got, "RELOADING=1\nMONOTONIC_USEC=") {
		t.Errorf("at a reload systemd is told %q", got)
	}
	if got := read(); got != "READY=1" {
		t.Errorf("after a reload systemd is told %q", got)
	}
	p.terminate()
	if got := read(); got != "STOPPING=1" {
		t.Errorf("at the end systemd is told %q", got)
	}
}

func TestServeRefusesToStart(t *testing.T) {
	t.Parallel()
	w := newWeChat(t)
	for claim, test := range map[string]struct {
		config  string
		environ []string
		args    []string
		code    int
		want    string
	}{
		"without a configuration": {"", nil, nil, 78, "apps: has no app: give appid and secret of a mini program, or try `linkbroker serve --sandbox`"},
		"without a client":        {strings.SplitAfter(w.configuration(), "clients:")[0], secrets, nil, 78, "neither the configuration nor the store has a client whose key is good"},
		"with disabled clients only": {
			strings.ReplaceAll(w.configuration(), "role:", "disabled: true, role:"), secrets, nil, 78, "neither the configuration nor the store has a client",
		},
		"without the secret": {w.configuration(), secrets[1:], nil, 78, "apps[0].secret: the environment variable SECRET is not set"},
		"with a file that is not there": {
			w.configuration(), secrets, []string{"--config", "other.yaml"}, 78, "reading the configuration: open other.yaml: no such file",
		},
		"with a store that cannot be": {
			w.configuration(), secrets, []string{"--store", "bolt:///proc/nowhere/links.db"}, 1, "opening the store: mkdir /proc/nowhere: no such file",
		},
	} {
		t.Run(claim, func(t *testing.T) {
			_, stderr, code := run(t, configured(t, test.config), test.environ, append([]string{"serve"}, test.args...)...)
			if code != test.code || !strings.Contains(stderr, test.want) {
				t.Errorf("exit code %d and\n%s\nwant %d and\n%s", code, stderr, test.code, test.want)
			}
		})
	}
}
