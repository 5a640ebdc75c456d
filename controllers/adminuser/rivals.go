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
	"keywright.dev/keywright/internal/kube/keyholder"
)

// nameLocks serializes work on one username. Several usernames may share a lock.
type nameLocks [64]sync.Mutex

func (l *nameLocks) lock(name string) (unlock func()) {
	m := &l[crc32.ChecksumIEEE([]byte(username.Fold(name)))%uint32(len(l))]
	m.Lock()
	return m.Unlock
}

// honouredRival returns the AdminUser whose claim to the username of user is honoured instead, or nil.
//
// The cache shows every claimant before either is reconciled, so it is enough to find rivals. Whether a rival
// has been issued a key since then is read from the API server.
func (r *Reconciler) honouredRival(ctx context.Context, user *v1alpha1.AdminUser) (*v1alpha1.AdminUser, error) {
	others, err := keyholder.SameUsername(ctx, r.Client, user)
	if err != nil {
		return nil, err
	}
	var honoured *v1alpha1.AdminUser
	best := keyholder.Claim(user)
	for i := range others {
		other := &others[i]
		err := r.Issuer.Live.Get(ctx, client.ObjectKeyFromObject(other), other)
		switch {
		case apierrors.IsNotFound(err):
			continue
		case err != nil:
			return nil, err
		}
		if c := keyholder.Claim(other); c.Before(best) {
			honoured, best = other, c
		}
	}
	return honoured, nil
}

// rivalRequests returns a request for each rival of a changed or deleted AdminUser: the change may decide their
// claims.
func (r *Reconciler) rivalRequests(ctx context.Context, changed client.Object) []reconcile.Request {
	others, err := keyholder.SameUsername(ctx, r.Client, changed.(*v1alpha1.AdminUser))
	if err != nil {
		return nil
	}
	requests := make([]reconcile.Request, 0, len(others))
	for i := range others {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&others[i])})
	}
	return requests
}
