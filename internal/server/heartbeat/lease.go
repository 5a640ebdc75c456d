package heartbeat

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	coordinationac "k8s.io/client-go/applyconfigurations/coordination/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
)

// released is the holder of a released Lease.
const released = ""

// write creates or updates the Lease. A restarted container takes over the Lease of its Pod.
func (r *Reporter) write(ctx context.Context, timeout time.Duration, holder string) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	options := metav1.ApplyOptions{FieldManager: v1alpha1.ServerFieldManager, Force: true}
	_, err := r.leases.Apply(ctx, r.lease(holder), options)
	return err
}

func (r *Reporter) lease(holder string) *coordinationac.LeaseApplyConfiguration {
	spec := coordinationac.LeaseSpec().
		WithHolderIdentity(holder).
		WithLeaseDurationSeconds(int32(leaseDuration.Seconds())).
		WithAcquireTime(metav1.NewMicroTime(r.started)).
		WithRenewTime(metav1.NewMicroTime(r.options.Clock.Now()))
	lease := coordinationac.Lease(r.name, r.options.Namespace).
		WithLabels(v1alpha1.ServerLeaseLabels()).
		WithSpec(spec)
	if revision := r.options.Configuration.Revision(); revision != "" {
		lease.WithAnnotations(map[string]string{v1alpha1.AnnotationConfiguration: revision})
	}
	if r.options.Pod != "" && r.options.PodUID != "" {
		lease.WithOwnerReferences(r.pod())
	}
	return lease
}

// pod makes the garbage collector delete the Lease with its Pod.
func (r *Reporter) pod() *metav1ac.OwnerReferenceApplyConfiguration {
	return metav1ac.OwnerReference().
		WithAPIVersion("v1").
		WithKind("Pod").
		WithName(r.options.Pod).
		WithUID(types.UID(r.options.PodUID))
}
