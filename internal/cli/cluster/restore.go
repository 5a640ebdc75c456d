package cluster

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/cli/cluster/archive"
	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// restoreFlags say what a restore may do.
type restoreFlags struct{ dryRun, force bool }

func (p *Plugin) restoreCommand() *cobra.Command {
	var f restoreFlags
	c := &cobra.Command{
		Use:   "restore FILE",
		Short: "Bring back what backup wrote, with status, so that the same keys are accepted.",
		Long: `Bring back what backup wrote, with status, so that the same keys are accepted.

The operator must not run meanwhile: it would issue new keys. One that is scaled to zero is
waited for, up to 30 seconds.

An object that exists with other content stays as it is, and is named; --force overwrites it.
What was restored before is left alone, so an interrupted restore is repeated by the same
command.

A pepper that exists is never lost: that of the backup becomes the active one beside it.`,
		Example: `  kubectl keywright restore keywright.json --dry-run
  kubectl keywright restore keywright.json`,
		Args: console.Arguments(1, 1),
	}
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "show what would be done, and change nothing")
	c.Flags().BoolVar(&f.force, "force", false,
		"overwrite objects that exist with other content, and restore into a cluster with keys of its own")
	c.RunE = func(c *cobra.Command, args []string) error { return p.restore(c.Context(), args[0], f) }
	return c
}

func (p *Plugin) restore(ctx context.Context, path string, f restoreFlags) error {
	text, err := p.ReadFile(path)
	if err != nil {
		return console.Usagef("%s", err)
	}
	a, err := archive.Decode(text)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if a.SystemNamespace != p.systemNamespace {
		return console.Usagef("the backup is of an installation in namespace %s: --system-namespace %s",
			a.SystemNamespace, a.SystemNamespace)
	}
	cl, err := p.client()
	if err != nil {
		return err
	}
	r := &restorer{Plugin: p, Client: cl, restoreFlags: f, Archive: a}
	if err := r.check(ctx); err != nil {
		return plain(err)
	}
	return r.run(ctx)
}

// restorer writes the objects of an archive.
type restorer struct {
	*Plugin
	client.Client
	restoreFlags
	*archive.Archive

	// namespaces are those that are known to exist.
	namespaces map[string]bool
	// done counts outcomes. kept are the objects that were left as they are.
	done   map[outcome]int
	kept   []string
	failed bool
}

// check refuses a cluster in which a restore would do harm.
func (r *restorer) check(ctx context.Context) error {
	if err := r.checkCluster(ctx); err != nil {
		return err
	}
	if err := r.warnOfPeppers(ctx); err != nil {
		return err
	}
	if r.dryRun {
		return nil
	}
	return r.checkOperator(ctx)
}

// stopLimit is how long a restore waits for an operator that is scaled to zero. Its Lease ends 15 seconds after a
// crash.
const stopLimit = 30 * time.Second

// checkOperator refuses while an operator runs. An object is created before its status is written, and in between the
// operator would issue a key. It waits for an operator that is about to stop.
func (r *restorer) checkOperator(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, stopLimit)
	defer cancel()
	for waits := false; ; waits = true {
		isStopping, err := r.findOperator(ctx)
		if !isStopping || err == nil {
			return err
		}
		if !waits {
			r.Notef("Waiting for the operator to stop")
		}
		if console.Wait(limited, lookEvery) != nil {
			return err
		}
	}
}

// findOperator returns an error if an operator runs, or is about to. isStopping is true if its Deployment is scaled to
// zero.
func (r *restorer) findOperator(ctx context.Context) (isStopping bool, err error) {
	const remedy = "stop it first: kubectl scale deployment " + operatorName + " --replicas=0 -n "
	deployment := &appsv1.Deployment{}
	err = r.Get(ctx, client.ObjectKey{Namespace: r.systemNamespace, Name: operatorName}, deployment)
	if client.IgnoreNotFound(err) != nil {
		return false, err
	}
	isThere := err == nil
	isStopping = isThere && deployment.Spec.Replicas != nil && *deployment.Spec.Replicas == 0
	d := &doctor{Plugin: r.Plugin, Client: r.Client}
	lease, err := d.operatorLease(ctx)
	if client.IgnoreNotFound(err) != nil {
		return false, err
	}
	now, err := d.serverTime(ctx)
	switch {
	case err != nil:
		return false, err
	case isHeld(lease, now):
		return isStopping, fmt.Errorf("the operator %s runs, and would issue new keys in the middle of a restore; %s%s; "+
			"after a crash its Lease ends within 15 seconds", *lease.Spec.HolderIdentity, remedy, r.systemNamespace)
	case isThere && (!isStopping || deployment.Status.Replicas > 0):
		return isStopping, fmt.Errorf("the operator is about to run, and would issue new keys in the middle of a restore; "+
			"%s%s", remedy, r.systemNamespace)
	}
	return false, nil
}

