package cli_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"linkbroker/wechat/sandbox"
)

// TestSecretsAreSeenNowhere has everything go wrong that can, and looks for the AppSecret, WeChat's access tokens, the
// API keys and the broker's tokens in all that the program says and keeps.
func TestSecretsAreSeenNowhere(t *testing.T) {
	t.Parallel()
	w := newWeChat(t)
	dir := configured(t, w.configuration())
	p := serve(t, dir, secrets)
	seen := map[string]string{}
	look := func(where string, got reply) {
		t.Helper()
		headers, err := json.Marshal(got.header)
		if err != nil {
			t.Fatal(err)
		}
		seen[where] += fmt.Sprintf("%s %s\n", headers, got.body)
	}

	brokerToken := askForToken(t, p)
	for where, got := range troubledAnswers(t, w, p, brokerToken) {
		look(where, got)
	}
	for _, path := range []string{
		"/metrics", "/api/v1/links", "/api/v1/jobs", "/api/v1/quota", "/readyz", "/version", "/", "/" + opsKey,
		"/clients", "/clients:new", "/clients/shop", "/audit", "/settings", "/settings?q=secret", "/api/v1/clients", "/api/v1/audit", "/api/v1/backup",
	} {
		look("admin "+path, call(t, http.MethodGet, p.admin+path, "", bearer(opsKey)))
	}
	look("admin with a wrong key", call(t, http.MethodGet, p.admin+"/api/v1/links?access_token="+opsKey, "", bearer(shopKey)))
	seen["a request that is no HTTP"] = sendRaw(t, p.public, "GET /k/"+shopKey+"/x HTTP/9.9\r\nAuthorization: Bearer "+shopKey+"\x00\r\n\r\n")

	environ := append([]string{"LINKBROKER_URL=" + p.admin, "LINKBROKER_KEY=" + opsKey}, secrets...)
	for _, command := range [][]string{
		{"links", "list"},
		{"links", "list", "-o", "json"},
		{"links", "get", strings.Repeat("0", 32)},
		{"links", "export", "-o", "-", "--format=ndjson"},
		{"aliases", "put", "spring", "--path=pages/sale"},
		{"aliases", "list", "-o", "json"},
		{"aliases", "export", "-o", "-", "--format=csv"},
		{"batch", "config.yaml", "--dry-run"},
		{"jobs", "list"},
		{"jobs", "run", "flush"},
		{"jobs", "run", "backup"},
		{"check-config"},
		{"check-config", "--store", "x", "--log-level", "x"},
	} {
		stdout, stderr, _ := run(t, dir, environ, command...)
		seen[strings.Join(command, " ")] = stdout + stderr
	}
	stdout, stderr, _ := run(t, dir, append(environ, "LINKBROKER_URL=http://127.0.0.1:1"), "links", "list")
	seen["links list of nobody"] = stdout + stderr

	p.terminate()
	seen["stdout"], seen["log"] = p.stdout.String(), p.stderr.String()
	for _, file := range storedFiles(t, dir) {
		contents, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		seen[file] = string(contents)
	}

	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.tokens) == 0 || !strings.Contains(seen["log"], `"level":"DEBUG"`) {
		t.Fatal("the test does not test: no token was sent, or nothing was logged")
	}
	canaries := slices.Compact(append(slices.Clone(w.tokens), appSecret, shopKey, opsKey, readKey, brokerToken))
	for where, text := range seen {
		for _, canary := range canaries {
			if at := strings.Index(text, canary); at >= 0 {
				t.Errorf("%s shows a secret: …%q…", where, text[max(at-80, 0):min(at+len(canary)+20, len(text))])
			}
		}
	}
	if redirected := w.Stats().Redirected; redirected != 0 {
		t.Errorf("%d calls followed a redirect, and with them the secret", redirected)
	}
}

func askForToken(t *testing.T, p *program) string {
	t.Helper()
	got := call(t, http.MethodGet, p.public+"/cgi-bin/token?grant_type=client_credential&appid="+appID+"&secret="+shopKey, "")
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(got.body), &token); err != nil || token.AccessToken == "" {
		t.Fatalf("asking for a token gives %s", got.body)
	}
	return token.AccessToken
}

// troubledAnswers asks while WeChat fails in each of its ways, and asks wrongly in many.
func troubledAnswers(t *testing.T, w *weChat, p *program, brokerToken string) map[string]reply {
	t.Helper()
	answers := map[string]reply{}
	for i, fault := range []sandbox.Fault{
		{Name: "empty"},
		{Name: "html"},
		{Name: "cut"},
		{Name: "bad_gateway"},
		{Name: "redirect"},
		{Name: "foreign_host"},
		{Name: "string_errcode"},
		{Name: "down"},
		{Name: "busy"},
		{Name: "flaky_path", Every: 1},
		{Name: "not_released"},
		{Name: "ip"},
		{Name: "frozen"},
		{Name: "errcode", ErrCode: 87009},
		{Name: "token_dead"},
		{Name: "endless"},
		{Name: "redirect", Route: "*"},
		{Name: "errcode", ErrCode: 40125, Route: "/cgi-bin/stable_token"},
		{Name: "quota"},
	} {
		w.fail(t, fault)
		body := fmt.Sprintf(`{"path":"pages/%d"}`, i)
		answers["native while "+fault.Name+fault.Route] = p.postLink(body)
		answers["facade while "+fault.Name+fault.Route] = call(t, http.MethodPost, p.public+"/wxa/generate_urllink?access_token="+brokerToken, body)
	}
	w.ClearFaults()
	for _, path := range []string{
		"/k/" + shopKey, "/k/" + shopKey + "/", "/k/" + shopKey + "/nowhere", "/k/" + shopKey + "/wxa/generate_urllink",
		"/k/" + shopKey + "x/wxa/generate_urllink", "/k/" + shopKey + "/cgi-bin/token?grant_type=wrong",
		"/" + shopKey, "/api/v1/link?path=a%3Fb&access_token=" + shopKey, "/api/v1/link?" + shopKey + "=1", "/api/v1/link?" + shopKey + "=%zz",
		"/wxa/generate_urllink?access_token=" + brokerToken + "x", "/wxa/generate_urllink?access_token=" + readKey,
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
			answers[method+" "+path] = call(t, method, p.public+path, `{"path":"p","query":"é"}`, "Authorization: Basic "+shopKey)
		}
	}
	return answers
}

// sendRaw sends what no HTTP client would.
func sendRaw(t *testing.T, address, request string) string {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", host(t, address))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	said, _ := io.ReadAll(conn) // to wherever the server cuts it
	return string(said)
}

// storedFiles lists the store and its backups.
func storedFiles(t *testing.T, dir string) []string {
	t.Helper()
	backups, err := filepath.Glob(filepath.Join(dir, "data/backups/*"))
	if err != nil || len(backups) == 0 {
		t.Fatalf("there is no backup: %v", err)
	}
	return append(backups, filepath.Join(dir, "data/links.db"))
}
