package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"
)

func TestStat(t *testing.T) {
	const after = " S 7 41 41 0 -1 4194560 1 2 3 4 500 600 12 30 20 0 5 0 100 1 1 1"
	for name, test := range map[string]struct {
		stat   string
		want   process
		refuse bool
	}{
		"a plain name":                       {"42 (nginx)" + after, process{42, 7, 420 * time.Millisecond}, false},
		"a name with spaces":                 {"42 (nginx: worker process)" + after, process{42, 7, 420 * time.Millisecond}, false},
		"a name with brackets that lead on":  {"42 (a) S 1 (b)" + after, process{42, 7, 420 * time.Millisecond}, false},
		"a file that ends too early":         {"42 (nginx) S 7", process{}, true},
		"a file without a name":              {"42 nginx" + after, process{}, true},
		"an empty file, as of one that ends": {"", process{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseStat(42, []byte(test.stat))
			if got != test.want || (err != nil) != test.refuse {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestTheTreeOfProcesses(t *testing.T) {
	proc := t.TempDir()
	for pid, parent := range map[int]int{1: 0, 10: 1, 11: 10, 12: 10, 13: 12} {
		folder := filepath.Join(proc, strconv.Itoa(pid))
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		stat := strconv.Itoa(pid) + " (x) S " + strconv.Itoa(parent) + " 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1"
		if err := os.WriteFile(filepath.Join(folder, "stat"), []byte(stat), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(proc, "self"), 0o700); err != nil {
		t.Fatal(err)
	}
	children, err := processTree(proc)
	if err != nil {
		t.Fatal(err)
	}
	for parent, want := range map[int]int{0: 1, 1: 1, 10: 2, 12: 1, 13: 0} {
		if got := len(children[parent]); got != want {
			t.Errorf("%d has %d children, want %d", parent, got, want)
		}
	}
}

// A shell that waits for a busy child spends nothing itself.
func TestTheTimeOfChildrenCounts(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no /proc")
	}
	const busy = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo done; read wait"
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "sh -c '"+busy+"'; exit 0")
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
	if _, err := out.Read(make([]byte, 8)); err != nil { // it is done, and waits
		t.Fatal(err)
	}
	spent, err := cpuOf(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	own, err := processClock(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if rest := spent - own; rest < 10*time.Millisecond {
		t.Errorf("the child counted for %s", rest)
	}
	if _, err := cpuOf(cmd.Process.Pid); err == nil {
		t.Error("a process that has ended has a clock")
	}
}