// checkCluster refuses another cluster that has keys of its own: the backup may be meant for a different one.
func (r *restorer) checkCluster(ctx context.Context) error {
	all, err := r.all(ctx)
	if err != nil {
		return err
	}
	id, err := clusterID(ctx, r)
	if err != nil || id == r.Cluster || r.force {
		return err
	}
	known := map[string]bool{}
	for _, item := range r.Items {
		if kind := item.GetKind(); kind == keyholder.AdminUser || kind == keyholder.APIKey {
			known[nameOf(item)] = true
		}
	}
	for _, o := range all {
		if len(known) > 0 && len(o.HolderStatus().Keys) > 0 && !known[describe(o)] {
			return fmt.Errorf("this is not the cluster of the backup, and it has keys of its own, such as that of %s: "+
				"is it the right one? --force restores all the same", describe(o))
		}
	}
	return nil
}

// warnOfPeppers reports keys that would be refused because neither the cluster nor the backup has their pepper.
func (r *restorer) warnOfPeppers(ctx context.Context) error {
	lacking := map[string]int{}
	for _, item := range r.Items {
		keys, _, _ := unstructured.NestedSlice(item.Object, "status", "keys")
		for _, k := range keys {
			fields, _ := k.(map[string]any)
			text, _ := fields["digest"].(string)
			if digest, err := pepper.ParseDigest(text); err == nil && digest.PepperID != pepper.Plain {
				lacking[digest.PepperID]++
			}
		}
	}
	present, err := readObject(ctx, r, secretKind, r.systemNamespace, v1alpha1.PepperSecret)
	if client.IgnoreNotFound(err) != nil {
		if !apierrors.IsForbidden(err) {
			return err
		}
		// Without the right to read it there is nothing to compare with.
		return nil
	}
	for _, secret := range append(slices.Clone(r.Items), present) {
		if secret.GetKind() == "Secret" && secret.GetName() == v1alpha1.PepperSecret {
			maps.DeleteFunc(lacking, func(id string, _ int) bool { return slices.Contains(pepperIDs(secret), id) })
		}
	}
	for _, id := range slices.Sorted(maps.Keys(lacking)) {
		r.Warnf("%d keys are refused until Secret %s/%s has their pepper %s, which is not in this backup either",
			lacking[id], r.systemNamespace, v1alpha1.PepperSecret, id)
	}
	return nil
}

// run restores one object after the other. One that fails does not hold up the others.
func (r *restorer) run(ctx context.Context) error {
	r.namespaces, r.done = map[string]bool{}, map[outcome]int{}
	for _, item := range r.Items {
		if err := r.ensureNamespace(ctx, item.GetNamespace()); err != nil {
			return plain(err)
		}
		done, err := r.restoreItem(ctx, item)
		if err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
		name := nameOf(item)
		switch {
		case err != nil:
			r.failed = true
			r.Errorf("%s: %s", name, plain(err))
		case done == differs:
			r.kept = append(r.kept, name)
		case done != unchanged:
			r.Printf("%s %s\n", name, r.said(done))
		}
		r.done[done]++
	}
	if !r.dryRun {
		if err := r.giveOwners(ctx); err != nil {
			return plain(err)
		}
	}
	return r.report()
}

func (r *restorer) said(done outcome) string {
	if r.dryRun {
		return "would be " + string(done)
	}
	return "is " + string(done)
}

func nameOf(o *unstructured.Unstructured) string {
	return o.GetKind() + " " + strings.TrimPrefix(o.GetNamespace()+"/"+o.GetName(), "/")
}

// maxNamed bounds the objects that a summary names.
const maxNamed = 20

func (r *restorer) report() error {
	if n := r.done[unchanged]; n > 0 {
		r.Notef("%d objects are as in the backup already.", n)
	}
	for _, name := range r.kept[:min(len(r.kept), maxNamed)] {
		r.Warnf("%s exists with other content, and stays as it is; --force overwrites it", name)
	}
	if more := len(r.kept) - maxNamed; more > 0 {
		r.Warnf("%d more exist with other content, and stay as they are", more)
	}
	switch {
	case r.failed:
		return fmt.Errorf("not everything was restored: repeat the command once the cause is removed")
	case r.dryRun:
	case len(r.kept) > 0:
		return console.ErrReported
	default:
		r.Notef("Now start the operator: kubectl scale deployment %s --replicas=1 -n %s", operatorName, r.systemNamespace)
	}
	return nil
}
