package objects

import (
	"context"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/program"
)

// How long a write waits to be in force at this server, and how often it checks: a few words of memory each time.
const (
	inForce   = 5 * time.Second
	firstLook = 500 * time.Microsecond
	maxLook   = 20 * time.Millisecond
)

// await waits a bounded time for isSo to return true. After that it succeeds too: the object is written, and will be in
// force once the watch shows it.
func (s *Store) await(ctx context.Context, o client.Object, isSo func() bool) {
	waiting, cancel := context.WithTimeout(ctx, inForce)
	defer cancel()
	for look := firstLook; !isSo(); look = min(2*look, maxLook) {
		if program.Pause(waiting, look) {
			continue
		}
		if ctx.Err() == nil {
			s.Log.WarnContext(ctx, "A write is not in force here yet: the watch lags",
				"object", client.ObjectKeyFromObject(o).String(), "waited", inForce.String())
		}
		return
	}
}

// showsUser reports whether o is an AdminUser whose user is present in the index.
func (s *Store) showsUser(o Object) bool {
	user, ok := o.(*v1alpha1.AdminUser)
	return ok && s.Verifier.UserID(user.EffectiveUsername()) == user.UserID()
}

// awaitShown waits until the index has o as it was written or read, whatever that says of its keys.
func (s *Store) awaitShown(ctx context.Context, o client.Object) {
	s.await(ctx, o, func() bool { return s.View.Shows(o) })
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
