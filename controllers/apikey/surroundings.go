package apikey

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// Indexes: APIKeys by the roles they name and by the folded name of the user they speak as, AccessRoles by their members.
const (
	roleIndex   = "keywright.dev/role"
	ownerIndex  = "keywright.dev/subject-user"
	memberIndex = "keywright.dev/member"
)

// Index makes it cheap to find what a key depends on, and who depends on something. To be called once, before the
// cache starts.
func Index(ctx context.Context, indexer client.FieldIndexer) error {
	for _, index := range []struct {
		object  client.Object
		name    string
		extract client.IndexerFunc
	}{
		{&v1alpha1.APIKey{}, roleIndex, func(o client.Object) []string { return convert.Plain(o.(*v1alpha1.APIKey).Spec.Roles) }},
		{&v1alpha1.APIKey{}, ownerIndex, func(o client.Object) []string { return present(username.Fold(o.(*v1alpha1.APIKey).Owner())) }},
		{&v1alpha1.AccessRole{}, memberIndex, func(o client.Object) []string { return convert.Plain(o.(*v1alpha1.AccessRole).Spec.Members) }},
	} {
		if err := indexer.IndexField(ctx, index.object, index.name, index.extract); err != nil {
			return err
		}
	}
	return nil
}

func present(name string) []string {
	if name == "" {
		return nil
	}
	return []string{name}
}

// lookAround finds what the key depends on, as far as the cache knows.
func (r *Reconciler) lookAround(ctx context.Context, key *v1alpha1.APIKey) (*surroundings, error) {
	roles, err := r.rolesOf(ctx, key)
	if err != nil {
		return nil, err
	}
	around := &surroundings{unknown: roles.Missing(convert.Plain(key.Spec.Roles)), maxTTL: roles.MaxTTL(convert.Plain(key.Spec.Roles))}
	owner := key.Owner()
	if owner == "" {
		return around, nil
	}
	around.ownerDenied = !roles.MayOwnKeys(owner)
	user, err := keyholder.ByUsername(ctx, r.Client, r.System, owner)
	around.ownerDisabled = user != nil && !user.IsEnabled()
	return around, err
}

// rolesOf are the roles that the key names and those that list its owner.
func (r *Reconciler) rolesOf(ctx context.Context, key *v1alpha1.APIKey) (*access.Roles, error) {
	found := map[string]access.Role{}
	for _, name := range key.Spec.Roles {
		var role v1alpha1.AccessRole
		err := r.Client.Get(ctx, client.ObjectKey{Name: string(name)}, &role)
		if client.IgnoreNotFound(err) != nil {
			return nil, err
		}
		if !apierrors.IsNotFound(err) {
			found[role.Name] = convert.Role(&role)
		}
	}
	if key.Owner() == "" {
		return access.NewRoles(found), nil
	}
	var list v1alpha1.AccessRoleList
	err := r.Client.List(ctx, &list, client.MatchingFields{memberIndex: key.Owner()}, client.UnsafeDisableDeepCopy)
	for i := range list.Items {
		found[list.Items[i].Name] = convert.Role(&list.Items[i])
	}
	return access.NewRoles(found), err
}

// keysOfRole names the keys that a changed or deleted AccessRole is of concern to: those that name it, and those of its
// members.
func (r *Reconciler) keysOfRole(ctx context.Context, changed client.Object) []reconcile.Request {
	role := changed.(*v1alpha1.AccessRole)
	requests := r.keysBy(ctx, roleIndex, role.Name)
	for _, member := range role.Spec.Members {
		requests = append(requests, r.keysBy(ctx, ownerIndex, username.Fold(string(member)))...)
	}
	return requests
}

// changesOwner is false for what changes nothing about the keys that speak for an AdminUser. Beside its spec that is which
// of several holds the name: one that has keys comes first.
func changesOwner(e event.UpdateEvent) bool {
	before, after := e.ObjectOld.(*v1alpha1.AdminUser), e.ObjectNew.(*v1alpha1.AdminUser)
	return before.UID != after.UID || before.Generation != after.Generation ||
		(len(before.Status.Keys) > 0) != (len(after.Status.Keys) > 0)
}

// keysOfUser names the keys that speak for an AdminUser, or for one whose name differs by case: which of them is honoured
// may change with either.
func (r *Reconciler) keysOfUser(ctx context.Context, changed client.Object) []reconcile.Request {
	return r.keysBy(ctx, ownerIndex, username.Fold(changed.(*v1alpha1.AdminUser).EffectiveUsername()))
}

func (r *Reconciler) keysBy(ctx context.Context, index, value string) []reconcile.Request {
	var list v1alpha1.APIKeyList
	if err := r.Client.List(ctx, &list, client.MatchingFields{index: value}, client.UnsafeDisableDeepCopy); err != nil {
		return nil
	}
	requests := make([]reconcile.Request, 0, len(list.Items))
	for i := range list.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	return requests
}
