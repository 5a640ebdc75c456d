package apikey

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/budget"
	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// Indexes: APIKeys by the roles they name and by the folded username of their owner, AccessRoleBindings by the folded
// names of their users.
const (
	roleIndex  = "keywright.dev/role"
	ownerIndex = "keywright.dev/subject-user"
	boundIndex = "keywright.dev/bound-user"
)

// Index adds the indexes that the Reconciler needs. Call it once, before the cache starts.
func Index(ctx context.Context, indexer client.FieldIndexer) error {
	for _, index := range []struct {
		object  client.Object
		name    string
		extract client.IndexerFunc
	}{
		{&v1alpha1.APIKey{}, roleIndex, func(o client.Object) []string {
			return convert.Plain(o.(*v1alpha1.APIKey).Spec.Roles)
		}},
		{&v1alpha1.APIKey{}, ownerIndex, func(o client.Object) []string {
			if owner := o.(*v1alpha1.APIKey).Owner(); owner != "" {
				return []string{username.Fold(owner)}
			}
			return nil
		}},
		{&v1alpha1.AccessRoleBinding{}, boundIndex, func(o client.Object) []string {
			var users []string
			for _, user := range convert.Binding(o.(*v1alpha1.AccessRoleBinding)).Users {
				users = append(users, username.Fold(user))
			}
			return users
		}},
	} {
		if err := indexer.IndexField(ctx, index.object, index.name, index.extract); err != nil {
			return err
		}
	}
	return nil
}

// dependencies is what a key depends on beside its own spec.
type dependencies struct {
	// unknownRoles are the roles that the key names and that do not exist.
	unknownRoles []string
	// maxTTL is the shortest maxTTL of its roles, and limitedBy the name of that role. 0: no role has one.
	maxTTL    time.Duration
	limitedBy string
	// limits are those of the instance.
	limits lifecycle.Limits
	// budgets are those of the key and of its roles. Their counters are not known here.
	budgets budget.Accounts
	// owner is zero for a subject that is not a user.
	owner verify.OwnerFacts
}

// resolve reads the key's dependencies from the cache.
func (r *Reconciler) resolve(ctx context.Context, key *v1alpha1.APIKey) (*dependencies, error) {
	roles, err := r.rolesOf(ctx, key)
	if err != nil {
		return nil, err
	}
	named := convert.Plain(key.Spec.Roles)
	resolved := &dependencies{unknownRoles: roles.Missing(named)}
	resolved.maxTTL, resolved.limitedBy = roles.ShortestTTL(named)
	resolved.budgets = budgetsOf(key, roles)
	if r.Limits != nil {
		if resolved.limits, err = r.Limits.get(ctx); err != nil {
			return nil, err
		}
	}
	owner := key.Owner()
	if owner == "" {
		return resolved, nil
	}
	user, err := keyholder.ByUsername(ctx, r.Client, r.System, owner)
	if err != nil {
		return nil, err
	}
	resolved.owner = convert.OwnerFacts(user, !roles.MayOwnKeys(owner))
	if id := resolved.owner.Present; id != "" && id != key.OwnerID() {
		resolved.owner.Present, err = r.livingID(ctx, user)
	}
	return resolved, err
}

// livingID returns the id of an AdminUser's user if the API server still has that AdminUser. A key is bound to it for
// good: if the cache showed one that was deleted and created again, the key would be refused from the start.
func (r *Reconciler) livingID(ctx context.Context, cached *v1alpha1.AdminUser) (string, error) {
	var live v1alpha1.AdminUser
	err := r.Issuer.Live.Get(ctx, client.ObjectKeyFromObject(cached), &live)
	if err != nil || live.UID != cached.UID {
		return "", client.IgnoreNotFound(err)
	}
	return convert.OwnerFacts(&live, false).Present, nil
}

// rolesOf returns the roles that the key names, and the bindings that list its owner.
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
	bindings, err := r.bindingsOf(ctx, key.Owner())
	return access.NewRoles(found, bindings), err
}

// bindingsOf returns the bindings that list a user, without their other users. An empty username has none.
func (r *Reconciler) bindingsOf(ctx context.Context, user string) (map[string]access.Binding, error) {
	if user == "" {
		return nil, nil
	}
	var list v1alpha1.AccessRoleBindingList
	bound := client.MatchingFields{boundIndex: username.Fold(user)}
	err := r.Client.List(ctx, &list, bound, client.UnsafeDisableDeepCopy)
	bindings := make(map[string]access.Binding, len(list.Items))
	for i := range list.Items {
		binding := convert.Binding(&list.Items[i])
		binding.Users = []string{user}
		bindings[list.Items[i].Name] = binding
	}
	return bindings, err
}

// keysOfRole returns requests for the keys that a changed or deleted AccessRole affects: those that name it. The roles
// that users hold only limit what their keys may do, which the server decides.
func (r *Reconciler) keysOfRole(ctx context.Context, changed client.Object) []reconcile.Request {
	return r.keysBy(ctx, roleIndex, changed.GetName())
}

// keysOfBinding returns requests for the keys of the users that a changed or deleted AccessRoleBinding lists: it
// decides whether they may own keys.
func (r *Reconciler) keysOfBinding(ctx context.Context, changed client.Object) []reconcile.Request {
	var requests []reconcile.Request
	for _, user := range convert.Binding(changed.(*v1alpha1.AccessRoleBinding)).Users {
		requests = append(requests, r.keysBy(ctx, ownerIndex, username.Fold(user))...)
	}
	return requests
}

// affectsKeys reports whether a change of an AdminUser may affect the keys it owns: a change of its spec, of the id or
// the presence of its user, or of whether it holds keys, which decides between rival claims to a username.
func affectsKeys(e event.UpdateEvent) bool {
	before, after := e.ObjectOld.(*v1alpha1.AdminUser), e.ObjectNew.(*v1alpha1.AdminUser)
	return before.UID != after.UID || before.Generation != after.Generation ||
		convert.OwnerFacts(before, false) != convert.OwnerFacts(after, false) ||
		(len(before.Status.Keys) > 0) != (len(after.Status.Keys) > 0)
}

// keysOfUser returns requests for the keys owned by an AdminUser's username in any case: a change may decide
// which of the rival claims is honoured.
func (r *Reconciler) keysOfUser(ctx context.Context, changed client.Object) []reconcile.Request {
	return r.keysBy(ctx, ownerIndex, username.Fold(changed.(*v1alpha1.AdminUser).EffectiveUsername()))
}

func (r *Reconciler) keysBy(ctx context.Context, index, value string) []reconcile.Request {
	var list v1alpha1.APIKeyList
	err := r.Client.List(ctx, &list, client.MatchingFields{index: value}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil
	}
	requests := make([]reconcile.Request, 0, len(list.Items))
	for i := range list.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	return requests
}
