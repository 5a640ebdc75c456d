package keyholder

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"keywright.dev/keywright/api/v1alpha1"
)

// Object is a key object.
type Object interface {
	client.Object
	HolderStatus() *v1alpha1.KeyHolderStatus
}

// Kinds of key objects.
const (
	AdminUser = "AdminUser"
	APIKey    = "APIKey"
)

// KindOf returns the kind of an object: objects from a cache have no TypeMeta.
func KindOf(o Object) string {
	if _, ok := o.(*v1alpha1.AdminUser); ok {
		return AdminUser
	}
	return APIKey
}

// Scope is the namespaces that Keywright serves.
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

// Each calls visit with every object in the cache, until it returns an error. The objects belong to the cache: visit
// must not change them.
func (s Scope) Each(ctx context.Context, cached client.Reader, visit func(Object) error) error {
	return s.each(func(namespace string, newList func() client.ObjectList) error {
		list := newList()
		if err := cached.List(ctx, list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
			return err
		}
		return visitAll(list, visit)
	})
}

// page bounds the objects in one reply of the API server.
const page = 500

// EachLive is Each with the objects at the API server.
func (s Scope) EachLive(ctx context.Context, live client.Reader, visit func(Object) error) error {
	return s.each(func(namespace string, newList func() client.ObjectList) error {
		for next := ""; ; {
			// A new list for each page: decoding into the same one would keep fields that the next page leaves out.
			list := newList()
			options := []client.ListOption{client.InNamespace(namespace), client.Limit(page), client.Continue(next)}
			if err := live.List(ctx, list, options...); err != nil {
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

// Requeue sends every object in the cache to the channel of its kind, for its controller to reconcile it again. It
// waits until each has been received.
func (s Scope) Requeue(ctx context.Context, cached client.Reader, byKind map[string]chan<- event.GenericEvent) error {
	return s.Each(ctx, cached, func(o Object) error {
		select {
		case byKind[KindOf(o)] <- event.GenericEvent{Object: o}:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}
