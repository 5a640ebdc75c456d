package keyholder

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
)

// Object is one that has keys.
type Object interface {
	client.Object
	HolderStatus() *v1alpha1.KeyHolderStatus
}

// Kinds of objects that have keys.
const (
	AdminUser = "AdminUser"
	APIKey    = "APIKey"
)

// KindOf names the kind of an object: what was read from a cache does not say.
func KindOf(o Object) string {
	if _, is := o.(*v1alpha1.AdminUser); is {
		return AdminUser
	}
	return APIKey
}

// Scope is where objects count.
type Scope struct {
	// System is Keywright's own namespace, the only one for AdminUsers.
	System string
	// Namespaces of APIKeys. Empty: all.
	Namespaces []string
}

// KeyNamespaces returns the namespaces to list APIKeys in. "" stands for all.
func (s Scope) KeyNamespaces() []string {
	if len(s.Namespaces) == 0 {
		return []string{""}
	}
	return s.Namespaces
}

// Each calls visit with every object that the cache has, until it returns an error. What it is given belongs to the cache
// and must not be changed.
func (s Scope) Each(ctx context.Context, cached client.Reader, visit func(Object) error) error {
	return s.each(func(namespace string, newList func() client.ObjectList) error {
		list := newList()
		if err := cached.List(ctx, list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
			return err
		}
		return visitAll(list, visit)
	})
}

// page bounds how many objects are held in memory when the API server itself is asked.
const page = 500

// EachLive does the same with what the API server says.
func (s Scope) EachLive(ctx context.Context, live client.Reader, visit func(Object) error) error {
	return s.each(func(namespace string, newList func() client.ObjectList) error {
		for next := ""; ; {
			// A new list for each page: one that is decoded into twice keeps what the second page leaves out.
			list := newList()
			if err := live.List(ctx, list, client.InNamespace(namespace), client.Limit(page), client.Continue(next)); err != nil {
				return err
			}
			if err := visitAll(list, visit); err != nil {
				return err
			}
			if next = list.GetContinue(); next == "" {
				return nil
			}
		}
	})
}

// each calls do for each kind and namespace to be listed. Namespace "" stands for all.
func (s Scope) each(do func(namespace string, newList func() client.ObjectList) error) error {
	if err := do(s.System, func() client.ObjectList { return &v1alpha1.AdminUserList{} }); err != nil {
		return err
	}
	for _, namespace := range s.KeyNamespaces() {
		if err := do(namespace, func() client.ObjectList { return &v1alpha1.APIKeyList{} }); err != nil {
			return err
		}
	}
	return nil
}

func visitAll(list client.ObjectList, visit func(Object) error) error {
	for _, o := range itemsOf(list) {
		if err := visit(o); err != nil {
			return err
		}
	}
	return nil
}

func itemsOf(list client.ObjectList) []Object {
	var objects []Object
	switch l := list.(type) {
	case *v1alpha1.AdminUserList:
		for i := range l.Items {
			objects = append(objects, &l.Items[i])
		}
	case *v1alpha1.APIKeyList:
		for i := range l.Items {
			objects = append(objects, &l.Items[i])
		}
	}
	return objects
}
