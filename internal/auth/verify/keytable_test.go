package verify

import (
	"testing"

	"keywright.dev/keywright/internal/key/pepper"
)

// A digest that somebody changed by one bit is not the digest of the key any more.
func TestEveryBitOfADigestCounts(t *testing.T) {
	sum := pepper.Sum{1, 2, 3}
	for bit := range 8 * len(sum) {
		changed := sum
		changed[bit/8] ^= 1 << (bit % 8)
		if fingerprintOf(&changed) == fingerprintOf(&sum) {
			t.Errorf("bit %d does not count", bit)
		}
	}
}

// Keys that share a home, and all but one bit of their fingerprint, are told apart.
func TestNeighboursInATableAreToldApart(t *testing.T) {
	x := &keys{}
	fingerprints := []fingerprint{{low: 7}, {low: 7, high: 1 << 28}, {low: 7 + 64}, {low: 7, high: 1 << 63}, {low: 1<<63 + 7}}
	for i, f := range fingerprints {
		x.set(f, entry{until: int64(i)})
	}
	x.remove(fingerprints[1])
	for i, f := range fingerprints {
		e, _ := x.find(f)
		if removed := i == 1; removed != (e == nil) || e != nil && e.until != int64(i) {
			t.Errorf("%x: found %+v", f, e)
		}
	}
}

// Rotations alone neither fill a table for good nor make it grow.
func TestATableOfAsManyKeysStaysAsLarge(t *testing.T) {
	x := &keys{}
	f := func(i int) fingerprint {
		return fingerprintOf(&pepper.Sum{byte(i), byte(i >> 8), byte(i >> 16), 9, 9, 9, 9, 9, byte(i)})
	}
	for i := range 100_000 {
		x.set(f(i), entry{until: never})
		if i >= 40 {
			x.remove(f(i - 40))
		}
	}
	if n := len(x.table.Load().slots); n != fewest {
		t.Errorf("%d slots for 40 keys", n)
	}
	if n := x.live.Load(); n != 40 {
		t.Errorf("%d keys, want 40", n)
	}
}
