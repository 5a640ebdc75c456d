package objects

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/client"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// ID names an object.
type ID = verify.ID

// page bounds the objects in one reply of the API server.
const page = 500

// Users lists every AdminUser of the system namespace, live. It lists all that claim the same username: Honoured
// returns those that hold theirs.
func (s *Store) Users(ctx context.Context) ([]v1alpha1.AdminUser, error) {
	var all []v1alpha1.AdminUser
	err := s.list(ctx, func() client.ObjectList { return &v1alpha1.AdminUserList{} }, func(l client.ObjectList) {
		all = append(all, l.(*v1alpha1.AdminUserList).Items...)
	}, client.InNamespace(s.Namespace))
	return all, err
}

// Honoured returns the AdminUsers whose claim to their username is honoured.
func Honoured(users []v1alpha1.AdminUser) []v1alpha1.AdminUser {
	holding := map[string]int{}
	for i := range users {
		name := username.Fold(users[i].EffectiveUsername())
		if held, found := holding[name]; !found || keyholder.Claim(&users[i]).Before(keyholder.Claim(&users[held])) {
			holding[name] = i
		}
	}
	honoured := make([]v1alpha1.AdminUser, 0, len(holding))
	for i := range users {
		if holding[username.Fold(users[i].EffectiveUsername())] == i {
			honoured = append(honoured, users[i])
		}
	}
	return honoured
}

// User returns the AdminUser that holds exactly this username, or nil.
func (s *Store) User(ctx context.Context, name string) (*v1alpha1.AdminUser, error) {
	// Most AdminUsers have the name that the API gives them, so one get is usually enough.
	user := &v1alpha1.AdminUser{}
	err := s.client.Get(ctx, client.ObjectKey{Namespace: s.Namespace, Name: ObjectName(name)}, user)
	switch {
	case err == nil && user.EffectiveUsername() == name && !mayBeOutranked(user):
		return user, nil
	case err != nil && !apierrors.IsNotFound(err):
		return nil, failure(err)
	}
	users, err := s.Users(ctx)
	for _, u := range Honoured(users) {
		if u.EffectiveUsername() == name {
			return &u, nil
		}
	}
	return nil, err
}

// mayBeOutranked reports whether another object may hold the username: the operator has found one, or this object has
// no key, and so loses to any that has one.
func mayBeOutranked(u *v1alpha1.AdminUser) bool {
	ready := meta.FindStatusCondition(u.Status.Conditions, v1alpha1.ConditionReady)
	return len(u.Status.Keys) == 0 || ready != nil && ready.Reason == v1alpha1.ReasonUsernameTaken
}

// Keys lists the APIKeys of a subject in all namespaces of APIKeys. An empty name stands for all subjects of the kind,
// and an empty kind for all subjects.
// Those of a user are listed whatever the case of the name. The API server compares exactly, so there is one request
// for each spelling that this server knows.
func (s *Store) Keys(ctx context.Context, subject v1alpha1.Subject) ([]v1alpha1.APIKey, error) {
	if subject.Kind != v1alpha1.SubjectUser || subject.Name == "" {
		return s.keysOf(ctx, subject)
	}
	var all []v1alpha1.APIKey
	for _, spelling := range s.Verifier.Spellings(subject.Name) {
		keys, err := s.keysOf(ctx, v1alpha1.Subject{Kind: subject.Kind, Name: spelling})
		if err != nil {
			return nil, err
		}
		all = append(all, keys...)
	}
	return all, nil
}

// Key returns the APIKey of this name, live, or nil.
func (s *Store) Key(ctx context.Context, id ID) (*v1alpha1.APIKey, error) {
	found, err := s.named(ctx, objectOf(id))
	k, _ := found.(*v1alpha1.APIKey)
	return k, err
}

