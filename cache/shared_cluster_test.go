package cache_test

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"linkbroker/broker"
)

// clusterNodes starts a Cluster of three in which each node goes on without the others.
func clusterNodes(t *testing.T) []*redisServer {
	t.Helper()
	var nodes []*redisServer
	for i, slots := range []string{"0 5460", "5461 10922", "10923 16383"} {
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		noErr(t, err)
		_, bus, _ := net.SplitHostPort(listener.Addr().String())
		_ = listener.Close()
		node := startRedis(t, "--cluster-enabled", "yes", "--cluster-port", bus, "--cluster-node-timeout", "1000",
			"--cluster-require-full-coverage", "no")
		answer, err := node.ask("CLUSTER ADDSLOTSRANGE " + slots)
		noErr(t, err)
		if answer != "+OK" {
			t.Fatal(answer)
		}
		nodes = append(nodes, node)
		if i == 0 {
			continue
		}
		host, port, _ := net.SplitHostPort(node.addr)
		_, err = nodes[0].ask("CLUSTER", "MEET", host, port, bus)
		noErr(t, err)
	}
	for _, node := range nodes { // until all know who has what
		eventually(t, 20*time.Second, "the cluster", func() bool {
			known, err := node.ask("CLUSTER", "SLOTS")
			read, err2 := node.ask("GET", "a")
			return err == nil && err2 == nil && known == "*3" && !strings.HasPrefix(read, "-CLUSTERDOWN")
		})
	}
	return nodes
}

func TestBrokersShareACluster(t *testing.T) {
	t.Parallel()
	nodes := clusterNodes(t)
	a, b := openShared(t, nodes[0].url()), openShared(t, nodes[1].url())
	var links []broker.Link
	for n := range 60 {
		links = append(links, lasting(n))
	}
	put(t, a, links...)
	for i := range links {
		wantLink(t, b, links[i])
		links[i].URL += "fresh"
	}
	put(t, a, links...)
	for _, link := range links {
		eventually(t, time.Second, "the new link", func() bool { return hasURL(t, b, link.Key, link.URL) })
	}

	kept, err := nodes[2].ask("KEYS", "linkbroker:l:*")
	noErr(t, err)
	nodes[2].stop(t)
	eventually(t, 3*time.Second, "it is away", func() bool { return b.Health().State == "away" })
	reached, refused, slow := 0, 0, 0
	for n, link := range links {
		begin := time.Now()
		wantLink(t, b, link)
		switch _, err := b.CurrentLink(t.Context(), link.Key); {
		case err == nil:
			reached++
		case errors.Is(err, broker.StoreFailed):
			refused++
		default:
			t.Error(err)
		}
		turn, err := leaserOf(t, b).Lease(t.Context(), fmt.Sprint("jobs", n))
		if err == nil {
			turn.Leave(t.Context(), broker.Note{})
		}
		if time.Since(begin) > 200*time.Millisecond {
			slow++ // at the border of two nodes
		}
	}
	t.Logf("%d links were reached, %d refused; %d were slow", reached, refused, slow)
	if fmt.Sprint("*", refused) != kept || slow > 3 {
		t.Errorf("one node is away with %s links, and not those alone", kept)
	}
	nodes[2].resume(t)
	healed := eventually(t, 5*time.Second, "it is well again", func() bool { return b.Health().State == "" })
	t.Logf("well again after %v", healed)
	eventually(t, 5*time.Second, "writing", func() bool { return a.PutLink(t.Context(), links[0]) == nil })
	put(t, b, links...)
	for _, link := range links {
		wantLink(t, b, link)
	}
}
