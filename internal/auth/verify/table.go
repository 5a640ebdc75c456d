package verify

import "sync/atomic"

// table is a hash table from fingerprints to entries. Readers take no lock: a change is one word of one slot, and
// what that word points to was written before it and is never written again.
//
// With many keys a look-up costs what it fetches from memory. A slot holds what decides on most keys in a quarter
// of a cache line, so 100,000 keys take 2 MB, much of which stays in a processor's own cache. A map of digests takes
// 8 MB, and the look-up then costs as much as the HMAC before it.
type table struct {
	slots []slot
	// entries are the changes in the order they were made, outdated ones included.
	entries []entry
	// written and taken count the entries and slots in use.
	written, taken int
}

// slot is a place in the table. Slots of one key are looked for one after the other from the key's home.
type slot struct {
	low uint64
	// state is zero in a slot never taken, and else the higher bits of the fingerprint and:
	state atomic.Uint64
}

const (
	// plainBit says that the entry is plain and need not be fetched to decide.
	plainBit = 1 << 27
	// placeMask is the place of the entry, counted from one. Zero: the key has gone.
	placeMask = plainBit - 1

	goneState = plainBit

	fewest = 64
)

// newTable has room for so many keys and some changes.
func newTable(keys int) *table {
	slots := fewest
	for slots*4/5 < keys {
		slots *= 2
	}
	return &table{slots: make([]slot, slots), entries: make([]entry, slots)}
}

// full says that the table takes no more changes. The last slots stay free: to find one takes the longer the fewer
// there are.
func (t *table) full() bool {
	return t.written == len(t.entries) || t.taken >= len(t.slots)/8*7
}

// find returns the slot of a fingerprint and its state, or a state of zero.
func (t *table) find(f fingerprint) (*slot, uint64) {
	last := uint64(len(t.slots) - 1)
	for i := f.low; ; i++ {
		s := &t.slots[i&last]
		state := s.state.Load()
		if state == 0 || s.low == f.low && state&highMask == f.high && state&placeMask != 0 {
			return s, state
		}
	}
}

// entry is the one that a state points to.
func (t *table) entry(state uint64) *entry { return &t.entries[state&placeMask-1] }

// put needs a table that is not full.
func (t *table) put(f fingerprint, e entry) {
	t.entries[t.written] = e
	t.written++
	s, state := t.find(f)
	if state == 0 {
		s.low = f.low
		t.taken++
	}
	state = f.high | uint64(t.written)
	if e.plain() {
		state |= plainBit
	}
	s.state.Store(state)
}

// remove says whether the key was there.
func (t *table) remove(f fingerprint) bool {
	s, state := t.find(f)
	if state == 0 {
		return false
	}
	s.state.Store(goneState)
	return true
}

// copyTo puts every key of the table into another.
func (t *table) copyTo(other *table) {
	for i := range t.slots {
		if state := t.slots[i].state.Load(); state&placeMask != 0 {
			other.put(fingerprint{low: t.slots[i].low, high: state & highMask}, *t.entry(state))
		}
	}
}
