package cache_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/cache/redistest"
)

func TestBrokersShareACluster(t *testing.T) {
	t.Parallel()
	nodes := redistest.StartCluster(t, redistest.Start, "--cluster-node-timeout", "1000", "--cluster-require-full-coverage", "no")
	a, b := openShared(t, nodes[0].URL()), openShared(t, nodes[1].URL())
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

	kept, err := nodes[2].Ask("KEYS", "linkbroker:l:*")
	noErr(t, err)
	nodes[2].Pause()
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
	nodes[2].Resume()
	healed := eventually(t, 5*time.Second, "it is well again", func() bool { return b.Health().State == "" })
	t.Logf("well again after %v", healed)
	eventually(t, 5*time.Second, "writing", func() bool { return a.PutLink(t.Context(), links[0]) == nil })
	put(t, b, links...)
	for _, link := range links {
		wantLink(t, b, link)
	}
}
