package verify

import "sync/atomic"

// keys finds an entry by its fingerprint, in a table that is replaced when it is full. One may write at a time, and any
// number read meanwhile. Its zero value is empty.
type keys struct {
	table atomic.Pointer[table]
	live  atomic.Int64
}

// find returns the entry of a fingerprint, or nil, and whether it is plain. It does not fetch the entry.
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

// remove takes out a key that was set.
func (k *keys) remove(f fingerprint) {
	if k.table.Load().remove(f) {
		k.live.Add(-1)
	}
}

// writable returns the table, or the next one when that is full: larger, or rid of what is outdated.
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
