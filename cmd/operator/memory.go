package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// What is alive in the operator are caches that hardly change. Go's default lets as much garbage lie about
// again, and a fixed share of it would make a small operator collect all the time. So the room for garbage is a
// fixed amount, or a small share where the caches are large; and what filling them took is given back to the
// machine.
const (
	garbageBytes  = 32 << 20
	leastPercent  = 10
	mostPercent   = 100
	lookEvery     = 5 * time.Second
	liveBytes     = "/gc/heap/live:bytes"
	freeBytes     = "/memory/classes/heap/free:bytes"
	setByPeople   = "GOGC"
	mostFreeBytes = garbageBytes
)

// saveMemory follows what is alive until ctx ends, unless whoever runs the operator said something.
func saveMemory(ctx context.Context) {
	if os.Getenv(setByPeople) != "" {
		return
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	heap := []metrics.Sample{{Name: liveBytes}, {Name: freeBytes}}
	for percent := 0; ; {
		metrics.Read(heap)
		if next := gcPercent(heap[0].Value.Uint64()); next != percent {
			percent = next
			debug.SetGCPercent(percent)
		}
		if heap[1].Value.Uint64() > mostFreeBytes {
			debug.FreeOSMemory()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// gcPercent is the room for garbage in percent of what is alive.
func gcPercent(live uint64) int {
	if live == 0 {
		return mostPercent
	}
	return int(max(leastPercent, min(mostPercent, garbageBytes*100/live)))
}
