package cache_test

import (
	"strings"
	"testing"
	"time"

	"linkbroker/broker"
	"linkbroker/cache"
	"linkbroker/cache/redistest"
)

// TestAWriteWaitsForEveryReplicaThatKeepsUp: whichever of them is promoted, it has what was acknowledged.
func TestAWriteWaitsForEveryReplicaThatKeepsUp(t *testing.T) {
	t.Parallel()
	primary := redistest.Start(t)
	replicas := []*redistest.Server{primary.StartReplica(t), primary.StartReplica(t)}
	primary.Await(t, ":2", "WAIT", "2", "100")
	s := openShared(t, primary.URL()+"?replicas=1&timeout=500ms")
	put(t, s, lasting(0))

	replicas[0].Pause()
	err := s.PutLink(t.Context(), lasting(1))
	if wantErr(t, err, broker.StoreFailed); err == nil || !strings.Contains(err.Error(), "only 1 of 2 replicas") {
		t.Errorf("one of two that kept up has stopped, and a write says %v", err)
	}
	next := 1
	took := eventually(t, 10*time.Second, "the other alone is waited for", func() bool {
		next++
		return s.PutLink(t.Context(), lasting(next)) == nil
	})
	t.Logf("after %v the replica that has stopped is not waited for", took)

	replicas[0].Resume()
	eventually(t, 10*time.Second, "both have what was written meanwhile", func() bool {
		want, err := primary.Ask("DBSIZE")
		noErr(t, err)
		answer, err := replicas[0].Ask("DBSIZE")
		return err == nil && answer == want
	})
	replicas[1].Kill()
	began := time.Now()
	put(t, s, lasting(next+1))
	if took := time.Since(began); took > 400*time.Millisecond {
		t.Errorf("a replica that is gone is waited for %v", took)
	}
}

func TestWhoKeepsUp(t *testing.T) {
	const well = "role:master\r\nconnected_slaves:3\r\n" +
		"slave0:ip=127.0.0.1,port=7001,state=online,offset=14,lag=0\r\n" +
		"slave1:ip=127.0.0.1,port=7002,state=online,offset=14,lag=1\r\n"
	for claim, test := range map[string]struct {
		info string
		want int64
	}{
		"all that are online":                       {well, 2},
		"none that is still given a copy":           {well + "slave2:ip=127.0.0.1,port=7003,state=send_bulk,offset=0,lag=0\r\n", 2},
		"none that has said nothing for some time":  {well + "slave2:ip=127.0.0.1,port=7003,state=online,offset=14,lag=9\r\n", 2},
		"none of which nobody knows":                {"role:master\r\nconnected_slaves:0\r\n", 0},
		"none of a server that is a replica itself": {"role:slave\r\nslave_repl_offset:14\r\nslave_priority:100\r\n", 0},
	} {
		if got := cache.KeepingUp(test.info); got != test.want {
			t.Errorf("%s: %d, want %d", claim, got, test.want)
		}
	}
}

// FuzzKeepingUp reads whatever as what a server says of its replicas.
func FuzzKeepingUp(f *testing.F) {
	f.Add("slave0:ip=127.0.0.1,port=7001,state=online,offset=14,lag=0\r\n")
	f.Fuzz(func(t *testing.T, info string) {
		if n := cache.KeepingUp(info); n < 0 || n > int64(strings.Count(info, "\n")+1) {
			t.Errorf("%d keep up", n)
		}
	})
}
