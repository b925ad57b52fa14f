package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/redis/rueidis"
)

// server is Redis, asked for what it counts.
type server struct{ client rueidis.Client }

// account is what Redis and this program have used since they began.
type account struct {
	calls    map[string]float64 // by command, those of scripts among them
	redis    time.Duration      // of the processor, the thread that runs commands
	bench    time.Duration      // the same of this program
	received float64            // bytes
	sent     float64
}

// account asks for what was used so far.
func (s server) account(ctx context.Context) (a account, err error) {
	info, err := s.info(ctx, "everything")
	if err != nil {
		return account{}, err
	}
	a = account{calls: make(map[string]float64), bench: ownTime()}
	for name, value := range info {
		if command, is := strings.CutPrefix(name, "cmdstat_"); is {
			calls, _, _ := strings.Cut(strings.TrimPrefix(value, "calls="), ",")
			a.calls[command], err = strconv.ParseFloat(calls, 64)
			if err != nil {
				return account{}, fmt.Errorf("reading how often %s was called: %w", command, err)
			}
		}
	}
	number := func(name string) float64 {
		n, numberErr := strconv.ParseFloat(info[name], 64)
		err = cmp.Or(err, numberErr)
		return n
	}
	seconds := number("used_cpu_user_main_thread") + number("used_cpu_sys_main_thread")
	a.redis = time.Duration(seconds * float64(time.Second))
	a.received, a.sent = number("total_net_input_bytes"), number("total_net_output_bytes")
	return a, err
}

// memory gives how many bytes the server uses for what it keeps.
func (s server) memory(ctx context.Context) (int64, error) {
	info, err := s.info(ctx, "memory")
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(info["used_memory"], 10, 64)
}

func (s server) info(ctx context.Context, section string) (map[string]string, error) {
	text, err := s.client.Do(ctx, s.client.B().Info().Section(section).Build()).ToString()
	if err != nil {
		return nil, err
	}
	info := make(map[string]string)
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		info[name] = value
	}
	return info, nil
}

// ownTime is the processor time of this program.
func ownTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// per says what each of n doings took between two accounts.
func (a account) per(before account, n int) string {
	each := func(now, then float64) float64 { return (now - then) / float64(n) }
	micros := func(now, then time.Duration) float64 { return each(float64(now), float64(then)) / 1e3 }
	var calls []string
	for _, command := range slices.Sorted(maps.Keys(a.calls)) {
		if times := each(a.calls[command], before.calls[command]); times >= 0.05 && command != "info" {
			calls = append(calls, fmt.Sprintf("%s %.3g", command, times))
		}
	}
	return fmt.Sprintf("Redis %.1f µs, %.0f bytes in, %.0f out; here %.0f µs; %s", micros(a.redis, before.redis),
		each(a.received, before.received), each(a.sent, before.sent), micros(a.bench, before.bench), strings.Join(calls, ", "))
}
