package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// machine is what the figures were taken on.
type machine struct {
	Processor string `json:"processor"`
	Cores     int    `json:"cores"`
	MemoryGiB int    `json:"memory_gib"`
	System    string `json:"system"`
	Kernel    string `json:"kernel"`
	Programs  string `json:"programs"`
}

func (m machine) String() string {
	return fmt.Sprintf("%d cores of %s, %d GiB, %s, Linux %s; %s", m.Cores, m.Processor, m.MemoryGiB, m.System, m.Kernel, m.Programs)
}

func thisMachine(ctx context.Context) machine {
	m := machine{
		Processor: found(`model name\s*: (.*)`, "/proc/cpuinfo"), Cores: runtime.NumCPU(),
		System: found(`PRETTY_NAME="(.*)"`, "/etc/os-release"), Kernel: found(`Linux version (\S+)`, "/proc/version"),
	}
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		m.MemoryGiB = int((info.Totalram*uint64(info.Unit) + 1<<29) >> 30)
	}
	programs := []string{strings.Replace(runtime.Version(), "go", "Go ", 1)}
	for _, ask := range [][2]string{{"nginx", "-v"}, {"varnishd", "-V"}, {"redis-server", "--version"}} {
		said, err := exec.CommandContext(ctx, ask[0], ask[1]).CombinedOutput()
		if version := versionNumber.Find(said); err == nil && version != nil {
			programs = append(programs, fmt.Sprintf("%s %s", ask[0], version))
		}
	}
	m.Programs = strings.Join(programs, ", ")
	return m
}

var versionNumber = regexp.MustCompile(`\d+\.\d+\.\d+`) //nolint:gochecknoglobals // a constant

// found gives what a pattern's brackets hold in a file; empty if they hold nothing.
func found(pattern, file string) string {
	data, _ := os.ReadFile(file)
	if match := regexp.MustCompile(pattern).FindSubmatch(data); match != nil {
		return string(match[1])
	}
	return ""
}
