package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"linkbroker/wechat/sandbox"
)

const (
	appid    = "wx0123456789abcdef"
	secret   = "0123456789abcdef0123456789abcdef"
	apiKey   = "pgo-generate-key-0123456789"
	adminKey = "pgo-admin-key-0123456789abc"
)

// server is the real program with the real defaults, in a process of its own, and a fake WeChat in ours.
type server struct {
	public, admin string
	process       *exec.Cmd
	weChat        *httptest.Server
	client        *http.Client
	batches       sync.Mutex
}

// build makes the program as `make build` does, by a profile or with "off" by none.
func build(ctx context.Context, program, profile string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-pgo="+profile, "-o", program, "linkbroker")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

func start(ctx context.Context, program, dir string, environ ...string) (*server, error) {
	const plenty = 1 << 30
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	fake := sandbox.New(ctx, sandbox.Config{
		Apps: []sandbox.App{{ID: appid, Secret: secret, DailyQuota: plenty, Rate: plenty}}, Clock: time.Now,
	})
	s := &server{
		process: exec.CommandContext(ctx, program, "serve"),
		weChat:  httptest.NewServer(fake),
		client:  &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}, CheckRedirect: stayHere, Timeout: 2 * time.Minute},
	}
	if err := os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(configuration(s.weChat.URL)), 0o600); err != nil {
		return nil, err
	}
	s.process.Dir, s.process.Stderr = dir, os.Stderr
	s.process.Env = append([]string{"PATH=" + os.Getenv("PATH")}, environ...)
	s.process.Cancel = func() error { return s.process.Process.Signal(syscall.SIGTERM) }
	stdout, err := s.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	at := regexp.MustCompile(`answers at (\S+), and administrators at (\S+)`).FindStringSubmatch(line)
	if err != nil || at == nil {
		s.stop()
		return nil, errors.Join(err, errors.New("the program does not say where it answers"))
	}
	s.public, s.admin = at[1], at[2]
	return s, nil
}

// stayHere follows no redirect: an alias leads to WeChat.
func stayHere(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func configuration(weChat string) string {
	return fmt.Sprintf(`
listen: 127.0.0.1:0
admin: {listen: 127.0.0.1:0}
log: {level: warn}
apps: [{appid: %s, secret: %s, base_url: "%s", rate: 1000000, daily_quota: 100000000}]
clients:
  - {name: load, key: %s, role: generate}
  - {name: admin, key: %s, role: admin}
`, appid, secret, weChat, apiKey, adminKey)
}

func (s *server) stop() {
	_ = s.process.Process.Signal(syscall.SIGTERM) // it may be gone
	_ = s.process.Wait()
	s.client.CloseIdleConnections()
	s.weChat.Close()
}

// prime has the links and aliases made that will be asked for.
func (s *server) prime(ctx context.Context) error {
	for first := 0; first < targets; first += batchLines {
		if err := s.ask(ctx, batch(first)); err != nil {
			return err
		}
	}
	for i := range aliases {
		body := fmt.Sprintf(`{"path":"pages/product/detail","query":"id=%d&src=sms"}`, i)
		if err := s.ask(ctx, question{http.MethodPut, true, fmt.Sprintf("/api/v1/aliases/item-%d", i), body}); err != nil {
			return err
		}
	}
	return nil
}

// ask asks one question and reads the answer to its end.
func (s *server) ask(ctx context.Context, q question) error {
	if strings.HasSuffix(q.path, ":batch") {
		s.batches.Lock() // one at a time: a client has no more than two
		defer s.batches.Unlock()
	}
	address, key := s.public, apiKey
	if q.admin {
		address, key = s.admin, adminKey
	}
	req, err := http.NewRequestWithContext(ctx, q.method, address+q.path, strings.NewReader(q.body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= http.StatusBadRequest || refusal.Match(answer) {
		return fmt.Errorf("%s %s is answered %s %s", q.method, q.path, resp.Status, answer[:min(len(answer), 300)])
	}
	return nil
}

// refusal is what WeChat's protocol and a batch say of an error, under a status of 200.
//
//nolint:gochecknoglobals // a constant that Go has no constants for
var refusal = regexp.MustCompile(`"errcode":[^0]|"error":`)

// profile asks for what the program is busy with from now on.
func (s *server) profile(ctx context.Context, d time.Duration) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/debug/pprof/profile?seconds=%d", s.admin, int(d.Seconds())), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+adminKey)
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("asking for the profile: %s", resp.Status)
	}
	return io.ReadAll(resp.Body)
}
