package lifecycle

import (
	"slices"
	"time"
)

// rule returns a plan for the facts, and whether it applies. The first rule that applies decides.
type rule func(Facts) (Plan, bool)

var rules = []rule{
	stopRefused,
	revoke,
	rebind,
	dropEnded,
	amendEnds,
	guard,
	stopBlocked,
	stopDead,
	waitForAPI,
	stopMistyped,
	settle,
	removeMistyped,
	deliver,
	removeLeftover,
	readChanged,
	adopt,
	reclaim,
	resume,
	issueFirst,
	replaceLost,
	rename,
	rotateOnRequest,
	rotateAfter,
	rotateOnSchedule,
	relabel,
	removeStrays,
}

// Decide returns what to do next. Called again after each step, it comes to Rest, Stall or Await within a few steps.
func Decide(f Facts) Plan {
	for _, decide := range rules {
		if plan, mine := decide(f); mine {
			return plan
		}
	}
	return rest(f)
}

// stopRefused stalls an object for which the API server has refused a write: the same write would be refused again.
func stopRefused(f Facts) (Plan, bool) {
	return stall(f, WriteRefused), f.Refused
}

// revoke removes everything: first the digests, so that no key is accepted, then the Secret.
func revoke(f Facts) (Plan, bool) {
	switch {
	case !f.Spec.Revoked && !f.Spec.Deleted:
		return Plan{}, false
	case len(f.Status.Keys) > 0:
		return Plan{Step: Drop}, true
	case f.Secret.Strays:
		return Plan{Step: RemoveStrays}, true
	case f.Spec.Deleted && f.Secret.Owner == Own && outlives(f):
		return Plan{Step: Release}, true
	case f.Secret.Owner == Own && f.Secret.Written || f.Secret.isLeftover():
		return Plan{Step: Remove}, true
	case f.Status.Guarded && f.Spec.Deleted && f.Secret.Owner == NoSecret && !f.Secret.Live:
		// The cache may not have it yet. Without the finalizer it would be collected with the object.
		return Plan{Step: Look}, true
	case f.Status.Guarded:
		return Plan{Step: Unguard}, true
	}
	return Plan{Step: Rest}, true
}

// rebind removes every key of a user who is gone, once a person asks for a new one: only what is issued from then on
// belongs to the present user. The request stays open until the next run issues that key.
func rebind(f Facts) (Plan, bool) {
	return Plan{Step: Rebind}, f.Spec.Rebind && requested(f)
}

// dropEnded removes overlapping keys that have ended. The server refuses them already.
func dropEnded(f Facts) (Plan, bool) {
	kept := alive(f.Status.Keys, f.Now)
	return Plan{Step: Drop, Keys: kept}, len(kept) < len(f.Status.Keys)
}

// amendEnds updates the ends of the keys to the present spec. The end of the current key may become earlier or later,
// that of an overlapping key only earlier.
func amendEnds(f Facts) (Plan, bool) {
	overlap := f.Spec.Overlap
	if f.Spec.OverlapPerRotation {
		overlap = MaxOverlapOfRotation
	}
	amended := limitOverlap(f.Status.Keys, overlap)
	current := Current(amended)
	for i := range amended {
		k := &amended[i]
		limit := RecordedLimit(k, current)
		if f.Spec.Blocked {
			limit = k.ExpiresAt
		}
		k.ExpiresAt = earliest(f.Spec.RecordedEnd(k.Since()), limit)
	}
	same := slices.EqualFunc(amended, f.Status.Keys, func(a, b Key) bool { return a.ExpiresAt.Equal(b.ExpiresAt) })
	return Plan{Step: Amend, Keys: amended}, !same
}

func stopBlocked(f Facts) (Plan, bool) {
	return stall(f, ByBlock), f.Spec.Blocked
}

// stopDead stalls an object whose current key is dead: issuing another one would hide the cause. A rotation that a
// person asks for resolves it.
func stopDead(f Facts) (Plan, bool) {
	current := Current(f.Status.Keys)
	switch {
	case current == nil || current.Dead == "" || requested(f) || outdated(f) || Pending(f.Status.Keys) != nil:
		return Plan{}, false
	case current.Dead == Taken:
		return stall(f, KeyTaken), true
	}
	return stall(f, LostPepper), true
}

func waitForAPI(f Facts) (Plan, bool) {
	switch {
	case !f.Spec.ByAPI:
		return Plan{}, false
	case Current(f.Status.Keys) == nil && Ended(f.Spec.ExpiresAt, f.Now):
		return rest(f), true
	case Current(f.Status.Keys) == nil && f.Now.Before(f.Spec.AwaitUntil):
		return Plan{Step: Await, WakeAt: f.Spec.AwaitUntil}, true
	case Current(f.Status.Keys) == nil:
		return stall(f, AwaitingKey), true
	}
	return Plan{Step: Rest, Keys: settled(f.Status.Keys), WakeAt: earliestEnd(f)}, true
}

