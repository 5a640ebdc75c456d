package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// What is alive in the operator are caches that hardly change. Go's default lets as much garbage lie about again, and a
// fixed share of it would make a small operator collect all the time. So the room for garbage is a fixed amount, or
// a small share where the caches are large.
const (
	garbageBytes     = 48 << 20
	leastPercent     = 20
	mostPercent      = 400
	memoryLookEvery  = 5 * time.Second
	liveBytesMetric  = "/gc/heap/live:bytes"
	variableOfPeople = "GOGC"
)

// saveMemory follows what is alive until ctx ends, unless whoever runs the operator said something.
func saveMemory(ctx context.Context) {
	if os.Getenv(variableOfPeople) != "" {
		return
	}
	tick := time.NewTicker(memoryLookEvery)
	defer tick.Stop()
	live := []metrics.Sample{{Name: liveBytesMetric}}
	for {
		metrics.Read(live)
		debug.SetGCPercent(gcPercent(live[0].Value.Uint64()))
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
