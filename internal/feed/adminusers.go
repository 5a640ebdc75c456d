package feed

import (
	"log/slog"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/pepper"
	"keywright.dev/keywright/internal/verify"
)

const kindAdminUser = "AdminUser"

// adminUsers puts AdminUsers into the index.
type adminUsers struct {
	index *verify.Index
	log   *slog.Logger
}

func (a *adminUsers) put(object any) {
	user := object.(*v1alpha1.AdminUser)
	a.index.Put(idOf(user), a.holder(user))
}

func (a *adminUsers) remove(object any) {
	a.index.Delete(idOf(object.(*v1alpha1.AdminUser)))
}

func (a *adminUsers) replace(objects []any) {
	a.index.Replace(kindAdminUser, func(yield func(verify.ID, verify.Holder) bool) {
		for _, object := range objects {
			user := object.(*v1alpha1.AdminUser)
			if !yield(idOf(user), a.holder(user)) {
				return
			}
		}
	})
}

func idOf(user *v1alpha1.AdminUser) verify.ID {
	return verify.ID{Kind: kindAdminUser, Namespace: user.Namespace, Name: user.Name}
}

// holder translates an AdminUser. A digest that can't be read was not written by Keywright; it is passed over and
// the others count.
func (a *adminUsers) holder(user *v1alpha1.AdminUser) verify.Holder {
	name := user.EffectiveUsername()
	h := verify.Holder{
		Identity: verify.Identity{Username: name, Subject: "User/" + name, Admin: true},
		Standing: standing(user), Created: user.CreationTimestamp.Time, UID: string(user.UID),
		OwnsUsername: true, HoldsKeys: len(user.Status.Keys) > 0,
	}
	for _, k := range user.Status.Keys {
		digest, err := pepper.ParseDigest(k.Digest)
		if err != nil {
			a.log.Warn("A recorded key can't be read and is passed over", "adminUser", user.Name)
			continue
		}
		next := verify.Key{Digest: digest}
		if k.NotAfter != nil {
			next.NotAfter = k.NotAfter.Time
		}
		h.Keys = append(h.Keys, next)
	}
	return h
}

// standing says why the keys of a user are refused, or that they are not. Revocation rests on the spec alone: it
// needs no operator.
func standing(user *v1alpha1.AdminUser) verify.Reason {
	switch {
	case !user.DeletionTimestamp.IsZero():
		return verify.Deleted
	case !user.IsAdmin():
		return verify.Demoted
	case !user.IsEnabled():
		return verify.Disabled
	}
	return verify.Accepted
}