// stopMistyped stalls an object whose Secret a person handed over, or made, with another type than the spec asks for.
// Such a Secret is never deleted.
func stopMistyped(f Facts) (Plan, bool) {
	return stall(f, TypeConflict), f.Secret.Mistyped && (f.Secret.Adopt || !f.Secret.Written)
}

// settle completes an issue whose key is in the Secret, whether this process or another one wrote it. It ends the other
// pending keys: an operator that still has one in hand has read the Secret before this key was in it, so that its write
// conflicts.
func settle(f Facts) (Plan, bool) {
	pending := pendingKey(f.Status.Keys, func(k *Key) bool { return f.Secret.holds(k.ID) })
	if pending == nil {
		return Plan{}, false
	}
	f.Status.Keys = Succeed(f.Status.Keys, *pending, f.Spec.Overlap, f.Now)
	return Plan{
		Step: Settle, Keys: f.Status.Keys, Delivered: true,
		NextRotation: nextRotation(f), WakeAt: wakeAt(f),
	}, true
}

// removeMistyped deletes a Secret of another type than the spec asks for, once its new key can be delivered.
func removeMistyped(f Facts) (Plan, bool) {
	own := f.Secret.Owner == Own || f.Secret.Owner == Leftover
	return Plan{Step: Remove}, pendingInHand(f) && own && f.Secret.Mistyped
}

func deliver(f Facts) (Plan, bool) {
	switch {
	case !pendingInHand(f) || f.Secret.isLeftover():
		return Plan{}, false
	case !f.Secret.may():
		return stall(f, SecretConflict), true
	}
	return Plan{Step: Deliver}, true
}

// removeLeftover deletes the Secret of a deleted object, unless it came back from a backup together with the status
// that records its key.
func removeLeftover(f Facts) (Plan, bool) {
	return Plan{Step: Remove}, f.Secret.isLeftover() && !returned(f)
}

// readChanged reads a Secret that another writer has changed, or that a person has marked for adoption.
func readChanged(f Facts) (Plan, bool) {
	if f.Secret.Content != nil || f.Secret.Owner == NoSecret || f.Secret.Owner == Own && f.Secret.Intact {
		return Plan{}, false
	}
	delivered := f.Status.SecretName == f.Spec.SecretName && Current(f.Status.Keys) != nil
	changed := f.Secret.Owner == Own && delivered
	return Plan{Step: Read}, f.Secret.Adopt || changed || returned(f)
}

// adopt makes a brought key the current key of the object. It never adopts a key that the object has replaced: a tool
// that keeps writing it back must not undo a rotation.
func adopt(f Facts) (Plan, bool) {
	if !f.Secret.Adopt || f.Secret.Content == nil {
		return Plan{}, false
	}
	if !f.Secret.Content.Usable {
		return stall(f, InvalidKey), true
	}
	id := f.Secret.Content.Key.ID
	if current := Current(f.Status.Keys); current != nil && current.ID == id {
		return Plan{}, false
	}
	if slices.Contains(f.Status.AdoptedKeyIDs, id) || recorded(f.Status.Keys, id) {
		return stall(f, RetiredKey), true
	}
	if f.Secret.Content.InUse {
		return stall(f, KeyInUse), true
	}
	return record(f, Adopted, settled(f.Status.Keys))
}

// reclaim writes the current key back into a Secret that holds it but whose metadata does not prove it any more.
func reclaim(f Facts) (Plan, bool) {
	current := Current(f.Status.Keys)
	content := f.Secret.Content
	mine := current != nil && content != nil && content.Usable && content.Key.ID == current.ID && f.InHand == current.ID
	if !mine || f.Secret.Mistyped || f.Secret.holds(current.ID) {
		return Plan{}, false
	}
	return repair(f, Deliver), true
}

// resume records another key when the plaintext of a pending one is not in this process's hand. The pending digest
// stays until the new key is in the Secret: another operator, which was paused, may have its plaintext.
func resume(f Facts) (Plan, bool) {
	if Pending(f.Status.Keys) == nil {
		return Plan{}, false
	}
	return issue(f, Resumed, settled(f.Status.Keys))
}

func issueFirst(f Facts) (Plan, bool) {
	if Current(f.Status.Keys) != nil {
		return Plan{}, false
	}
	// Only a status edited by hand has overlapping keys and no current one. They keep their end.
	kept := settled(f.Status.Keys)
	switch delivered := f.Secret.Owner == Own && f.Secret.KeyID != ""; {
	case delivered && requested(f):
		return issue(f, Requested, kept)
	case delivered:
		return issue(f, RecordChanged, kept)
	}
	return issue(f, FirstIssue, kept)
}

