package cluster

import (
	"context"
	"encoding/json"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// patch changes an object by a merge patch.
func (p *Plugin) patch(ctx context.Context, o keyholder.Object, change map[string]any) error {
	c, err := p.client()
	if err != nil {
		return err
	}
	text, err := json.Marshal(change)
	if err != nil {
		return err
	}
	patch, owner := client.RawPatch(types.MergePatchType, text), client.FieldOwner(v1alpha1.IncidentFieldManager)
	return plain(c.Patch(ctx, o, patch, owner))
}

// each does something for each object that is named. One that fails does not hold up the others.
func (p *Plugin) each(ctx context.Context, args []string, do func(keyholder.Object) error) error {
	failed := false
	for _, arg := range args {
		o, err := p.get(ctx, arg)
		if err == nil {
			err = do(o)
		}
		if err != nil && len(args) == 1 {
			return err
		}
		if err != nil {
			failed = true
			p.Errorf("%s: %s", arg, err)
		}
	}
	if failed {
		return console.ErrReported
	}
	return nil
}

func delivery(o keyholder.Object) v1alpha1.Delivery {
	if u, isUser := o.(*v1alpha1.AdminUser); isUser {
		return u.Spec.Delivery
	}
	return o.(*v1alpha1.APIKey).Spec.Delivery
}

func (p *Plugin) rotateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "rotate KEY...",
		Short: "Ask the operator for a new key. The old one is accepted until its overlap ends.",
		Example: `  kubectl keywright rotate ci
  kubectl keywright rotate adminuser/oncall`,
		Args: console.Arguments(1, -1), ValidArgsFunction: p.completeKeys(-1),
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		return p.each(c.Context(), args, func(o keyholder.Object) error {
			if delivery(o) == v1alpha1.DeliveryResponse {
				return console.Usagef("%s was issued by the server, which alone can rotate it: keywright keys rotate %s",
					describe(o), o.GetUID())
			}
			request := map[string]any{v1alpha1.AnnotationRotate: p.Now().UTC().Format(time.RFC3339Nano)}
			change := map[string]any{"metadata": map[string]any{"annotations": request}}
			if err := p.patch(c.Context(), o, change); err != nil {
				return err
			}
			p.Printf("%s: asked for a new key\n", describe(o))
			return nil
		})
	}
	return c
}

// stateCommand sets spec.state.
func (p *Plugin) stateCommand(verb string, state v1alpha1.State) *cobra.Command {
	texts := map[v1alpha1.State]string{
		v1alpha1.StateActive:   "Accept the keys of an object again.",
		v1alpha1.StateDisabled: "Refuse the keys of an object, until it is enabled again.",
		v1alpha1.StateRevoked:  "Refuse the keys of an APIKey at once and for good. The object stays as the record.",
	}
	var force bool
	c := &cobra.Command{
		Use:               verb + " KEY...",
		Short:             texts[state],
		Example:           "  kubectl keywright " + verb + " ci",
		Args:              console.Arguments(1, -1),
		ValidArgsFunction: p.completeKeys(-1),
	}
	if state == v1alpha1.StateRevoked {
		c.Example += " --force"
		c.Flags().BoolVar(&force, "force", false, "do not ask")
	} else {
		c.Example += "\n  kubectl keywright " + verb + " adminuser/oncall"
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		return p.each(c.Context(), args, func(o keyholder.Object) error {
			return p.setState(c.Context(), o, state, force)
		})
	}
	return c
}

func (p *Plugin) setState(ctx context.Context, o keyholder.Object, state v1alpha1.State, force bool) error {
	if state == v1alpha1.StateRevoked {
		if err := p.confirmRevocation(o, force); err != nil {
			return err
		}
	}
	if err := p.patch(ctx, o, map[string]any{"spec": map[string]any{"state": state}}); err != nil {
		return err
	}
	p.Printf("%s: %s\n", describe(o), state)
	if tool := managedBy(o); tool != "" {
		p.Warnf("%s manages this object: set spec.state: %s in its manifest, too", tool, state)
	}
	return nil
}

func (p *Plugin) confirmRevocation(o keyholder.Object, force bool) error {
	if keyholder.KindOf(o) == keyholder.AdminUser {
		return console.Usagef("%s can be disabled or deleted, not revoked", describe(o))
	}
	if force {
		return nil
	}
	yes, err := p.Confirm("Revoke " + describe(o) + " for good?")
	if err == nil && !yes {
		p.Notef("Nothing was revoked.")
		err = console.ErrReported
	}
	return err
}

// managedBy returns the GitOps tool that applies an object, or "".
func managedBy(o keyholder.Object) string {
	for name := range o.GetLabels() {
		switch name {
		case "kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name":
			return "Flux"
		case "argocd.argoproj.io/instance":
			return "Argo CD"
		}
	}
	if _, found := o.GetAnnotations()["argocd.argoproj.io/tracking-id"]; found {
		return "Argo CD"
	}
	return ""
}
