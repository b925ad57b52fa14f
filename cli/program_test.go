package cli_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// soon is how long anything may take that is expected at once, on a machine with much else to do.
const soon = 30 * time.Second

// program is the real linkbroker in a process of its own.
type program struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdout *text
	stderr *text
	exited chan struct{} // closed when the process is gone

	public, admin string // where it answers
}

// start runs the program in a folder, with no environment but what is given.
func start(t *testing.T, dir string, environ []string, args ...string) *program {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	p := &program{
		t: t, cmd: exec.CommandContext(context.Background(), path, args...),
		stdout: newText(), stderr: newText(), exited: make(chan struct{}),
	}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, p.stdout, p.stderr
	p.cmd.Env = append([]string{"GORACE=atexit_sleep_ms=0"}, environ...) // or each run would end with a second of sleep
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.exited)
		_ = p.cmd.Wait() // how it ended stands in ProcessState
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("linkbroker %s\nstdout:\n%s\nstderr:\n%s", strings.Join(args, " "), p.stdout, p.stderr)
		}
	})
	return p
}

// serve runs the program and waits until it answers.
func serve(t *testing.T, dir string, environ []string, args ...string) *program {
	t.Helper()
	p := start(t, dir, environ, append([]string{"serve"}, args...)...)
	p.awaitAnswering()
	return p
}

// awaitAnswering waits until the program serves, and notes where.
func (p *program) awaitAnswering() {
	p.t.Helper()
	found := p.stdout.find(p.t, p.exited, `linkbroker answers at (\S+), and administrators at (\S+)`)
	p.public, p.admin = found[1], found[2]
}

// run runs the program to its end.
func run(t *testing.T, dir string, environ []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	p := start(t, dir, environ, args...)
	code = p.wait()
	return p.stdout.String(), p.stderr.String(), code
}

// wait waits for the end and gives the exit code, -1 after a signal.
func (p *program) wait() int {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.NewTimer(soon).C:
		p.t.Fatalf("it does not end")
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *program) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// terminate ends it as systemd does, which must succeed.
func (p *program) terminate() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != 0 {
		p.t.Fatalf("after SIGTERM it exits with %d", code)
	}
}

// kill ends it as a crash does.
func (p *program) kill() {
	_ = p.cmd.Process.Kill() // it may be gone
	<-p.exited
}

// text is output that grows.
type text struct {
	mu    sync.Mutex
	bytes bytes.Buffer
	grown chan struct{} // closed when there is more
}

func newText() *text { return &text{grown: make(chan struct{})} }

func (x *text) Write(b []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	close(x.grown)
	x.grown = make(chan struct{})
	return x.bytes.Write(b)
}

func (x *text) String() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.bytes.String()
}

// find waits for a text that matches, and gives the match and its groups.
func (x *text) find(t *testing.T, exited <-chan struct{}, pattern string) []string {
	t.Helper()
	want := regexp.MustCompile(pattern)
	timeout := time.NewTimer(soon)
	defer timeout.Stop()
	for {
		x.mu.Lock()
		found, grown := want.FindStringSubmatch(x.bytes.String()), x.grown
		x.mu.Unlock()
		if found != nil {
			return found
		}
		select {
		case <-grown:
		case <-exited:
			if found := want.FindStringSubmatch(x.String()); found != nil {
				return found
			}
			t.Fatalf("it ended without saying %s", pattern)
		case <-timeout.C:
			t.Fatalf("it does not say %s", pattern)
		}
	}
}

// eventually asks again and again until the answer is yes.
func eventually(t *testing.T, claim string, yes func() bool) {
	t.Helper()
	for end := time.Now().Add(soon); !yes(); {
		if time.Now().After(end) {
			t.Fatalf("never: %s", claim)
		}
	}
}

// reply is an answer over HTTP.
type reply struct {
	status int
	header http.Header
	body   string
}

// call makes a request. A header is written as "Name: value".
func call(t *testing.T, method, url, body string, headers ...string) reply {
	t.Helper()
	got, err := try(t.Context(), method, url, body, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func try(ctx context.Context, method, url, body string, headers ...string) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		req.Header.Set(name, value)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: soon}
	resp, err := client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	read, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(read)}, errors.Join(err)
}
