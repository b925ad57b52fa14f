package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// contestant is a server that takes part.
type contestant struct {
	name   string
	about  string
	fronts []front
	needs  string // the program that must be installed; empty = none
	start  func(ctx context.Context, b *bench) (*running, error)
}

// running is a contestant that has been started.
type running struct {
	contestant

	address string
	admin   string // of ours, where administrators ask
	main    *child
	helper  *child // what it keeps its links in, if that is another process
	primed  int    // how many links it has been given
	stocked bool   // its store came with links of its own
}

// speaks reports whether it can be asked by a front.
func (c contestant) speaks(f front) bool { return slices.Contains(c.fronts, f) }

// constant reports whether it answers a constant.
func (c contestant) constant() bool { return c.name == "nethttp" || c.name == "gin" }

// ours is the name of what all others are compared with.
const ours = "linkbroker"

// contestants are all there are, ours first: the constants answer what it has answered.
func contestants() []contestant {
	posts := []front{native, facade}
	all := []front{native, facade, get}
	return []contestant{
		{ours, "everything on: bolt on the disk, keys, limits, metrics, jobs", all, "", startLinkbroker},
		{"linkbroker-redis", "the same with its store in Redis, whose time counts", all, "redis-server", startLinkbrokerRedis},
		{"nethttp", "net/http answering a constant of the same headers and length", all, "", startConstant("nethttp")},
		{"gin", "gin answering the same", all, "", startConstant("gin")},
		{"afternoon", "gin, bbolt and encoding/json; no keys, limits, metrics", posts, "", startAfternoon},
		{"afternoon-redis", "the same with Redis, whose time counts", posts, "redis-server", startAfternoonRedis},
		{"nginx-tmpfs", "proxy_cache on tmpfs, one worker", []front{get}, "nginx", startNginx(onTmpfs, false)},
		{"nginx-open", "the same, with open_file_cache", []front{get}, "nginx", startNginx(onTmpfs, true)},
		{"nginx-disk", "proxy_cache on the disk, one worker", []front{get}, "nginx", startNginx(onDisk, false)},
		{"varnish", "malloc storage", []front{get}, "varnishd", startVarnish},
	}
}

// choose gives the contestants that are named, all if none is, and ours in any case.
func choose(names []string) ([]contestant, error) {
	all := contestants()
	if len(names) == 0 {
		return all, nil
	}
	var chosen []contestant
	for _, c := range all {
		if c.name == ours || slices.Contains(names, c.name) {
			chosen = append(chosen, c)
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(all, func(c contestant) bool { return c.name == name }) {
			return nil, fmt.Errorf("there is no contestant %q; there are %s", name, strings.Join(namesOf(all), ", "))
		}
	}
	return chosen, nil
}

func namesOf(all []contestant) []string {
	var names []string
	for _, c := range all {
		names = append(names, c.name)
	}
	return names
}
