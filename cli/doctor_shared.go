package cli

import (
	"context"
	"fmt"
	"time"

	"linkbroker/cache"
)

// slowStore is how long a store that is shared should take at most to answer: each miss asks it several times.
const slowStore = 5 * time.Millisecond

// examineShared looks whether the store in Redis answers, and is set so that it keeps what it is given.
func (d *diagnosis) examineShared(ctx context.Context, cfg Config) {
	report, err := cache.ExamineRedis(ctx, string(cfg.Store), time.Now)
	if err != nil {
		d.add(failing, "store", err.Error(), "see that the server runs, and that this machine reaches it")
		return
	}
	d.add(fine, "store", fmt.Sprintf("%s answers in %s: %s %s, %s, %d MiB in use", cfg.Store, report.RoundTrip.Round(10*time.Microsecond),
		report.Server, report.Version, report.Mode, report.UsedMemory>>20), "")
	d.examineWrites(report)
	if report.RoundTrip > slowStore {
		d.add(odd, "store", "it takes "+report.RoundTrip.Round(time.Millisecond).String()+" to answer, and a miss asks several times", "have it near: same zone, same network")
	}
	if report.Policy != "" && report.Policy != "noeviction" {
		d.add(failing, "store", "maxmemory-policy is "+report.Policy+": it may throw away what quota was spent, and links that were paid for",
			"set maxmemory-policy noeviction")
	}
	if !report.AppendOnly {
		d.add(odd, "store", "it keeps snapshots at best: a restart loses the links, and what quota was spent, since the last one", "set appendonly yes")
	}
}

// examineWrites looks whether the server takes what it is given.
func (d *diagnosis) examineWrites(report cache.RedisReport) {
	switch used := fmt.Sprintf("%d of %d MiB are used", report.UsedMemory>>20, report.MaxMemory>>20); {
	case report.Full():
		d.add(failing, "store", "its memory is full, it takes no writes: "+used, "raise maxmemory: about 0.7 kB a link")
	case report.MaxMemory > 0 && report.UsedMemory > report.MaxMemory/5*4:
		d.add(odd, "store", "its memory is nearly full: "+used, "raise maxmemory: about 0.7 kB a link")
	}
	if report.TooOld != nil {
		d.add(failing, "store", report.TooOld.Error(), "renew the server")
	}
	if report.Replica {
		d.add(failing, "store", "it is a replica, which takes no writes", "name its master, or Sentinels and their master_set")
	}
	if report.AppendFails {
		d.add(failing, "store", "it cannot write its append-only file, and takes no writes", "see to its disk: is it full?")
	}
}
