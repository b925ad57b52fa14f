package cli_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"linkbroker/cache/redistest"
)

// redisSet is a master and two replicas, watched by three Sentinels.
type redisSet struct {
	servers   [3]*redistest.Server
	sentinels [3]*redistest.Server
}

func startRedisSet(t *testing.T) *redisSet {
	t.Helper()
	master := redistest.Start(t)
	s := &redisSet{servers: [3]*redistest.Server{master, master.StartReplica(t), master.StartReplica(t)}}
	master.Await(t, "connected_slaves:2", "INFO", "replication")
	for i := range s.sentinels {
		s.sentinels[i] = redistest.StartSentinel(t, master, 2)
	}
	for _, sentinel := range s.sentinels {
		sentinel.Await(t, "slaves=2,sentinels=3", "INFO", "sentinel")
	}
	s.missesAfter(t, soon) // or a machine with much else to do would have them replace a master that is well
	return s
}

// url is that of a store which waits for replicas to have what is written, and finds out soon that a server hangs.
func (s *redisSet) url(replicas int) string {
	return fmt.Sprintf("%s&master_set=%s&timeout=500ms&replicas=%d", redistest.ClusterURL(s.sentinels[:]), redistest.MasterSet, replicas)
}

// missesAfter sets after how long without an answer the Sentinels have a master replaced.
func (s *redisSet) missesAfter(t *testing.T, silence time.Duration) {
	t.Helper()
	for _, sentinel := range s.sentinels {
		sentinel.Await(t, "OK", "SENTINEL", "SET", redistest.MasterSet, "down-after-milliseconds", strconv.FormatInt(silence.Milliseconds(), 10))
	}
}

// master is the server that the Sentinels hold for the master, if they agree.
func (s *redisSet) master() *redistest.Server {
	for _, server := range s.servers {
		agree := 0
		for _, sentinel := range s.sentinels {
			if info, err := sentinel.Ask("INFO", "sentinel"); err == nil && strings.Contains(info, "address="+server.Addr+",") {
				agree++
			}
		}
		if agree == len(s.sentinels) {
			return server
		}
	}
	return nil
}

// whole waits until a master has both others behind it, and gives it.
func (s *redisSet) whole(t *testing.T) (master *redistest.Server) {
	t.Helper()
	eventually(t, "the Sentinels agree, and the master has two replicas", func() bool {
		<-time.After(50 * time.Millisecond)
		if master = s.master(); master == nil {
			return false
		}
		info, err := master.Ask("INFO", "replication")
		return err == nil && strings.Count(info, "state=online") == 2
	})
	return master
}

// promoted waits until another server than this is the master.
func (s *redisSet) promoted(t *testing.T, old *redistest.Server) (master *redistest.Server) {
	t.Helper()
	eventually(t, "a replica is promoted", func() bool {
		<-time.After(50 * time.Millisecond)
		master = s.master()
		return master != nil && master != old
	})
	return master
}
