package cli_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// sdk is a program around an unmodified SDK, which testdata/sdk pins. It answers a line for each line it is asked.
type sdk struct {
	in    *json.Encoder
	out   *json.Decoder
	token string // that it had when it was asked last
}

// noSuchCall is the error of a program whose SDK does not have the call.
const noSuchCall = "the SDK has no such call"

// sdkLink is what the SDK made of an answer.
type sdkLink struct {
	URL     string
	ErrCode int
	Error   string
}

// goProgram builds the program of an SDK in Go.
func goProgram(t *testing.T, name string) (command []string) {
	t.Helper()
	dir, file := filepath.Join("testdata", "sdk", name), filepath.Join(t.TempDir(), name)
	fetch(t, dir, "go", "mod", "download")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", file)
	build.Dir = dir
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, said)
	}
	return []string{file}
}

// nodeProgram installs the program of an SDK for Node, in a copy, for npm leaves its packages beside it.
func nodeProgram(t *testing.T, name string) (command []string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "sdk", name))); err != nil {
		t.Fatal(err)
	}
	fetch(t, dir, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	return []string{"node", filepath.Join(dir, "main.js")}
}

// fetch has a tool fetch packages. Where it is missing or reaches no registry the test is skipped, but not where
// continuous integration runs.
func fetch(t *testing.T, dir string, command ...string) {
	t.Helper()
	fetching := exec.CommandContext(t.Context(), command[0], command[1:]...)
	fetching.Dir = dir
	said, err := fetching.CombinedOutput()
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatalf("%v: %v\n%s", command, err, said)
	default:
		t.Skipf("SKIPPED: this test needs %v: %v\n%s", command, err, said)
	}
}

// startSDK starts the program of an SDK. It ends when the test does.
func startSDK(t *testing.T, command, environ []string) *sdk {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Dir = t.TempDir() // where some keep their tokens
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir()}, environ...)
	stderr := newText()
	cmd.Stderr = stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait() // what it did wrong stands in its answers
		if t.Failed() {
			t.Logf("the SDK said:\n%s", stderr)
		}
	})
	return &sdk{in: json.NewEncoder(in), out: json.NewDecoder(out)}
}

// ask asks for URL Links of one page, all at once.
func (s *sdk) ask(t *testing.T, path string, queries ...string) []sdkLink {
	t.Helper()
	return s.askFor(t, "", path, queries...)
}

// askFor asks for links of a kind, all at once. Of the kind "query" the path is a link to be asked about.
func (s *sdk) askFor(t *testing.T, kind, path string, queries ...string) []sdkLink {
	t.Helper()
	if err := s.in.Encode(map[string]any{"Kind": kind, "Path": path, "Queries": queries}); err != nil {
		t.Error(err)
	}
	var answer struct {
		Token string
		Links []sdkLink
	}
	if err := s.out.Decode(&answer); err != nil || len(answer.Links) != len(queries) {
		t.Errorf("the SDK gives no answer: %v, %d links", err, len(answer.Links))
		return make([]sdkLink, len(queries))
	}
	s.token = answer.Token
	return answer.Links
}

// link asks for one link, which must be there.
func (s *sdk) link(t *testing.T, path, query string) sdkLink {
	t.Helper()
	got := s.ask(t, path, query)[0]
	if got.URL == "" || got.ErrCode != 0 || got.Error != "" {
		t.Fatalf("the SDK has %+v, want a link", got)
	}
	return got
}
