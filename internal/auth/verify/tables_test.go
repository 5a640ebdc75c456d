package verify

import (
	"fmt"
	"slices"
	"testing"

	"keywright.dev/keywright/internal/key/pepper"
)

func TestFingerprint_EveryBitOfTheDigestCounts(t *testing.T) {
	sum := pepper.Sum{1, 2, 3}
	for bit := range 8 * len(sum) {
		changed := sum
		changed[bit/8] ^= 1 << (bit % 8)
		if fingerprintOf(&changed) == fingerprintOf(&sum) {
			t.Errorf("bit %d does not count", bit)
		}
	}
}

// The keys share a home, or all but one bit of their fingerprint.
func TestKeys_FindsTheRightOneOfNeighbours(t *testing.T) {
	x := &keys{}
	fingerprints := []fingerprint{
		{low: 7}, {low: 7, high: 1 << 28}, {low: 7 + 64}, {low: 7, high: 1 << 63}, {low: 1<<63 + 7},
	}
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

// Rotations neither fill a table nor make it grow.
func TestKeys_TableDoesNotGrowByRotation(t *testing.T) {
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
	if n := len(x.table.Load().slots); n != minSlots {
		t.Errorf("%d slots for 40 keys", n)
	}
	if n := x.live.Load(); n != 40 {
		t.Errorf("%d keys, want 40", n)
	}
}

func TestObjectTable(t *testing.T) {
	var table objectTable
	named := func(name string) ID { return ID{Kind: "APIKey", Namespace: "n", Name: name} }
	for _, id := range []ID{named("a"), {}, {Kind: "APIKey", Namespace: "na"}, {Kind: "APIKeyn", Name: "a"}} {
		if table.find(id) != nil {
			t.Errorf("an empty table has %v", id)
		}
	}
	first, next := &object{id: named("a")}, &object{id: named("a")}
	table.put(first)
	table.put(&object{id: named("b")})
	table.put(next)
	if table.find(named("a")) != next || len(slices.Collect(table.all())) != 3 {
		t.Error("the later object does not have the name, or the first has lost its slot")
	}
	table.clear(first)
	table.clear(nil)
	if table.find(named("a")) != next || len(slices.Collect(table.all())) != 2 {
		t.Error("the first object still has a slot, or the next one has none")
	}
	table.removeName(named("a"))
	other := table.find(ID{Kind: "APIKey", Namespace: "na"})
	if table.find(named("a")) != nil || other != nil || table.find(named("b")) == nil {
		t.Error("the wrong name was removed")
	}
	table.clear(next)
	for i := range 1000 {
		o := &object{id: named(fmt.Sprint(i))}
		table.put(o)
		table.removeName(o.id)
		table.clear(o)
	}
	if len(table.objects) > 3 || len(table.named) != 1 {
		t.Errorf("1,000 objects that came and went left %d slots and %d names", len(table.objects), len(table.named))
	}
}
