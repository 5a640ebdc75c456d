package convert

import (
	"strings"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// KeyObject returns what the server's index needs of a key object, and the positions of the entries in status.keys that
// can't be read.
func KeyObject(o keyholder.Object) (object verify.KeyObject, unreadable []int) {
	status := o.HolderStatus()
	object = verify.KeyObject{
		Standing: Standing(o), Created: o.GetCreationTimestamp().Time, UID: string(o.GetUID()),
		HoldsKeys: len(status.Keys) > 0, LastUsed: Instant(status.Usage.LastUsedAt),
	}
	specEnds := false
	switch o := o.(type) {
	case *v1alpha1.AdminUser:
		object.Identity, object.UserID = identityOfUser(o), o.UserID()
		object.OwnsUsername, object.Disabled, object.StaysIfLast = true, o.IsDisabled(), StaysIfLast(o)
	case *v1alpha1.APIKey:
		object.Identity, object.UserID = identityOfSubject(o.Spec.Subject), o.OwnerID()
		specEnds = true
		object.ExpiresAt, object.TTL, object.Rights = Instant(o.Spec.ExpiresAt), Duration(o.Spec.TTL), new(Rights(o))
		object.Budgets = Budgets(o.Spec.Budgets)
	}
	object.Keys, unreadable = indexKeys(status.Keys, specEnds)
	return object, unreadable
}

func identityOfUser(user *v1alpha1.AdminUser) verify.Identity {
	i := identityOfSubject(v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: user.EffectiveUsername()})
	i.Admin = true
	return i
}

// identityOfSubject never returns an admin: an APIKey of an admin holds only what it was given.
func identityOfSubject(subject v1alpha1.Subject) verify.Identity {
	i := verify.Identity{Subject: subject.String()}
	if subject.Kind == v1alpha1.SubjectUser {
		// The name is part of the subject, and takes no memory of its own.
		i.Username = strings.TrimPrefix(i.Subject, string(v1alpha1.SubjectUser)+"/")
	}
	return i
}

// indexKeys reads status.keys. If the spec sets the end of the current key, the recorded one is left out: another end
// needs no operator.
func indexKeys(recorded []v1alpha1.KeyStatus, specEnds bool) ([]verify.Key, []int) {
	keys, digests, unreadable := readable(recorded)
	indexed := make([]verify.Key, len(keys))
	var current *lifecycle.Key
	if specEnds {
		current = lifecycle.Current(keys)
	}
	for i := range keys {
		k := &keys[i]
		indexed[i] = verify.Key{
			Digest: digests[i], IssuedAt: k.Since(), ExpiresAt: lifecycle.RecordedLimit(k, current),
			Pending: k.State == lifecycle.StatePending, Overlapping: k.State == lifecycle.StateOverlapping,
		}
	}
	return indexed, unreadable
}