// keysOf lists the APIKeys of exactly this subject.
func (s *Store) keysOf(ctx context.Context, subject v1alpha1.Subject) ([]v1alpha1.APIKey, error) {
	selector := fields.Set{}
	if subject.Kind != "" {
		selector["spec.subject.kind"] = string(subject.Kind)
	}
	if subject.Name != "" {
		selector["spec.subject.name"] = subject.Name
	}
	namespaces := s.KeyNamespaces
	if len(namespaces) == 0 {
		namespaces = []string{""}
	}
	var all []v1alpha1.APIKey
	for _, namespace := range namespaces {
		err := s.list(ctx, func() client.ObjectList { return &v1alpha1.APIKeyList{} }, func(l client.ObjectList) {
			all = append(all, l.(*v1alpha1.APIKeyList).Items...)
		}, client.InNamespace(namespace), client.MatchingFieldsSelector{Selector: selector.AsSelector()})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Roles lists every AccessRole. When it returns, the index has them, so that a key which names one may use it at once.
func (s *Store) Roles(ctx context.Context) ([]v1alpha1.AccessRole, error) {
	var all []v1alpha1.AccessRole
	err := s.list(ctx, func() client.ObjectList { return &v1alpha1.AccessRoleList{} }, func(l client.ObjectList) {
		all = append(all, l.(*v1alpha1.AccessRoleList).Items...)
	})
	for i := range all {
		s.awaitShown(ctx, &all[i])
	}
	return all, err
}

// list reads page after page, each into a new list: decoding into the same one would keep fields that the second page
// leaves out.
func (s *Store) list(
	ctx context.Context, empty func() client.ObjectList, take func(client.ObjectList), options ...client.ListOption,
) error {
	for next := ""; ; {
		l := empty()
		if err := s.client.List(ctx, l, append(options, client.Limit(page), client.Continue(next))...); err != nil {
			return failure(err)
		}
		take(l)
		if next = l.GetContinue(); next == "" {
			return nil
		}
	}
}

// reread updates o. It returns ErrGone if o has been deleted, even if another object has its name now. It lists because
// the server's role grants that and not get.
func (s *Store) reread(ctx context.Context, o Object) error {
	found, err := s.named(ctx, o)
	switch {
	case err != nil:
		return err
	case found == nil || found.GetUID() != o.GetUID() || found.GetDeletionTimestamp() != nil:
		return ErrGone
	}
	assign(o, found)
	return nil
}

// named returns the object of the same kind and name as o, or nil.
func (s *Store) named(ctx context.Context, o Object) (Object, error) {
	byName := client.MatchingFields{"metadata.name": o.GetName()}
	var found Object
	err := s.list(ctx, func() client.ObjectList { return listOf(o) }, func(l client.ObjectList) {
		switch l := l.(type) {
		case *v1alpha1.AdminUserList:
			for i := range l.Items {
				found = &l.Items[i]
			}
		case *v1alpha1.APIKeyList:
			for i := range l.Items {
				found = &l.Items[i]
			}
		}
	}, client.InNamespace(o.GetNamespace()), byName)
	return found, err
}

func listOf(o Object) client.ObjectList {
	if keyholder.KindOf(o) == keyholder.AdminUser {
		return &v1alpha1.AdminUserList{}
	}
	return &v1alpha1.APIKeyList{}
}

// sameKind returns an empty object of o's kind and name.
func sameKind(o Object) Object {
	return objectOf(ID{Kind: keyholder.KindOf(o), Namespace: o.GetNamespace(), Name: o.GetName()})
}

// objectOf returns an empty object of that name, or nil for an ID without an object, such as the bootstrap key's.
func objectOf(id ID) (o Object) {
	switch id.Kind {
	case keyholder.AdminUser:
		o = &v1alpha1.AdminUser{}
	case keyholder.APIKey:
		o = &v1alpha1.APIKey{}
	default:
		return nil
	}
	o.SetNamespace(id.Namespace)
	o.SetName(id.Name)
	return o
}

// assign copies from to to, which has the same kind.
func assign(to, from Object) {
	switch to := to.(type) {
	case *v1alpha1.AdminUser:
		*to = *from.(*v1alpha1.AdminUser)
	case *v1alpha1.APIKey:
		*to = *from.(*v1alpha1.APIKey)
	default:
		panic(fmt.Sprintf("no object with keys: %T", to))
	}
}
