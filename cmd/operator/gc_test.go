package main

import "testing"

func TestGCPercent_AllowsFixedAmountWithinLimits(t *testing.T) {
	for live, want := range map[uint64]int{
		0: 100, 1 << 20: 100, 32 << 20: 100, 64 << 20: 50, 320 << 20: 10, 1 << 40: 10,
	} {
		if got := gcPercent(live); got != want {
			t.Errorf("%d live bytes: %d %%, want %d %%", live, got, want)
		}
	}
}
