package redistest

import (
	"net"
	"strconv"
	"strings"
	"testing"
)

// slots are those of a Cluster.
const slots = 1 << 14

// StartCluster starts a Cluster of three masters, each as start does, and waits until all of them see it whole.
func StartCluster(t testing.TB, start func(t testing.TB, args ...string) *Server, args ...string) (masters []*Server) {
	t.Helper()
	const size = 3
	for i := range size {
		_, bus, _ := net.SplitHostPort(freeAddr(t))
		master := start(t, append([]string{"--cluster-enabled", "yes", "--cluster-port", bus}, args...)...)
		first, last := i*slots/size, (i+1)*slots/size-1
		master.Await(t, "OK", "CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(first), strconv.Itoa(last))
		master.Await(t, "OK", "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
		if i > 0 {
			masters[0].Await(t, "OK", "CLUSTER", "MEET", "127.0.0.1", master.Port(), bus)
		}
		masters = append(masters, master)
	}
	for _, master := range masters {
		for _, whole := range []string{"cluster_state:ok", "cluster_known_nodes:3", "cluster_slots_assigned:16384"} {
			master.Await(t, whole, "CLUSTER", "INFO")
		}
	}
	return masters
}

// ClusterURL is that of a store in a Cluster, which names all of its nodes.
func ClusterURL(nodes []*Server) string {
	var further []string
	for _, node := range nodes[1:] {
		further = append(further, "addr="+node.Addr)
	}
	return nodes[0].URL() + "?" + strings.Join(further, "&")
}
