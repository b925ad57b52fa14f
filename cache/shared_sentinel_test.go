package cache_test

import (
	"testing"
	"time"

	"linkbroker/cache/redistest"
)

func TestAReplicaTakesOver(t *testing.T) {
	t.Parallel()
	t.Run("from one that is dead", func(t *testing.T) { replicaTakesOver(t, (*redistest.Server).Kill) })
	t.Run("from one that hangs", func(t *testing.T) { replicaTakesOver(t, (*redistest.Server).Pause) })
}

func replicaTakesOver(t *testing.T, end func(*redistest.Server)) {
	t.Helper()
	t.Parallel()
	primary := redistest.Start(t)
	replica := primary.StartReplica(t)
	sentinel := redistest.StartSentinel(t, primary, 1)
	sentinel.Await(t, "*1", "SENTINEL", "REPLICAS", redistest.MasterSet)
	url := sentinel.URL() + "?master_set=" + redistest.MasterSet
	a, b := openShared(t, url), openShared(t, url)
	link := lasting(1)
	put(t, a, link)
	eventually(t, 10*time.Second, "the replica has it", func() bool {
		answer, err := replica.Ask("KEYS", "linkbroker:l:*")
		return err == nil && answer == "*1"
	})
	wantLink(t, b, link)
	end(primary)
	took := eventually(t, 20*time.Second, "writing", func() bool {
		wantLink(t, b, link)
		return a.PutLink(t.Context(), lasting(2)) == nil
	})
	t.Logf("written again after %v", took)
	eventually(t, 5*time.Second, "both are well", func() bool { return a.Health().State == "" && b.Health().State == "" })
	link.URL += "x"
	put(t, a, link)
	eventually(t, time.Second, "the new link", func() bool { return hasURL(t, b, link.Key, link.URL) })
}
