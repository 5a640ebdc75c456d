package lifecycle

import (
	"slices"
	"time"
)

// Losses counts how often one writer has changed what Keywright wrote into the Secret, each time soon after Keywright
// had restored it.
type Losses struct {
	// By is the field manager of the writer. Empty: not known, as for a deletion.
	By string
	// KeyID is the key that was lost last, empty if the key stayed, and LastAt is when that was seen.
	KeyID  string
	LastAt time.Time
	Count  int
}

const (
	// fightAt is the loss from which on Keywright pauses before it writes the Secret again.
	fightAt = 3
	// fightWithin is the longest time from a repair to the next loss that is counted with the one before.
	fightWithin = 10 * time.Minute
	// firstPause is the pause after loss fightAt. Each is twice as long as the one before, up to maxPause.
	firstPause = time.Minute
	maxPause   = 10 * time.Minute
)

// with returns the losses after one more. The loss of a key is counted once.
func (l Losses) with(keyID, by string, now time.Time) Losses {
	now = now.Truncate(time.Second)
	switch {
	case l.Count > 0 && l.KeyID == keyID && keyID != "":
		return l
	case l.By != by || l.Count == 0 || now.Sub(l.PausedUntil()) >= fightWithin:
		return Losses{By: by, KeyID: keyID, LastAt: now, Count: 1}
	}
	return Losses{By: by, KeyID: keyID, LastAt: now, Count: l.Count + 1}
}

// IsFight reports whether the writer writes against Keywright.
func (l Losses) IsFight() bool { return l.Count >= fightAt }

// PausedUntil returns when Keywright writes the Secret again.
func (l Losses) PausedUntil() time.Time {
	if !l.IsFight() {
		return l.LastAt
	}
	// A shift by 8 is beyond maxPause already.
	return l.LastAt.Add(min(maxPause, firstPause<<min(l.Count-fightAt, 8)))
}

// replaceLost issues a new key if the Secret does not hold the current one and the spec asks for a replacement.
//
// The old keys get no overlap if the Secret has lost them: they may be in wrong hands. If only the record was changed,
// their users have done nothing, and they are accepted until the end of their overlap, unless they are in fact the keys
// of another object.
//
// Against a writer that does it again and again a new key is of no use: Keywright pauses before the next one, unless a
// person asks for it.
func replaceLost(f Facts) (Plan, bool) {
	lost := lostCause(f)
	if lost == "" || lost == Restored || !f.Spec.Reissue || renamed(f) || Current(f.Status.Keys).ended(f.Now) {
		return Plan{}, false
	}
	counted := f.Status.Losses.with(Current(f.Status.Keys).ID, f.Secret.ChangedBy, f.Now)
	if !f.Secret.Live && counted != f.Status.Losses {
		return Plan{Step: Look}, true
	}
	var kept []Key
	if lost == RecordChanged {
		kept = slices.DeleteFunc(settled(f.Status.Keys), func(k Key) bool { return k.Shared })
	}
	if counted.IsFight() && f.Now.Before(counted.PausedUntil()) && !requested(f) {
		return fight(f, counted), true
	}
	plan, mine := issue(f, lost, kept)
	plan.Losses = counted
	return plan, mine
}

// repair carries out a step that restores what another writer has changed, and that needs no new key. It counts changes
// and pauses like replaceLost. A change of the spec is not counted.
func repair(f Facts, step Step) Plan {
	losses := f.Status.Losses
	counts := f.Secret.Owner == Own && f.Spec.Observed && !f.Secret.Noted && !f.Status.Fighting
	switch {
	case counts && !f.Secret.Live:
		return Plan{Step: Look}
	case counts:
		losses = losses.with("", f.Secret.ChangedBy, f.Now)
	}
	switch {
	case f.Spec.Observed && losses.IsFight() && f.Now.Before(losses.PausedUntil()) && !requested(f):
		plan := fight(f, losses)
		plan.Delivered = true
		return plan
	case counts:
		return Plan{Step: Note, Keys: f.Status.Keys, Losses: losses}
	}
	return Plan{Step: step}
}

// fight stalls an object until the pause after its last loss has ended.
func fight(f Facts, losses Losses) Plan {
	plan := stall(f, SecretFight)
	plan.WakeAt, plan.Losses = earliest(plan.WakeAt, losses.PausedUntil()), losses
	return plan
}
