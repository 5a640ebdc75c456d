package keyholder

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/username"
)

// usernameIndex finds AdminUsers by their folded username.
const usernameIndex = "keywright.dev/username"

// IndexUsernames adds the index that ByUsername and SameUsername need. Call it once, before the cache starts.
func IndexUsernames(ctx context.Context, indexer client.FieldIndexer) error {
	return indexer.IndexField(ctx, &v1alpha1.AdminUser{}, usernameIndex, func(o client.Object) []string {
		return []string{username.Fold(o.(*v1alpha1.AdminUser).EffectiveUsername())}
	})
}

// ByUsername returns the AdminUser whose claim to this username, in any case, is honoured, or nil.
func ByUsername(ctx context.Context, cached client.Reader, namespace, name string) (*v1alpha1.AdminUser, error) {
	claimants, err := listByUsername(ctx, cached, namespace, name)
	var honoured *v1alpha1.AdminUser
	for i := range claimants {
		if user := &claimants[i]; honoured == nil || Claim(user).Before(Claim(honoured)) {
			honoured = user
		}
	}
	return honoured, err
}

// SameUsername lists the other AdminUsers that claim the username of user, in any case.
func SameUsername(ctx context.Context, cached client.Reader, user *v1alpha1.AdminUser) ([]v1alpha1.AdminUser, error) {
	claimants, err := listByUsername(ctx, cached, user.Namespace, user.EffectiveUsername())
	others := claimants[:0]
	for i := range claimants {
		if claimants[i].Name != user.Name {
			others = append(others, claimants[i])
		}
	}
	return others, err
}

func listByUsername(ctx context.Context, cached client.Reader, namespace, name string) ([]v1alpha1.AdminUser, error) {
	var list v1alpha1.AdminUserList
	byName := client.MatchingFields{usernameIndex: username.Fold(name)}
	err := cached.List(ctx, &list, client.InNamespace(namespace), byName)
	return list.Items, err
}

// Claim returns an AdminUser's claim to its username.
func Claim(user *v1alpha1.AdminUser) username.Claim {
	return username.Claim{
		HoldsKeys: len(user.Status.Keys) > 0,
		Created:   user.CreationTimestamp.Time,
		UID:       string(user.UID),
	}
}
