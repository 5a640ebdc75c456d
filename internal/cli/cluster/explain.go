package cluster

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/internal/cli"
	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/cli/output"
	"keywright.dev/keywright/internal/kube/keyholder"
)

func (p *Plugin) explainRevokeCommand() *cobra.Command {
	var server string
	c := &cobra.Command{
		Use:   "explain-revoke KEY",
		Short: "Report what stops working when a key is revoked.",
		Long: `Report what stops working when a key is revoked.

It reports the last use on record, the Secrets of the namespace that have the key,
copies included, and the Pods that use these Secrets. It reads Secrets and Pods as you
may, and prints no key.

With a server it also reports the addresses from which the key was used, and the
entries of the audit trail about the key and of operations with it. The server is a
profile or a URL, as for keywright, and so is the key: $KEYWRIGHT_API_KEY or that of
the profile, which needs the right audit.read.`,
		Example: `  kubectl keywright explain-revoke ci
  kubectl keywright explain-revoke ci --keywright-server "$KEYWRIGHT_SERVER"`,
		Args: console.Arguments(1, 1), ValidArgsFunction: p.completeKeys(1),
	}
	addServerFlag(c, &server)
	c.RunE = func(c *cobra.Command, args []string) error { return p.explainRevoke(c.Context(), args[0], server) }
	return c
}

// addServerFlag adds the flag for the server of Keywright. --server is kubectl's, for the API server.
func addServerFlag(c *cobra.Command, server *string) {
	c.Flags().StringVar(server, "keywright-server", "", "profile or URL of the server of Keywright ($"+cli.EnvServer+")")
}

// consequences are what the revocation of a key stops.
type consequences struct {
	Object   string `json:"object"`
	Subject  string `json:"subject"`
	LastUsed string `json:"lastUsed"`
	// Secrets and Pods are null if the user may not list them.
	Secrets []string `json:"secrets"`
	Pods    []string `json:"pods"`
	// Server is null without a server.
	Server *record `json:"server"`
}

func (p *Plugin) explainRevoke(ctx context.Context, arg, server string) error {
	asked, err := cli.Open(ctx, p.Console, p.Version, server)
	if err != nil && !errors.Is(err, cli.ErrNoServer) {
		return err
	}
	o, err := p.get(ctx, arg)
	if err != nil {
		return err
	}
	found := &consequences{
		Object: describe(o), Subject: subjectOf(o), LastUsed: instant(o.HolderStatus().Usage.LastUsedAt, p.Now()),
	}
	if err := p.findUsers(ctx, o, found); err != nil {
		return err
	}
	var unknown error
	if asked != nil {
		found.Server, unknown = recordOf(ctx, asked, o)
	}
	if err := p.printConsequences(o, found, asked == nil); err != nil {
		return err
	}
	if unknown != nil {
		p.Errorf("the server %s: %s", asked.URL, unknown)
		return console.ErrReported
	}
	return nil
}

func (p *Plugin) printConsequences(o keyholder.Object, found *consequences, noServer bool) error {
	if !p.format.ForPeople() {
		view := &output.View[*consequences]{Name: func(c *consequences) string { return c.Object }}
		return output.One(p.Stdout, 0, p.format, view, found)
	}
	say := func(format string, args ...any) { p.Printf("%s\n", output.Clean(fmt.Sprintf(format, args...))) }
	say("%s speaks as %s", found.Object, found.Subject)
	say("Last use: %s", cmp.Or(found.LastUsed, "none on record"))
	say("Secrets with the key: %s", namesOf(found.Secrets))
	say("Pods that use these Secrets: %s", namesOf(found.Pods))
	switch {
	case found.Server != nil:
		found.Server.print(say)
	case noServer:
		say("Addresses and the audit trail: not known without a server (--keywright-server, or $%s)", cli.EnvServer)
	}
	if keyholder.KindOf(o) == keyholder.AdminUser {
		say("To stop it: %s", commandFor("disable", o))
	} else {
		say("To revoke it: %s", commandFor("revoke", o))
	}
	return nil
}

func namesOf(list []string) string {
	switch {
	case list == nil:
		return "unknown, you may not list them"
	case len(list) == 0:
		return "none"
	}
	return strings.Join(list, ", ")
}

// findUsers finds the Secrets of the object's namespace that have its key, and the Pods that use them.
func (p *Plugin) findUsers(ctx context.Context, o keyholder.Object, found *consequences) error {
	c, err := p.client()
	if err != nil {
		return err
	}
	in := client.InNamespace(o.GetNamespace())
	secrets, pods := &corev1.SecretList{}, &corev1.PodList{}
	switch err := c.List(ctx, secrets, in); {
	case apierrors.IsForbidden(err):
		// Without the Secrets nothing is known of the Pods.
		return nil
	case err != nil:
		return err
	}
	found.Secrets = withKey(secrets.Items, o)
	switch err := c.List(ctx, pods, in); {
	case apierrors.IsForbidden(err):
		return nil
	case err != nil:
		return err
	}
	found.Pods = []string{}
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
	names := []string{}
	if len(plaintext) == 0 {
		return names
	}
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
