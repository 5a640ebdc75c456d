package verify

import (
	"slices"

	"keywright.dev/keywright/internal/key/pepper"
)

// carries says that sessions may rest on the key: it is accepted, time aside, and its object's current one.
func (e *entry) carries(f fingerprint) bool { return e.until >= 0 && !e.owner.key(f).overlaps }

// change writes the entry of a key in the place of another, and keeps it in mind when the key has ended by that.
func (x *Index) change(f fingerprint, held *entry, next entry) {
	if !next.carries(f) {
		x.end(f, held)
	}
	x.keys.set(f, next)
}

// end keeps a key in mind that ends, unless it had before.
func (x *Index) end(f fingerprint, held *entry) {
	if held.carries(f) {
		x.ended = append(x.ended, held.owner.key(f).digest())
	}
}

// takeEnded leaves out what another object has taken over.
func (x *Index) takeEnded() []pepper.Digest {
	ended := slices.DeleteFunc(x.ended, func(d pepper.Digest) bool {
		f := fingerprintOf(&d.Sum)
		held, _ := x.keys.find(f)
		return held != nil && held.carries(f)
	})
	x.ended = nil
	return ended
}
