package cluster

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
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
	return o, plain(c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, o))
}

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

// all returns every AdminUser, and the APIKeys of a namespace; "" stands for all namespaces.
func (p *Plugin) all(ctx context.Context, namespace string) ([]keyholder.Object, error) {
	c, err := p.client()
	if err != nil {
		return nil, err
	}
	keys, users := &v1alpha1.APIKeyList{}, &v1alpha1.AdminUserList{}
	if err := c.List(ctx, keys, client.InNamespace(namespace)); err != nil {
		return nil, plain(err)
	}
	if err := c.List(ctx, users, client.InNamespace(p.systemNamespace)); err != nil {
		return nil, plain(err)
	}
	found := make([]keyholder.Object, 0, len(keys.Items)+len(users.Items))
	for i := range users.Items {
		found = append(found, &users.Items[i])
	}
	for i := range keys.Items {
		found = append(found, &keys.Items[i])
	}
	return found, nil
}

// completeKeys offers the names of keys.
func (p *Plugin) completeKeys(c *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	namespace, err := p.namespace()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	all, err := p.all(c.Context(), namespace)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, o := range all {
		name := o.GetName()
		if keyholder.KindOf(o) == keyholder.AdminUser {
			name = "adminuser/" + name
		}
		if strings.HasPrefix(name, begun) {
			names = append(names, name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
