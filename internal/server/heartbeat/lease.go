package heartbeat

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	coordinationac "k8s.io/client-go/applyconfigurations/coordination/v1"
	metaac "k8s.io/client-go/applyconfigurations/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
)

// nobody holds a Lease that was released.
const nobody = ""

// write makes the Lease, or brings it up to date, whoever wrote it before: a container that was restarted goes on with
// that of its Pod.
func (p *Presence) write(ctx context.Context, timeout time.Duration, holder string) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	_, err := p.leases.Apply(ctx, p.lease(holder), metav1.ApplyOptions{FieldManager: v1alpha1.ServerFieldManager, Force: true})
	return err
}

// lease is what there is to say now.
func (p *Presence) lease(holder string) *coordinationac.LeaseApplyConfiguration {
	spec := coordinationac.LeaseSpec().
		WithHolderIdentity(holder).
		WithLeaseDurationSeconds(int32(leaseDuration.Seconds())).
		WithAcquireTime(metav1.NewMicroTime(p.began)).
		WithRenewTime(metav1.NewMicroTime(p.options.Clock.Now()))
	lease := coordinationac.Lease(p.name, p.options.Namespace).WithLabels(v1alpha1.ServerLeaseLabels()).WithSpec(spec)
	if revision := p.options.Revision(); revision != "" {
		lease.WithAnnotations(map[string]string{v1alpha1.AnnotationConfiguration: revision})
	}
	if p.options.Pod != "" && p.options.PodUID != "" {
		lease.WithOwnerReferences(p.pod())
	}
	return lease
}

// pod has the garbage collector take the Lease away with the Pod.
func (p *Presence) pod() *metaac.OwnerReferenceApplyConfiguration {
	return metaac.OwnerReference().WithAPIVersion("v1").WithKind("Pod").WithName(p.options.Pod).WithUID(types.UID(p.options.PodUID))
}
