package main

import "testing"

func TestTheRoomForGarbageIsAFixedAmountUntilTheCachesAreLarge(t *testing.T) {
	for live, want := range map[uint64]int{0: 100, 1 << 20: 100, 48 << 20: 100, 96 << 20: 50, 240 << 20: 20, 1 << 40: 20} {
		if got := gcPercent(live); got != want {
			t.Errorf("%d bytes alive: %d %%, want %d %%", live, got, want)
		}
	}
}
