package adminuser

import (
	"context"
	"hash/crc32"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/username"
)

// usernameIndex finds AdminUsers by their folded username.
const usernameIndex = "keywright.dev/username"

// Index makes it cheap to find who else claims a username. To be called once, before the cache starts.
func Index(ctx context.Context, indexer client.FieldIndexer) error {
	return indexer.IndexField(ctx, &v1alpha1.AdminUser{}, usernameIndex, func(o client.Object) []string {
		return []string{username.Fold(o.(*v1alpha1.AdminUser).EffectiveUsername())}
	})
}

// Named is the AdminUser that holds exactly this username, as far as the cache knows. Nil: none does.
func Named(ctx context.Context, cached client.Reader, namespace, name string) (*v1alpha1.AdminUser, error) {
	var list v1alpha1.AdminUserList
	err := cached.List(ctx, &list, client.InNamespace(namespace), client.MatchingFields{usernameIndex: username.Fold(name)})
	var holder *v1alpha1.AdminUser
	for i := range list.Items {
		if user := &list.Items[i]; holder == nil || claim(user).Before(claim(holder)) {
			holder = user
		}
	}
	if holder == nil || holder.EffectiveUsername() != name {
		return nil, err
	}
	return holder, err
}

// nameLocks are locks of usernames, a few of them sharing one.
type nameLocks [64]sync.Mutex

// lock returns how to unlock.
func (l *nameLocks) lock(name string) (unlock func()) {
	m := &l[crc32.ChecksumIEEE([]byte(username.Fold(name)))%uint32(len(l))]
	m.Lock()
	return m.Unlock
}

// rival is the AdminUser that holds the username of this one. Nil: this one holds it itself.
//
// Who else claims the name is known from the cache, which shows both before either is worked on; but that one of them
// has been given a key since is asked of the API server itself.
func (r *Reconciler) rival(ctx context.Context, user *v1alpha1.AdminUser) (*v1alpha1.AdminUser, error) {
	others, err := r.sameName(ctx, user)
	if err != nil {
		return nil, err
	}
	var holder *v1alpha1.AdminUser
	best := claim(user)
	for i := range others {
		other := &others[i]
		err := r.Issuer.Live.Get(ctx, client.ObjectKeyFromObject(other), other)
		switch {
		case apierrors.IsNotFound(err):
			continue
		case err != nil:
			return nil, err
		}
		if c := claim(other); c.Before(best) {
			holder, best = other, c
		}
	}
	return holder, nil
}

// rivals names everybody who claims the username of a changed or deleted AdminUser: its fate may decide theirs.
func (r *Reconciler) rivals(ctx context.Context, changed client.Object) []reconcile.Request {
	others, err := r.sameName(ctx, changed.(*v1alpha1.AdminUser))
	if err != nil {
		return nil
	}
	requests := make([]reconcile.Request, 0, len(others))
	for i := range others {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&others[i])})
	}
	return requests
}

// sameName lists the other AdminUsers with this username in any case.
func (r *Reconciler) sameName(ctx context.Context, user *v1alpha1.AdminUser) ([]v1alpha1.AdminUser, error) {
	var list v1alpha1.AdminUserList
	err := r.Client.List(ctx, &list, client.InNamespace(user.Namespace),
		client.MatchingFields{usernameIndex: username.Fold(user.EffectiveUsername())})
	others := list.Items[:0]
	for i := range list.Items {
		if list.Items[i].Name != user.Name {
			others = append(others, list.Items[i])
		}
	}
	return others, err
}

func claim(user *v1alpha1.AdminUser) username.Claim {
	return username.Claim{
		HoldsKeys: len(user.Status.Keys) > 0,
		Created:   user.CreationTimestamp.Time,
		UID:       string(user.UID),
	}
}
