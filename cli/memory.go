package cli

import (
	"cmp"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// What a busy broker holds of the heap and of stacks, as measured (docs/performance.md) and rounded up.
const (
	heldAlways       = 16 << 20
	heldByLink       = 768 // in the memory layer, with its uses and where its request is remembered
	heldByConnection = 16 << 10
)

// gcPercent has the heap grow to five times what is held before it is swept (GOGC). A hit leaves garbage behind and a
// broker holds little, so that with Go's own 100 sweeping takes a tenth of all work. Twice as much wins hardly more.
const gcPercent = 400

// gcPercentBatched holds while a batch goes on. It makes much garbage, its answers fill the memory layer, and nobody waits
// for each: memory goes before speed, so that a batch is hardly to be seen in it.
const gcPercentBatched = 50

// memory is how much of the machine's memory the collector of garbage may let the program take.
type memory struct {
	percent int    // GOGC
	limit   int64  // GOMEMLIMIT, in bytes
	held    int64  // at most, if the configuration is used to the full
	machine int64  // what there is; 0 = nobody says
	from    string // who says so
}

// memory chooses for a machine. The limit is there for a heap of five times a full memory layer and ten thousand
// connections, which the machine need not have. It is twice what can be held, yet no more than a third of the machine:
// the rest is for the system, and for the store's pages in its cache.
//
// A limit that what is held comes near to has the collector run without end, with up to half of all work, and win
// nothing: what is held is needed all the same. So on a small machine the limit stays a quarter above what can be held,
// as long as that leaves the machine a quarter of its memory. GOGC=off with a limit would need no such thought while
// little is held, and always take all of the limit for it.
func (c Config) memory(machine int64, from string) memory {
	const most = 1 << 32 // of anything: nobody has more, and products do not overflow
	held := heldAlways +
		min(int64(c.Cache.MemoryLinks), most)*heldByLink +
		min(int64(c.MaxConnections), most)*heldByConnection
	m := memory{percent: gcPercent, limit: 2 * held, held: held, machine: machine, from: from}
	if machine > 0 {
		m.limit = max(min(m.limit, machine/3), min(held/4*5, machine/4*3))
	}
	return m
}

// tight reports whether the machine has too little for what the configuration lets the program hold.
func (m memory) tight() bool { return m.limit < m.held/4*5 }

// isBounded reports whether the configuration says how much can be held. A store in memory holds as much as there is.
func (c Config) isBounded() bool { return !c.Store.inMemory() }

// spareMemory has the collector spare memory from now on, or no more, unless the environment says how: GOGC wins.
func (c Config) spareMemory(from bool) {
	switch {
	case os.Getenv("GOGC") != "" || !c.isBounded():
	case from:
		debug.SetGCPercent(gcPercentBatched)
	default:
		debug.SetGCPercent(gcPercent)
	}
}

// boundMemory sets how often garbage is collected, unless the environment says how: GOGC and GOMEMLIMIT win.
func boundMemory(cfg Config, logger *slog.Logger) {
	if !cfg.isBounded() {
		return
	}
	m := cfg.memory(machineMemory())
	gogc, limit := os.Getenv("GOGC"), os.Getenv("GOMEMLIMIT")
	if gogc == "" {
		debug.SetGCPercent(m.percent)
	}
	if limit == "" {
		debug.SetMemoryLimit(m.limit)
	}
	logger.Info("memory is bounded", "gogc", cmp.Or(gogc, fmt.Sprint(m.percent)), "gomemlimit", cmp.Or(limit, mebibytes(m.limit)),
		"machine", mebibytes(m.machine), "from", m.from)
	if m.tight() && limit == "" {
		logger.Warn("cache.memory_links and max_connections may take more memory than there is: lower them",
			"may_take", mebibytes(m.held), "machine", mebibytes(m.machine))
	}
}

// machineMemory is what the program may take: the limit of its control group, such as systemd's MemoryMax or a
// container's, if that is less than the machine has. 0 = nobody says.
func machineMemory() (bytes int64, from string) {
	system, err := memlimit.FromSystem()
	if err != nil {
		system = 0
	}
	if group, err := memlimit.FromCgroup(); err == nil && (system == 0 || group < system) {
		return int64(min(group, 1<<62)), "control group"
	}
	return int64(min(system, 1<<62)), "machine"
}

// mebibytes writes an amount as GOMEMLIMIT takes it.
func mebibytes(n int64) string { return fmt.Sprintf("%dMiB", n>>20) }

// examineMemory looks whether the machine has what the configuration may take.
func (d *diagnosis) examineMemory(cfg Config) {
	if !cfg.isBounded() {
		return
	}
	switch m := cfg.memory(machineMemory()); {
	case m.machine == 0:
		d.add(odd, "memory", "this system does not say how much there is", "")
	case m.tight():
		d.add(odd, "memory", fmt.Sprintf("cache.memory_links and max_connections may take %s, and the %s has %s",
			mebibytes(m.held), m.from, mebibytes(m.machine)), "lower them")
	default:
		d.add(fine, "memory", fmt.Sprintf("%s, of which serve takes %s beside the store's pages at most (GOMEMLIMIT)",
			mebibytes(m.machine), mebibytes(m.limit)), "")
	}
}
