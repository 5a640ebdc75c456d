package cluster

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/cli/output"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/kube/keyholder"
)

func (p *Plugin) inspectCommand() *cobra.Command {
	inspect := console.Group(&cobra.Command{Use: "inspect", Short: "Look at what holds a key."})
	inspect.AddCommand(&cobra.Command{
		Use:   "secret NAME",
		Short: "Say whose key a Secret has, whether it is current, and whether its checksum is right.",
		Long: `Say whose key a Secret has, whether it is current, and whether its checksum is right.

The key itself is read from the Secret, and never printed.`,
		Example:           `  kubectl keywright inspect secret ci-api-key`,
		Args:              console.Arguments(1, 1),
		ValidArgsFunction: p.completeNames(1, secretList, true),
		RunE:              func(c *cobra.Command, args []string) error { return p.inspectSecret(c.Context(), args[0]) },
	})
	return inspect
}

// inspected is what is known of the key in a Secret.
type inspected struct {
	Secret string `json:"secret"`
	Owner  string `json:"owner"`
	KeyID  string `json:"keyID"`
	// State is current, overlapping, pending or ended, or unknown without an owner.
	State string `json:"state"`
	// Checksum is good, bad, or none for a key that a person made up.
	Checksum string `json:"checksum"`
}

func (p *Plugin) inspectSecret(ctx context.Context, name string) error {
	namespace, err := p.namespace()
	if err != nil {
		return err
	}
	c, err := p.client()
	if err != nil {
		return err
	}
	secret := &corev1.Secret{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, secret); err != nil {
		return err
	}
	all, hidden, err := p.readable(ctx, namespace)
	if err != nil {
		return err
	}
	found := inspect(secret, all)
	if hidden && namespace == p.systemNamespace && found.Owner == "" {
		p.Warnf("You may not list AdminUsers in namespace %s: the key may belong to one of them", namespace)
	}
	view := &output.View[*inspected]{
		Columns: []output.Column[*inspected]{
			{Header: "SECRET", Value: func(i *inspected) string { return i.Secret }},
			{Header: "OWNER", Value: func(i *inspected) string { return i.Owner }},
			{Header: "KEY ID", Value: func(i *inspected) string { return i.KeyID }},
			{Header: "STATE", Value: func(i *inspected) string { return i.State }},
			{Header: "CHECKSUM", Value: func(i *inspected) string { return i.Checksum }},
		},
		Name: func(i *inspected) string { return i.Secret },
	}
	return output.One(p.Stdout, p.Width(), p.format, view, found)
}

func inspect(secret *corev1.Secret, all []keyholder.Object) *inspected {
	found := &inspected{
		Secret: secret.Namespace + "/" + secret.Name, KeyID: secret.Annotations[v1alpha1.AnnotationKeyID], State: "unknown",
	}
	entry := v1alpha1.SecretKey
	for _, o := range all {
		if o.GetNamespace() != secret.Namespace || o.HolderStatus().SecretName != secret.Name {
			continue
		}
		found.Owner, found.State, entry = describe(o), "ended", dataKey(o)
		for _, k := range o.HolderStatus().Keys {
			if k.ID == found.KeyID {
				found.State = strings.ToLower(string(k.State))
			}
		}
	}
	found.Checksum = checksum(string(secret.Data[entry]))
	return found
}

// dataKey returns the entry of the Secret that has the key.
func dataKey(o keyholder.Object) string {
	var name string
	switch o := o.(type) {
	case *v1alpha1.APIKey:
		if o.Spec.Secret != nil {
			name = o.Spec.Secret.DataKey
		}
	case *v1alpha1.AdminUser:
		if o.Spec.Secret != nil {
			name = o.Spec.Secret.DataKey
		}
	}
	if name == "" {
		return v1alpha1.SecretKey
	}
	return name
}

func checksum(plaintext string) string {
	switch {
	case plaintext == "":
		return "the entry is empty"
	case keyformat.IsGenerated(plaintext):
		return "good"
	case strings.HasPrefix(plaintext, keyformat.DefaultPrefix):
		return "bad"
	}
	return "none"
}
