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

// How long a write waits until this server goes by it, and how often it looks: one map access each time.
const (
	inForce   = 5 * time.Second
	firstLook = 500 * time.Microsecond
	maxLook   = 20 * time.Millisecond
)

// await returns when it is so, or when it has taken too long. Then what was written is in force as soon as the watch shows
// it, and there is no better answer than that it was written.
func (s *Store) await(ctx context.Context, o Object, isSo func() bool) {
	waiting, cancel := context.WithTimeout(ctx, inForce)
	defer cancel()
	for look := firstLook; !isSo(); look = min(2*look, maxLook) {
		if program.Pause(waiting, look) {
			continue
		}
		if ctx.Err() == nil {
			s.Log.WarnContext(ctx, "What was written is not in force here yet: the watch lags", "object", nameOf(o), "waited", inForce.String())
		}
		return
	}
}

// shows says that this server goes by o as it is, and no longer by keys that it had before.
func (s *Store) shows(o Object, before []pepper.Digest) bool {
	now := s.Now()
	held := digestsOf(o)
	for i := range held {
		if !s.showsKey(o, &held[i], now) {
			return false
		}
	}
	gone := slices.DeleteFunc(slices.Clone(before), func(d pepper.Digest) bool { return slices.Contains(held, d) })
	return s.refusesAll(gone, now)
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
	others := []verify.Reason{verify.UsernameTaken, verify.OwnerDisabled, verify.OwnerDenied, verify.Expired}
	return slices.Contains(others, verdict.Reason)
}

func showsRights(o Object, verdict verify.Verdict) bool {
	k, is := o.(*v1alpha1.APIKey)
	if !is {
		return true
	}
	want, got := convert.Rights(k), verdict.Rights()
	return got == nil || reflect.DeepEqual(&want, got)
}

// showsEnd: an end that was set is there, be it that roles set an earlier one, and one that was taken away is not.
func showsEnd(o Object, verdict verify.Verdict) bool {
	k, is := o.(*v1alpha1.APIKey)
	if !is || k.Spec.ExpiresAt == nil {
		return true
	}
	ends := verdict.Ends()
	return !ends.IsZero() && !ends.After(k.Spec.ExpiresAt.Time)
}

func (s *Store) refusesAll(digests []pepper.Digest, now time.Time) bool {
	return !slices.ContainsFunc(digests, func(d pepper.Digest) bool { return s.Verifier.VerifyDigest(&d, now).Accepted() })
}

// digestsOf are those of the keys on record. What can't be read was not written by Keywright, and is no key.
func digestsOf(o Object) []pepper.Digest {
	var all []pepper.Digest
	for _, k := range o.HolderStatus().Keys {
		if digest, err := pepper.ParseDigest(k.Digest); err == nil {
			all = append(all, digest)
		}
	}
	return all
}
