package cluster

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/cli/output"
	"keywright.dev/keywright/internal/kube/keyholder"
)

func (p *Plugin) explainRevokeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "explain-revoke KEY",
		Short: "Say what stops working when a key is revoked.",
		Long: `Say what stops working when a key is revoked.

It reports the last use on record, the Secrets of the namespace that have the key,
copies included, and the Pods that use these Secrets. It reads Secrets and Pods as you
may, and prints no key.`,
		Example: `  kubectl keywright explain-revoke ci`,
		Args:    console.Arguments(1, 1), ValidArgsFunction: p.completeKeys(1),
		RunE: func(c *cobra.Command, args []string) error { return p.explainRevoke(c.Context(), args[0]) },
	}
}

// consequences are what the revocation of a key stops.
type consequences struct {
	Object   string   `json:"object"`
	Subject  string   `json:"subject"`
	LastUsed string   `json:"lastUsed"`
	Secrets  []string `json:"secrets"`
	Pods     []string `json:"pods"`
}

func (p *Plugin) explainRevoke(ctx context.Context, arg string) error {
	o, err := p.get(ctx, arg)
	if err != nil {
		return err
	}
	found := &consequences{
		Object: describe(o), Subject: subjectOf(o), LastUsed: instant(o.HolderStatus().Usage.LastUsedAt, p.Now()),
		Secrets: []string{}, Pods: []string{},
	}
	if err := p.findUsers(ctx, o, found); err != nil {
		return err
	}
	if !p.format.ForPeople() {
		view := &output.View[*consequences]{Name: func(c *consequences) string { return c.Object }}
		return output.One(p.Stdout, 0, p.format, view, found)
	}
	none := func(list []string) string {
		if len(list) == 0 {
			return "none"
		}
		return strings.Join(list, ", ")
	}
	if found.LastUsed == "" {
		found.LastUsed = "none on record"
	}
	p.Printf("%s", output.Clean(found.Object+" speaks as "+found.Subject)+"\n")
	p.Printf("Last use: %s\nSecrets with the key: %s\nPods that use these Secrets: %s\n", found.LastUsed,
		output.Clean(none(found.Secrets)), output.Clean(none(found.Pods)))
	if keyholder.KindOf(o) == keyholder.AdminUser {
		p.Printf("To stop it: %s\n", commandFor("disable", o))
	} else {
		p.Printf("To revoke it: %s\n", commandFor("revoke", o))
	}
	return nil
}

// findUsers finds the Secrets of the object's namespace that have its key, and the Pods that use them.
func (p *Plugin) findUsers(ctx context.Context, o keyholder.Object, found *consequences) error {
	c, err := p.client()
	if err != nil {
		return err
	}
	secrets, pods := &corev1.SecretList{}, &corev1.PodList{}
	if err := c.List(ctx, secrets, client.InNamespace(o.GetNamespace())); err != nil {
		return err
	}
	if err := c.List(ctx, pods, client.InNamespace(o.GetNamespace())); err != nil {
		return err
	}
	found.Secrets = append(found.Secrets, withKey(secrets.Items, o)...)
	for i := range pods.Items {
		if slices.ContainsFunc(found.Secrets, func(name string) bool { return uses(&pods.Items[i].Spec, name) }) {
			found.Pods = append(found.Pods, pods.Items[i].Name)
		}
	}
	return nil
}

// withKey returns the names of the Secrets that have the key of an object in any entry.
func withKey(secrets []corev1.Secret, o keyholder.Object) []string {
	var plaintext []byte
	for i := range secrets {
		if secrets[i].Name == o.HolderStatus().SecretName {
			plaintext = secrets[i].Data[dataKey(o)]
		}
	}
	if len(plaintext) == 0 {
		return nil
	}
	var names []string
	for i := range secrets {
		for _, value := range secrets[i].Data {
			if bytes.Contains(value, plaintext) {
				names = append(names, secrets[i].Name)
				break
			}
		}
	}
	return names
}

// uses reports whether a Pod mounts a Secret, or has it in its environment.
func uses(spec *corev1.PodSpec, secret string) bool {
	for i := range spec.Volumes {
		v := &spec.Volumes[i]
		if v.Secret != nil && v.Secret.SecretName == secret {
			return true
		}
		if v.Projected != nil && slices.ContainsFunc(v.Projected.Sources, func(s corev1.VolumeProjection) bool {
			return s.Secret != nil && s.Secret.Name == secret
		}) {
			return true
		}
	}
	return slices.ContainsFunc(slices.Concat(spec.InitContainers, spec.Containers), func(c corev1.Container) bool {
		return slices.ContainsFunc(c.EnvFrom, func(e corev1.EnvFromSource) bool {
			return e.SecretRef != nil && e.SecretRef.Name == secret
		}) || slices.ContainsFunc(c.Env, func(e corev1.EnvVar) bool {
			return e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil && e.ValueFrom.SecretKeyRef.Name == secret
		})
	})
}
