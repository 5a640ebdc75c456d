package verify

import (
	"encoding/binary"
	"sync/atomic"
	"time"

	"keywright.dev/keywright/internal/key/pepper"
)

// fingerprint is a digest folded to 100 bits, so that every bit of the digest counts. No caller can produce
// two keys with the same fingerprint: IPsec uses 96 bits of an HMAC (RFC 2404). Nor can anyone find another key for the
// fingerprint of a plain digest, which takes 2^100 attempts. A digest would take twice the
// memory in the index, and fetching it from memory is most of the cost of a look-up.
type fingerprint struct {
	low uint64
	// high has 36 bits, at the position of highMask.
	high uint64
}

const highMask = 0xFFFFFFFFF << 28

func fingerprintOf(sum *pepper.Sum) fingerprint {
	word := func(i int) uint64 { return binary.LittleEndian.Uint64(sum[8*i:]) }
	low, high := word(0)^word(2), word(1)^word(3)
	return fingerprint{low: low, high: (high ^ high<<36) & highMask}
}

// entry is the state of one key. It is written once.
type entry struct {
	owner *object
	// until is the instant from which the key is refused, in microseconds since 1970. Below zero it is ^Reason for
	// a key that is refused at any time, and ^instant for a key that lacks a role: see lackingRole.
	until int64
}

// refusedEntry returns the entry of a key that is refused at any time.
func refusedEntry(owner *object, why Reason) entry { return entry{owner: owner, until: ^int64(why)} }

// lackingRole returns the entry of a key that names a missing role. An instant that would be taken for a Reason moves
// by microseconds, in 1970.
func lackingRole(owner *object, until int64) entry {
	return entry{owner: owner, until: ^max(until, int64(reasons))}
}

func (e *entry) lacksRole() bool { return ^e.until >= int64(reasons) }

// end returns the end of a key that nothing else refuses.
func (e *entry) end() int64 { return max(e.until, ^e.until) }

// plain reports whether the key is accepted at any time.
func (e *entry) plain() bool { return e.until == never }

// reasonAt does not read a plain entry from memory.
func (e *entry) reasonAt(now time.Time, plain bool) Reason {
	switch {
	case plain:
		return Accepted
	case e.isRefused():
		return Reason(^e.until)
	case now.UnixMicro() >= e.end():
		return Expired
	case e.lacksRole():
		return UnknownRole
	}
	return Accepted
}

// isRefused reports whether the key is refused at any time.
func (e *entry) isRefused() bool { return e.until < 0 && !e.lacksRole() }

// canHoldSession reports whether a session may depend on the key: the key is not overlapping, and nothing but
// its end or a missing role refuses it. The role may be created in a moment, and ends no session meanwhile.
func (e *entry) canHoldSession(f fingerprint) bool {
	return !e.isRefused() && !e.owner.key(f).overlapping
}

// keys finds an entry by its fingerprint, in a table that is replaced when it is full. It takes one writer at
// a time and any number of concurrent readers. Its zero value is empty.
type keys struct {
	table atomic.Pointer[table]
	live  atomic.Int64
}

// find returns the entry of a fingerprint, or nil, and whether it is plain. It does not read the entry from
// memory.
func (k *keys) find(f fingerprint) (e *entry, plain bool) {
	t := k.table.Load()
	if t == nil {
		return nil, false
	}
	_, state := t.find(f)
	if state == 0 {
		return nil, false
	}
	return t.entry(state), state&plainBit != 0
}

func (k *keys) set(f fingerprint, e entry) {
	if held, _ := k.find(f); held == nil {
		k.live.Add(1)
	}
	k.writable().put(f, e)
}

// remove removes a key that was set.
func (k *keys) remove(f fingerprint) {
	if k.table.Load().remove(f) {
		k.live.Add(-1)
	}
}

// writable returns the table. If the table is full, it first replaces it by one that is larger or has no
// outdated entries.
func (k *keys) writable() *table {
	t := k.table.Load()
	if t != nil && !t.full() {
		return t
	}
	next := newTable(int(k.live.Load()))
	if t != nil {
		t.copyTo(next)
	}
	k.table.Store(next)
	return next
}

// table is a hash table from fingerprints to entries. Readers take no lock: a change writes one word of one
// slot, and the entry that the word points to was written before and never changes.
//
// With many keys the cost of a look-up is the memory it reads. Most keys are decided on with their slot alone,
// which is a quarter of a cache line. So 100,000 keys take 2 MB, which largely stay in the processor's cache.
// A map of digests would take 8 MB, and a look-up would cost as much as the HMAC before it.
type table struct {
	slots []slot
	// entries has the changes in the order they were made, outdated ones included.
	entries []entry
	// written and taken count the entries and slots in use.
	written, taken int
}

// slot is a place in the table. A key is in the first free slot from its home on.
type slot struct {
	low uint64
	// state is zero in a slot that was never taken. Otherwise it has the high bits of the fingerprint and the
	// bits below.
	state atomic.Uint64
}

const (
	// plainBit is set if the entry is plain and need not be read.
	plainBit = 1 << 27
	// positionMask is the position of the entry, counted from one. Zero: the key was removed.
	positionMask = plainBit - 1

	removedState = plainBit

	minSlots = 64
)

// newTable returns a table with room for that many keys and some changes.
func newTable(keys int) *table {
	slots := minSlots
	for slots*4/5 < keys {
		slots *= 2
	}
	return &table{slots: make([]slot, slots), entries: make([]entry, slots)}
}

// full reports whether the table takes no more changes. The last slots stay free, because probing slows down
// as slots run out.
func (t *table) full() bool {
	return t.written == len(t.entries) || t.taken >= len(t.slots)/8*7
}

// find returns the slot of a fingerprint and its state. The state is zero if the table does not have the
// fingerprint.
func (t *table) find(f fingerprint) (*slot, uint64) {
	last := uint64(len(t.slots) - 1)
	for i := f.low; ; i++ {
		s := &t.slots[i&last]
		state := s.state.Load()
		if state == 0 || s.low == f.low && state&highMask == f.high && state&positionMask != 0 {
			return s, state
		}
	}
}

// entry returns the entry that a state points to.
func (t *table) entry(state uint64) *entry { return &t.entries[state&positionMask-1] }

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

// remove reports whether the table had the key.
func (t *table) remove(f fingerprint) bool {
	s, state := t.find(f)
	if state == 0 {
		return false
	}
	s.state.Store(removedState)
	return true
}

// copyTo puts every key of the table into another.
func (t *table) copyTo(other *table) {
	for i := range t.slots {
		if state := t.slots[i].state.Load(); state&positionMask != 0 {
			other.put(fingerprint{low: t.slots[i].low, high: state & highMask}, *t.entry(state))
		}
	}
}
