package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Most of the operator's heap is caches that hardly change. Go's default allows as much garbage as live memory,
// which is too much for large caches, and any smaller fixed percentage makes a small operator collect all the
// time. So the operator allows a fixed amount of garbage, within limits. It returns free memory to the system:
// filling the caches needs far more than keeping them.
const (
	garbageBytes   = 32 << 20
	minGCPercent   = 10
	maxGCPercent   = 100
	maxFreeBytes   = garbageBytes
	adjustInterval = 5 * time.Second
)

const (
	liveBytesMetric = "/gc/heap/live:bytes"
	freeBytesMetric = "/memory/classes/heap/free:bytes"
)

// tuneGC adjusts the garbage collector to the live heap until ctx ends. It does nothing if GOGC is set.
func tuneGC(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	tick := time.NewTicker(adjustInterval)
	defer tick.Stop()
	heap := []metrics.Sample{{Name: liveBytesMetric}, {Name: freeBytesMetric}}
	for percent := 0; ; {
		metrics.Read(heap)
		if next := gcPercent(heap[0].Value.Uint64()); next != percent {
			percent = next
			debug.SetGCPercent(percent)
		}
		if heap[1].Value.Uint64() > maxFreeBytes {
			debug.FreeOSMemory()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// gcPercent returns garbageBytes as a percentage of the live heap, within its limits.
func gcPercent(live uint64) int {
	if live == 0 {
		return maxGCPercent
	}
	return int(max(minGCPercent, min(maxGCPercent, garbageBytes*100/live)))
}
