package objects

import (
	"context"
	"reflect"
	"slices"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/program"
)

// How long a write waits to be in force at this server, and how often it checks: one map access each time.
const (
	inForce   = 5 * time.Second
	firstLook = 500 * time.Microsecond
	maxLook   = 20 * time.Millisecond
)

// await waits a bounded time for isSo to return true. After that it succeeds too: the object is written, and will be in
// force once the watch shows it.
func (s *Store) await(ctx context.Context, o Object, isSo func() bool) {
	waiting, cancel := context.WithTimeout(ctx, inForce)
	defer cancel()
	for look := firstLook; !isSo(); look = min(2*look, maxLook) {
		if program.Pause(waiting, look) {
			continue
		}
		if ctx.Err() == nil {
			s.Log.WarnContext(ctx, "A write is not in force here yet: the watch lags",
				"object", nameOf(o), "waited", inForce.String())
		}
		return
	}
}

// shows reports whether the index has o as it is, and refuses the keys that o had before.
func (s *Store) shows(o Object, before []pepper.Digest) bool {
	now := s.Now()
	held := digestsOf(o)
	for i := range held {
		if !s.showsKey(o, &held[i], now) {
			return false
		}
	}
	if user, ok := o.(*v1alpha1.AdminUser); ok && s.showsUser(user) {
		if _, disabled := s.Verifier.Named(user.EffectiveUsername()); disabled != user.IsDisabled() {
			return false
		}
	}
	gone := slices.DeleteFunc(slices.Clone(before), func(d pepper.Digest) bool { return slices.Contains(held, d) })
	return s.refusesAll(gone, now)
}

// showsUser reports whether o is an AdminUser whose user is present in the index.
func (s *Store) showsUser(o Object) bool {
	user, ok := o.(*v1alpha1.AdminUser)
	return ok && s.Verifier.UserID(user.EffectiveUsername()) == user.UserID()
}

// showsKey reports whether the index has the key, and refuses it as o does. If the key is refused on account of another
// object, such as its owner's, nothing shows what the index has of o's rights.
func (s *Store) showsKey(o Object, digest *pepper.Digest, now time.Time) bool {
	verdict, want := s.Verifier.VerifyDigest(digest, now), convert.Standing(o)
	switch {
	case verdict.KeyID() == "":
		return false
	case want != verify.Accepted:
		return verdict.Reason == want || verdict.Reason == verify.UsernameTaken
	case verdict.Accepted():
		return showsRights(o, verdict) && showsEnd(o, verdict)
	}
	others := []verify.Reason{
		verify.UsernameTaken, verify.OwnerGone, verify.OwnerDisabled, verify.OwnerDenied, verify.UnknownRole, verify.Expired,
	}
	return slices.Contains(others, verdict.Reason)
}

func showsRights(o Object, verdict verify.Verdict) bool {
	k, ok := o.(*v1alpha1.APIKey)
	if !ok {
		return true
	}
	want, got := convert.Rights(k), verdict.Rights()
	return got == nil || reflect.DeepEqual(&want, got)
}

// showsEnd reports whether the index has o's end, or an earlier one that roles set.
func showsEnd(o Object, verdict verify.Verdict) bool {
	k, ok := o.(*v1alpha1.APIKey)
	if !ok || k.Spec.ExpiresAt == nil {
		return true
	}
	ends := verdict.Ends()
	return !ends.IsZero() && !ends.After(k.Spec.ExpiresAt.Time)
}

func (s *Store) refusesAll(digests []pepper.Digest, now time.Time) bool {
	return !slices.ContainsFunc(digests, func(d pepper.Digest) bool { return s.Verifier.VerifyDigest(&d, now).Accepted() })
}

// digestsOf returns the digests of the recorded keys. Keywright did not write unreadable ones.
func digestsOf(o Object) []pepper.Digest {
	var all []pepper.Digest
	for _, k := range o.HolderStatus().Keys {
		if digest, err := pepper.ParseDigest(k.Digest); err == nil {
			all = append(all, digest)
		}
	}
	return all
}
