package gitops

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/polling"
	"github.com/fluxcd/cli-utils/pkg/kstatus/polling/engine"
	fluxobject "github.com/fluxcd/cli-utils/pkg/object"
	"github.com/fluxcd/pkg/ssa"
	"github.com/fluxcd/pkg/ssa/normalize"
	ssautil "github.com/fluxcd/pkg/ssa/utils"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// fluxGroup is the prefix of the labels and annotations of Flux's Kustomizations, and fluxManager its field manager.
const (
	fluxGroup   = "kustomize.toolkit.fluxcd.io"
	fluxManager = "kustomize-controller"
)

// Changes of a sync.
const (
	created    = ssa.CreatedAction
	configured = ssa.ConfiguredAction
	unchanged  = ssa.UnchangedAction
)

// flux syncs manifests as one Kustomization of Flux does, with prune and wait: with Flux's own engine, called as its
// kustomize-controller calls it.
type flux struct {
	name string
	// force is spec.force.
	force   bool
	manager *ssa.ResourceManager
	// inventory has the objects that were applied last, before those of the time before.
	inventory, before map[fluxobject.ObjMetadata]*unstructured.Unstructured
}

// newFlux returns a Kustomization without an inventory. readers replace kstatus for the kinds that they support, as
// spec.healthCheckExprs do.
func newFlux(readers ...engine.StatusReader) *flux {
	GinkgoHelper()
	c, err := client.New(s.Admin, client.Options{})
	Expect(err).NotTo(HaveOccurred())
	poller := polling.NewStatusPoller(c, c.RESTMapper(), polling.Options{CustomStatusReaders: readers})
	f := &flux{name: name("kustomization"), inventory: map[fluxobject.ObjMetadata]*unstructured.Unstructured{}}
	f.manager = ssa.NewResourceManager(c, poller, ssa.Owner{Field: fluxManager, Group: fluxGroup})
	f.manager.SetConcurrency(4)
	return f
}

// sync applies the manifests, prunes what is no longer among them, and waits for the rest.
func (f *flux) sync(ctx context.Context, manifests string) (*ssa.ChangeSet, error) {
	GinkgoHelper()
	changes, err := f.apply(ctx, manifests)
	if err != nil {
		return changes, err
	}
	if err := f.prune(ctx); err != nil {
		return changes, err
	}
	return changes, f.manager.WaitForSetWithContext(ctx, changes.ToObjMetadataSet(),
		ssa.WaitOptions{Interval: 100 * time.Millisecond, Timeout: time.Minute, FailFast: true})
}

// apply is the first part of a sync. If it fails, the inventory stays.
func (f *flux) apply(ctx context.Context, manifests string) (*ssa.ChangeSet, error) {
	GinkgoHelper()
	objects, err := ssautil.ReadObjects(strings.NewReader(manifests))
	Expect(err).NotTo(HaveOccurred())
	f.manager.SetOwnerLabels(objects, f.name, "flux-system")
	Expect(normalize.UnstructuredList(objects)).To(Succeed())
	changes, err := f.manager.ApplyAllStaged(ctx, objects, f.applyOptions())
	if err != nil {
		return changes, err
	}
	f.before = f.inventory
	f.inventory = map[fluxobject.ObjMetadata]*unstructured.Unstructured{}
	for _, o := range objects {
		f.inventory[fluxobject.UnstructuredToObjMetadata(o)] = o
	}
	return changes, nil
}

// applyOptions returns the options of kustomize-controller.
func (f *flux) applyOptions() ssa.ApplyOptions {
	options := ssa.DefaultApplyOptions()
	options.WaitInterval = 100 * time.Millisecond
	options.Force = f.force
	options.ExclusionSelector = map[string]string{fluxGroup + "/reconcile": "disabled", fluxGroup + "/ssa": "Ignore"}
	options.IfNotPresentSelector = map[string]string{fluxGroup + "/ssa": "IfNotPresent"}
	options.ForceSelector = map[string]string{fluxGroup + "/force": "enabled"}
	// Flux takes over the fields of these managers, whose names are prefixes, and so removes what Git does not have.
	options.Cleanup = ssa.ApplyCleanupOptions{
		Annotations: []string{
			corev1.LastAppliedConfigAnnotation, fluxGroup + "/checksum", "fluxcd.io/sync-checksum",
		},
		Labels: []string{"fluxcd.io/sync-gc-mark"},
		FieldManagers: []ssa.FieldManager{
			{Name: "kubectl", OperationType: metav1.ManagedFieldsOperationApply},
			{Name: "kubectl", OperationType: metav1.ManagedFieldsOperationUpdate},
			{Name: "before-first-apply", OperationType: metav1.ManagedFieldsOperationUpdate},
			{Name: fluxManager, OperationType: metav1.ManagedFieldsOperationUpdate},
		},
		Exclusions: map[string]string{fluxGroup + "/ssa": "Merge"},
	}
	return options
}

// prune deletes what is not in the inventory any more. What could not be deleted returns to it.
func (f *flux) prune(ctx context.Context) error {
	var stale []*unstructured.Unstructured
	for id, o := range f.before {
		if f.inventory[id] == nil {
			stale = append(stale, o)
		}
	}
	changes, err := f.manager.DeleteAll(ctx, stale, ssa.DeleteOptions{
		PropagationPolicy: metav1.DeletePropagationBackground,
		Inclusions:        f.manager.GetOwnerLabels(f.name, "flux-system"),
		Exclusions: map[string]string{
			fluxGroup + "/prune": "disabled", fluxGroup + "/reconcile": "disabled", fluxGroup + "/ssa": "Ignore",
		},
	})
	for _, entry := range changes.Entries {
		if entry.Action == ssa.UnknownAction {
			f.inventory[entry.ObjMetadata] = f.before[entry.ObjMetadata]
		}
	}
	return err
}

// synced syncs objects and expects that everything became healthy. It returns how many objects had which change.
func (f *flux) synced(ctx context.Context, objects ...client.Object) map[ssa.Action]int {
	GinkgoHelper()
	changes, err := f.sync(ctx, manifests(objects...))
	Expect(err).NotTo(HaveOccurred())
	counts := map[ssa.Action]int{}
	for action, subjects := range changes.ToGroupedMap() {
		counts[action] = len(subjects)
	}
	return counts
}

// eventuallySyncs syncs until everything is healthy, as Flux does: what is refused now is tried again.
func (f *flux) eventuallySyncs(ctx context.Context, manifests string) {
	GinkgoHelper()
	Eventually(func() error {
		_, err := f.sync(ctx, manifests)
		return err
	}).WithTimeout(patience).Should(Succeed())
}

// refused syncs objects and returns why that failed.
func (f *flux) refused(ctx context.Context, objects ...client.Object) string {
	GinkgoHelper()
	_, err := f.sync(ctx, manifests(objects...))
	Expect(err).To(HaveOccurred())
	return err.Error()
}

// manifests returns objects as they are in Git.
func manifests(objects ...client.Object) string {
	GinkgoHelper()
	var all strings.Builder
	for _, o := range objects {
		content, err := yaml.Marshal(inGit(o))
		Expect(err).NotTo(HaveOccurred())
		fmt.Fprintf(&all, "%s---\n", content)
	}
	return all.String()
}
