package cli_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// builds is the folder of the program under test.
var builds string

func TestMain(m *testing.M) {
	var err error
	if builds, err = os.MkdirTemp("", "linkbroker"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(builds)
		os.Exit(code)
	}))
}

// binary builds the real program, once and only for tests that run it.
var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(builds, "linkbroker")
	args := append([]string{"build", "-o", path, "-ldflags", "-X linkbroker/cli.version=v0-test"}, buildFlags...)
	if out, err := exec.Command("go", append(args, "linkbroker")...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})
