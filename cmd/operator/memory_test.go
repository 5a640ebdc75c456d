package main

import "testing"

func TestTheRoomForGarbageIsAFixedAmountUntilTheCachesAreLarge(t *testing.T) {
	for live, want := range map[uint64]int{0: 400, 1 << 20: 400, 24 << 20: 200, 48 << 20: 100, 240 << 20: 20, 1 << 40: 20} {
		if got := gcPercent(live); got != want {
			t.Errorf("%d bytes alive: %d %%, want %d %%", live, got, want)
		}
	}
}
