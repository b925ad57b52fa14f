package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// cpuOf gives the processor time, user and system, that a process and all below it have spent so far. Which processes
// those are stands in /proc; how much each spent is read from its clock, for /proc counts in hundredths of a second.
// Children that have ended and been waited for are in their parent's account, in hundredths.
func cpuOf(root int) (time.Duration, error) {
	children, err := processTree("/proc")
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for pids := []int{root}; len(pids) > 0; pids = pids[1:] {
		spent, err := processClock(pids[0])
		if err != nil {
			if pids[0] == root {
				return 0, fmt.Errorf("reading the clock of process %d: %w", root, err)
			}
			continue // it has just ended, and its parent has its time
		}
		sum += spent
		for _, child := range children[pids[0]] {
			pids = append(pids, child.pid)
		}
		if stat, err := readProcess("/proc", pids[0]); err == nil {
			sum += stat.ended
		}
	}
	return sum, nil
}

// processClock reads the clock of a process: the time of all its threads, in nanoseconds.
func processClock(pid int) (time.Duration, error) {
	const scheduled = 2 // CPUCLOCK_SCHED of the kernel
	var at unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduled), &at); err != nil {
		return 0, err
	}
	return time.Duration(at.Nano()), nil
}

// process is what /proc says of one.
type process struct {
	pid, parent int
	ended       time.Duration // the time of its children that have ended
}

// processTree gives the processes there are, by parent.
func processTree(proc string) (map[int][]process, error) {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil, err
	}
	children := map[int][]process{}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		p, err := readProcess(proc, pid)
		if err != nil {
			continue // it has just ended
		}
		children[p.parent] = append(children[p.parent], p)
	}
	return children, nil
}

func readProcess(proc string, pid int) (process, error) {
	data, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "stat"))
	if err != nil {
		return process{}, err
	}
	return parseStat(pid, data)
}

// parseStat reads /proc/PID/stat (proc(5)). The name in it may contain spaces and brackets, so what follows its last
// bracket is counted from there: state, parent, … and as 14th and 15th the ticks of its ended children.
func parseStat(pid int, data []byte) (process, error) {
	const tick = 10 * time.Millisecond // USER_HZ is 100 on every platform that Go runs on
	_, rest, found := bytes.Cut(data[max(0, bytes.LastIndexByte(data, ')')):], []byte(") "))
	fields := bytes.Fields(rest)
	if !found || len(fields) < 15 {
		return process{}, fmt.Errorf("/proc/%d/stat is not of the form known: %q", pid, data)
	}
	var numbers [3]int
	for i, at := range []int{1, 13, 14} {
		n, err := strconv.Atoi(string(fields[at]))
		if err != nil {
			return process{}, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
		numbers[i] = n
	}
	return process{pid: pid, parent: numbers[0], ended: time.Duration(numbers[1]+numbers[2]) * tick}, nil
}
