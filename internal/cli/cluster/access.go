package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/cli/output"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// view is the cluster as the server sees it.
type view struct {
	*verify.Verifier
	objects []keyholder.Object
}

// view reads every key, role and binding, and builds the server's index of them.
func (p *Plugin) view(ctx context.Context) (*view, error) {
	all, err := p.all(ctx)
	if err != nil {
		return nil, err
	}
	c, err := p.client()
	if err != nil {
		return nil, err
	}
	roles, bindings := &v1alpha1.AccessRoleList{}, &v1alpha1.AccessRoleBindingList{}
	if err := c.List(ctx, roles); err != nil {
		return nil, plain(err)
	}
	if err := c.List(ctx, bindings); err != nil {
		return nil, plain(err)
	}
	index := &verify.Index{}
	for i := range roles.Items {
		index.PutRole(roles.Items[i].Name, convert.Role(&roles.Items[i]))
	}
	for i := range bindings.Items {
		index.PutBinding(bindings.Items[i].Name, convert.Binding(&bindings.Items[i]))
	}
	for _, o := range all {
		object, _ := convert.KeyObject(o)
		index.Put(idOf(o), object)
	}
	return &view{verify.NewVerifier(index, keyformat.Format{}, nil), all}, nil
}

func idOf(o keyholder.Object) verify.ID {
	return verify.ID{Kind: keyholder.KindOf(o), Namespace: o.GetNamespace(), Name: o.GetName()}
}

// verdict returns the server's verdict on the current key of an object, and false if it has none.
func (v *view) verdict(o keyholder.Object, now time.Time) (verdict verify.Verdict, found bool) {
	object, _ := convert.KeyObject(o)
	for i := range object.Keys {
		if k := &object.Keys[i]; !k.Overlapping {
			return v.VerifyDigest(&k.Digest, now), true
		}
	}
	return verify.Verdict{}, false
}

func (p *Plugin) canCommand() *cobra.Command {
	var properties map[string]string
	c := &cobra.Command{
		Use:   "can KEY ACTION [RESOURCE]",
		Short: "Say whether a key may do something, and which rules decide.",
		Long: `Say whether a key may do something, and which rules decide.

The answer is that of the server for this action and resource. Exit code 1 for no.`,
		Example: `  kubectl keywright can ci certs.read
  kubectl keywright can ci certs.read certificate:42`,
		Args: console.Arguments(2, 3), ValidArgsFunction: p.completeKeys(1),
	}
	c.Flags().StringToStringVar(&properties, "property", nil, "a property of the resource, for conditions: env=prod")
	c.RunE = func(c *cobra.Command, args []string) error {
		r := access.Request{Action: args[1], Resource: access.Any, Properties: properties}
		if len(args) == 3 {
			r.Resource = args[2]
		}
		return p.can(c.Context(), args[0], r)
	}
	return c
}

// decision is the answer of can.
type decision struct {
	Allowed bool `json:"allowed"`
	// Why is one sentence for each rule or fact that decides.
	Why []string `json:"why"`
}

func (p *Plugin) can(ctx context.Context, arg string, r access.Request) error {
	o, err := p.get(ctx, arg)
	if err != nil {
		return err
	}
	v, err := p.view(ctx)
	if err != nil {
		return err
	}
	d := v.decide(o, r, p.Now())
	if !p.format.ForPeople() {
		view := &output.View[*decision]{Name: func(d *decision) string { return fmt.Sprint(d.Allowed) }}
		err = output.One(p.Stdout, 0, p.format, view, d)
	} else {
		answer := map[bool]string{true: "yes", false: "no"}
		p.Printf("%s\n", answer[d.Allowed])
		for _, line := range d.Why {
			p.Printf("  %s\n", output.Clean(line))
		}
	}
	if err == nil && !d.Allowed {
		return console.ErrReported
	}
	return err
}

func (v *view) decide(o keyholder.Object, r access.Request, now time.Time) *decision {
	verdict, found := v.verdict(o, now)
	if !found {
		return &decision{Why: []string{describe(o) + " has no key"}}
	}
	answer := v.Answer(verdict, r)
	return &decision{Allowed: answer.Allowed, Why: answer.Why}
}

func (p *Plugin) whoCanCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "who-can ACTION [RESOURCE]",
		Short: "List the keys that may do something.",
		Example: `  kubectl keywright who-can certs.read
  kubectl keywright who-can certs.read certificate:42 -o name`,
		Args: console.Arguments(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			r := access.Request{Action: args[0], Resource: access.Any}
			if len(args) == 2 {
				r.Resource = args[1]
			}
			v, err := p.view(c.Context())
			if err != nil {
				return err
			}
			out := output.NewList(p.Stdout, p.Width(), p.format, listView(p.Now))
			for _, o := range v.objects {
				verdict, found := v.verdict(o, p.Now())
				if !found || !v.May(verdict, r) {
					continue
				}
				if err := out.Print(rowOf(o)); err != nil {
					return err
				}
			}
			return out.Close()
		},
	}
}
