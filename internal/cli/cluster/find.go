package cluster

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// kinds are the names of the kinds of keys on the command line.
var kinds = map[string]string{
	"apikey": keyholder.APIKey, "apikeys": keyholder.APIKey, "apikeys.keywright.dev": keyholder.APIKey,
	"adminuser": keyholder.AdminUser, "adminusers": keyholder.AdminUser, "adminusers.keywright.dev": keyholder.AdminUser,
}

// parse returns the kind and the name of NAME, apikey/NAME or adminuser/NAME.
func parse(arg string) (kind, name string, err error) {
	kind, name, found := strings.Cut(arg, "/")
	if !found {
		kind, name = "apikey", arg
	}
	known, exists := kinds[strings.ToLower(kind)]
	if !exists || name == "" || strings.Contains(name, "/") {
		return "", "", console.Usagef("%q must be NAME, apikey/NAME or adminuser/NAME", arg)
	}
	return known, name, nil
}

// get returns the object that an argument names.
func (p *Plugin) get(ctx context.Context, arg string) (keyholder.Object, error) {
	kind, name, err := parse(arg)
	if err != nil {
		return nil, err
	}
	var o keyholder.Object = &v1alpha1.APIKey{}
	namespace := p.systemNamespace
	if kind == keyholder.AdminUser {
		o = &v1alpha1.AdminUser{}
	} else if namespace, err = p.namespace(); err != nil {
		return nil, err
	}
	c, err := p.client()
	if err != nil {
		return nil, err
	}
	err = c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, o)
	if apierrors.IsNotFound(err) {
		// Wait looks for an error of this kind.
		if missing := p.checkNamespace(ctx, namespace); missing != nil {
			err = &notFoundError{missing, err}
		}
	}
	return o, plain(err)
}

// notFoundError is a not-found error of the API server with a text that says more.
type notFoundError struct {
	error
	cause error
}

func (e *notFoundError) Unwrap() error { return e.cause }

// describe returns an object as APIKey default/ci.
func describe(o keyholder.Object) string {
	return keyholder.KindOf(o) + " " + o.GetNamespace() + "/" + o.GetName()
}

// subjectOf returns who the keys of an object speak as.
func subjectOf(o keyholder.Object) string {
	if u, isUser := o.(*v1alpha1.AdminUser); isUser {
		return "User/" + u.EffectiveUsername()
	}
	return o.(*v1alpha1.APIKey).Spec.Subject.String()
}

// all returns every AdminUser and APIKey.
func (p *Plugin) all(ctx context.Context) ([]keyholder.Object, error) {
	keys, err := p.apiKeys(ctx, "")
	if err != nil {
		return nil, err
	}
	users, err := p.adminUsers(ctx)
	return append(users, keys...), err
}

// readable is all without the AdminUsers if the user may not list them, which hidden reports.
func (p *Plugin) readable(ctx context.Context, namespace string) (found []keyholder.Object, hidden bool, err error) {
	keys, err := p.apiKeys(ctx, namespace)
	if err != nil {
		return nil, false, err
	}
	users, err := p.adminUsers(ctx)
	if apierrors.IsForbidden(err) {
		return keys, true, nil
	}
	return append(users, keys...), false, err
}

func (p *Plugin) apiKeys(ctx context.Context, namespace string) ([]keyholder.Object, error) {
	c, err := p.client()
	if err != nil {
		return nil, err
	}
	list := &v1alpha1.APIKeyList{}
	if err := c.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil, plain(err)
	}
	found := make([]keyholder.Object, len(list.Items))
	for i := range list.Items {
		found[i] = &list.Items[i]
	}
	return found, nil
}

func (p *Plugin) adminUsers(ctx context.Context) ([]keyholder.Object, error) {
	c, err := p.client()
	if err != nil {
		return nil, err
	}
	list := &v1alpha1.AdminUserList{}
	if err := c.List(ctx, list, client.InNamespace(p.systemNamespace)); err != nil {
		return nil, plain(err)
	}
	found := make([]keyholder.Object, len(list.Items))
	for i := range list.Items {
		found[i] = &list.Items[i]
	}
	return found, nil
}

// checkNamespace returns an error if a namespace does not exist. The API server lists a namespace that does not exist
// like an empty one. A user who may not read it gets no error.
func (p *Plugin) checkNamespace(ctx context.Context, namespace string) error {
	c, err := p.client()
	if err != nil {
		return err
	}
	found := &metav1.PartialObjectMetadata{}
	found.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	if err := c.Get(ctx, client.ObjectKey{Name: namespace}, found); apierrors.IsNotFound(err) {
		return fmt.Errorf("namespace %q does not exist", namespace)
	}
	return nil
}

// commandFor returns a command of the plugin for one object.
func commandFor(verb string, o keyholder.Object) string {
	command := "kubectl keywright " + verb + " " + argumentOf(o)
	if keyholder.KindOf(o) == keyholder.APIKey {
		command += " -n " + o.GetNamespace()
	}
	return command
}