func rename(f Facts) (Plan, bool) {
	if !renamed(f) || Current(f.Status.Keys).ended(f.Now) {
		return Plan{}, false
	}
	return issue(f, SecretRenamed, settled(f.Status.Keys))
}

func rotateOnRequest(f Facts) (Plan, bool) {
	if !requested(f) {
		return Plan{}, false
	}
	return issue(f, Requested, settled(f.Status.Keys))
}

func requested(f Facts) bool {
	return f.Spec.RotateRequest != "" && f.Spec.RotateRequest != f.Status.LastRotateRequest
}

// rotateAfter replaces a key that was issued before an instant that has come. The new key is not: in whole seconds, its
// issue is at that instant or later.
func rotateAfter(f Facts) (Plan, bool) {
	if !outdated(f) {
		return Plan{}, false
	}
	return issue(f, After, settled(f.Status.Keys))
}

func outdated(f Facts) bool {
	due := rotateAt(f)
	return !due.IsZero() && !f.Now.Before(due)
}

func rotateOnSchedule(f Facts) (Plan, bool) {
	due := scheduled(f)
	if due.IsZero() || f.Now.Before(due) {
		return Plan{}, false
	}
	return issue(f, Scheduled, settled(f.Status.Keys))
}

func relabel(f Facts) (Plan, bool) {
	if f.Secret.Owner != Own || !f.Secret.Outdated {
		return Plan{}, false
	}
	return repair(f, Relabel), true
}

func removeStrays(f Facts) (Plan, bool) {
	return Plan{Step: RemoveStrays}, f.Secret.Strays
}

// guard keeps a deleted object until its Secret, if that is to outlive it, has been released: otherwise the garbage
// collector would delete both.
func guard(f Facts) (Plan, bool) {
	wanted := outlives(f)
	switch {
	case Pending(f.Status.Keys) != nil:
		return Plan{}, false
	case wanted && !f.Status.Guarded:
		return Plan{Step: Guard}, true
	case !wanted && f.Status.Guarded:
		return Plan{Step: Unguard}, true
	}
	return Plan{}, false
}

// rest is the plan when nothing is left to do. If a Secret that existed is missing in the cache, it checks with the API
// server first.
func rest(f Facts) Plan {
	lost := lostCause(f)
	if lost != "" && !f.Secret.Live && f.Status.SecretName != "" {
		return Plan{Step: Look}
	}
	current := Current(f.Status.Keys)
	return Plan{
		Step: Rest, Keys: settled(f.Status.Keys), Delivered: lost == "" && current != nil, Lost: lost,
		Expired: current == nil || current.ended(f.Now), NextRotation: nextRotation(f), WakeAt: wakeAt(f),
	}
}

// issue records a new key, unless it could not be delivered.
func issue(f Facts, why Cause, kept []Key) (Plan, bool) {
	if !f.Secret.may() && !f.Secret.isLeftover() {
		return stall(f, SecretConflict), true
	}
	return record(f, why, kept)
}

// record records a key, unless it would have ended already. It decides on live facts, except when the cached Secret
// holds the current key: that Secret is written in this version only. After an interrupted issue that write may be the
// one that conflicted.
func record(f Facts, why Cause, kept []Key) (Plan, bool) {
	// Counted from the issue as status keeps it, or the end would be amended at once.
	end := f.Spec.RecordedEnd(f.Now.Truncate(time.Second))
	switch {
	case Ended(end, f.Now):
		return Plan{}, false
	case !f.Secret.Live && (why == Resumed || !mustHold(f)):
		return Plan{Step: Look}, true
	case f.Status.Refused && !f.Secret.Accepted:
		return Plan{Step: Try}, true
	case why == Adopted:
		// The lifetime does not start again, and may be over: a new key would replace one that a person chose.
		end = earliest(end, f.Spec.RecordedEnd(f.Secret.Content.Key.Since()))
	}
	kept = append(kept, pendingKeys(f.Status.Keys)...)
	return Plan{Step: Record, Cause: why, Adopt: why == Adopted, Keys: kept, ExpiresAt: end}, true
}

// stall keeps the accepted keys. It drops pending digests, because nothing will complete them soon.
func stall(f Facts, cause StallCause) Plan {
	return Plan{
		Step: Stall, Stall: cause, Keys: settled(f.Status.Keys), Delivered: mayHold(f),
		NextRotation: nextRotation(f), WakeAt: earliestEnd(f),
	}
}
