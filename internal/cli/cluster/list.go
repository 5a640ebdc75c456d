package cluster

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/cli/output"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// row is a key in a list.
type row struct {
	Kind      string       `json:"kind"`
	Namespace string       `json:"namespace"`
	Name      string       `json:"name"`
	Subject   string       `json:"subject"`
	Active    string       `json:"active"`
	Reason    string       `json:"reason"`
	Expires   *metav1.Time `json:"expiresAt,omitempty"`
	Rotates   *metav1.Time `json:"nextRotationAt,omitempty"`
	LastUsed  *metav1.Time `json:"lastUsedAt,omitempty"`
	Secret    string       `json:"secretName,omitempty"`
	created   metav1.Time
}

func rowOf(o keyholder.Object) *row {
	status := o.HolderStatus()
	r := &row{
		Kind: keyholder.KindOf(o), Namespace: o.GetNamespace(), Name: o.GetName(), Subject: subjectOf(o), Active: "Unknown",
		Rotates: status.NextRotationAt, LastUsed: status.Usage.LastUsedAt, Secret: status.SecretName,
		created: o.GetCreationTimestamp(),
	}
	if k := status.CurrentKey(); k != nil {
		r.Expires = k.ExpiresAt
	}
	if active := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionActive); active != nil {
		r.Active, r.Reason = string(active.Status), active.Reason
	}
	return r
}

func listView(now func() time.Time) *output.View[*row] {
	return &output.View[*row]{
		Columns: []output.Column[*row]{
			{Header: "NAMESPACE", Value: func(r *row) string { return r.Namespace }},
			{Header: "KIND", Value: func(r *row) string { return r.Kind }},
			{Header: "NAME", Value: func(r *row) string { return r.Name }},
			{Header: "SUBJECT", Value: func(r *row) string { return r.Subject }},
			{Header: "ACTIVE", Value: func(r *row) string { return r.Active }},
			{Header: "REASON", Value: func(r *row) string { return r.Reason }},
			{Header: "EXPIRES", Value: func(r *row) string { return short(r.Expires, now()) }},
			{Header: "LAST USED", Value: func(r *row) string { return short(r.LastUsed, now()) }},
			{Header: "ROTATES", Wide: true, Value: func(r *row) string { return short(r.Rotates, now()) }},
			{Header: "SECRET", Wide: true, Value: func(r *row) string { return r.Secret }},
		},
		Name: func(r *row) string {
			if r.Kind == keyholder.AdminUser {
				return "adminuser/" + r.Name
			}
			return "apikey/" + r.Name
		},
		Identity: func(r *row) string { return r.Kind + "/" + r.Namespace + "/" + r.Name },
		Empty:    "No keys found.",
	}
}

// listFlags choose keys.
type listFlags struct {
	expiring, unused     string
	allNamespaces, watch bool
	expiringIn, unusedIn time.Duration
}

func (p *Plugin) listCommand() *cobra.Command {
	var f listFlags
	c := &cobra.Command{
		Use:   "list",
		Short: "List keys: those of a namespace, and AdminUsers.",
		Example: `  kubectl keywright list
  kubectl keywright list -A --expiring 7d
  kubectl keywright list -A --unused 90d -o wide`,
		Args: console.Arguments(0, 0),
	}
	c.Flags().BoolVarP(&f.allNamespaces, "all-namespaces", "A", false, "keys of all namespaces")
	c.Flags().StringVar(&f.expiring, "expiring", "",
		"only keys that end within this time, unless a rotation replaces them before: 7d")
	c.Flags().StringVar(&f.unused, "unused", "", "only keys without a use for this time: 90d")
	c.Flags().BoolVarP(&f.watch, "watch", "w", false, "go on, and print what changes")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := f.complete(); err != nil {
			return err
		}
		return p.list(c.Context(), &f)
	}
	return c
}

func (f *listFlags) complete() (err error) {
	if f.expiring != "" {
		if f.expiringIn, err = parseSpan("expiring", f.expiring); err != nil {
			return err
		}
	}
	if f.unused != "" {
		f.unusedIn, err = parseSpan("unused", f.unused)
	}
	return err
}

func (f *listFlags) matches(r *row, now time.Time) bool {
	if f.expiring != "" {
		if r.Expires == nil || r.Expires.Sub(now) > f.expiringIn || r.Rotates != nil && r.Rotates.Before(r.Expires) {
			return false
		}
	}
	if f.unused == "" {
		return true
	}
	last := r.created.Time
	if r.LastUsed != nil {
		last = r.LastUsed.Time
	}
	return now.Sub(last) >= f.unusedIn
}

func (p *Plugin) list(ctx context.Context, f *listFlags) error {
	namespace, err := p.namespace()
	if err != nil {
		return err
	}
	if f.allNamespaces {
		namespace = ""
	}
	out, warned := output.NewList(p.Stdout, p.Width(), p.format, listView(p.Now)), false
	return console.List(ctx, out, f.watch, console.Wait, func(yield func(*row, error) bool) {
		all, hidden, err := p.listed(ctx, namespace)
		if err != nil {
			yield(nil, err)
			return
		}
		if hidden && !warned {
			warned = true
			p.Warnf("AdminUsers are left out: you may not list them in namespace %s", p.systemNamespace)
		}
		for _, o := range all {
			if r := rowOf(o); f.matches(r, p.Now()) && !yield(r, nil) {
				return
			}
		}
	})
}

// listed is readable, and an error for a namespace that does not exist.
func (p *Plugin) listed(ctx context.Context, namespace string) (all []keyholder.Object, hidden bool, err error) {
	all, hidden, err = p.readable(ctx, namespace)
	ofNamespace := func(o keyholder.Object) bool { return keyholder.KindOf(o) == keyholder.APIKey }
	if err == nil && namespace != "" && !slices.ContainsFunc(all, ofNamespace) {
		err = p.checkNamespace(ctx, namespace)
	}
	return all, hidden, err
}
