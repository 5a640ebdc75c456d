package feed

import (
	"log/slog"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/pepper"
	"keywright.dev/keywright/internal/verify"
)

const kindAdminUser = "AdminUser"

// adminUsers puts AdminUsers into the index.
type adminUsers struct {
	index *verify.Index
	// namespace is the one in which AdminUsers count.
	namespace string
	log       *slog.Logger
}

// record is what the index needs of an AdminUser: of one in another namespace nothing.
type record struct {
	id     verify.ID
	holder verify.Holder
}

// GetObjectMeta lets the reflector keep records by name.
func (r *record) GetObjectMeta() metav1.Object {
	return &metav1.ObjectMeta{Namespace: r.id.Namespace, Name: r.id.Name}
}

func (a *adminUsers) condense(object any) (any, error) { return a.record(object), nil }

func (a *adminUsers) put(object any) {
	r := a.record(object)
	a.index.Put(r.id, r.holder)
}

func (a *adminUsers) remove(object any) { a.index.Delete(a.record(object).id) }

func (a *adminUsers) replace(objects []any) {
	a.index.Replace(kindAdminUser, func(yield func(verify.ID, verify.Holder) bool) {
		for _, object := range objects {
			if r := a.record(object); !yield(r.id, r.holder) {
				return
			}
		}
	})
}

func (a *adminUsers) record(object any) *record {
	if r, done := object.(*record); done {
		return r
	}
	user := object.(*v1alpha1.AdminUser)
	r := &record{id: verify.ID{Kind: kindAdminUser, Namespace: user.Namespace, Name: user.Name}}
	if user.Namespace == a.namespace {
		r.id.Namespace = a.namespace // one string for all of them
		r.holder = a.holder(user)
	}
	return r
}

// holder translates an AdminUser. A digest that can't be read was not written by Keywright; it is passed over and
// the others count.
func (a *adminUsers) holder(user *v1alpha1.AdminUser) verify.Holder {
	h := verify.Holder{
		Identity: identity(user),
		Standing: standing(user), Created: user.CreationTimestamp.Time, UID: string(user.UID),
		OwnsUsername: true, HoldsKeys: len(user.Status.Keys) > 0,
	}
	for i := range user.Status.Keys {
		k, err := keyOf(&user.Status.Keys[i])
		if err != nil {
			a.log.Warn("A recorded key can't be read and is passed over", "adminUser", user.Name, "key", i)
			continue
		}
		h.Keys = append(h.Keys, k)
	}
	return h
}

func identity(user *v1alpha1.AdminUser) verify.Identity {
	subject := "User/" + user.EffectiveUsername()
	// The name is a part of the subject, and takes no memory of its own.
	return verify.Identity{Username: strings.TrimPrefix(subject, "User/"), Subject: subject, Admin: true}
}

func keyOf(recorded *v1alpha1.KeyStatus) (verify.Key, error) {
	digest, err := pepper.ParseDigest(recorded.Digest)
	if err != nil {
		return verify.Key{}, err
	}
	k := verify.Key{Digest: digest}
	if recorded.NotAfter != nil {
		k.NotAfter = recorded.NotAfter.Time
	}
	return k, nil
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
