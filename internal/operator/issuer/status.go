package issuer

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// writeStatus writes the status of a plan, then counts and reports the change.
func (r *run) writeStatus(ctx context.Context, plan lifecycle.Plan) error {
	before, err := r.patchStatus(ctx, func() { r.setStatus(plan) })
	if err == nil && before != nil {
		r.report(plan, before)
	}
	return err
}

// patchStatus writes the effect of change, if it has any, and returns the status before it, or nil if nothing
// was written. The API server refuses the write if the object has changed since it was read: a decision never
// overwrites what it did not take into account.
func (r *run) patchStatus(ctx context.Context, change func()) (before *v1alpha1.KeyHolderStatus, err error) {
	object := r.target.Object
	original := object.DeepCopyObject().(keyholder.Object)
	before = original.HolderStatus().DeepCopy()
	change()
	r.markRevoked()
	r.identify()
	if equality.Semantic.DeepEqual(original, object) {
		return nil, nil
	}
	patch := client.MergeFromWithOptions(original, client.MergeFromWithOptimisticLock{})
	err = r.issuer.Client.Status().Patch(ctx, object, patch, client.FieldOwner(v1alpha1.FieldManager))
	if err != nil {
		resetStatus(object, original)
		return nil, err
	}
	r.written.object = object.GetResourceVersion()
	return before, nil
}

// markRevoked records when state Revoked was first seen. From then on every key is refused, whatever the state.
func (r *run) markRevoked() {
	if key, ok := r.target.Object.(*v1alpha1.APIKey); ok && key.IsRevoked() && key.Status.RevokedAt == nil {
		key.Status.RevokedAt = &metav1.Time{Time: r.issuer.Clock.Now().Truncate(time.Second)}
	}
}

// identify records, once, the id of an AdminUser's user and the owner of an APIKey.
func (r *run) identify() {
	switch o := r.target.Object.(type) {
	case *v1alpha1.AdminUser:
		o.Status.ID = o.UserID()
	case *v1alpha1.APIKey:
		if o.Status.Owner == nil && r.target.OwnerID != "" {
			boundAt := metav1.NewTime(r.issuer.Clock.Now().Truncate(time.Second))
			o.Status.Owner = &v1alpha1.KeyOwner{ID: r.target.OwnerID, BoundAt: boundAt}
		}
	}
}

// dropOwner removes the owner of an APIKey, so that identify records the present one.
func (r *run) dropOwner() {
	if key, ok := r.target.Object.(*v1alpha1.APIKey); ok {
		key.Status.Owner = nil
	}
}

// resetStatus gives an object the status that it had before a write that failed.
func resetStatus(object, original keyholder.Object) {
	switch o := object.(type) {
	case *v1alpha1.AdminUser:
		o.Status = original.(*v1alpha1.AdminUser).Status
	case *v1alpha1.APIKey:
		o.Status = original.(*v1alpha1.APIKey).Status
	}
}

func (r *run) setStatus(plan lifecycle.Plan) {
	t := r.target
	s := t.status()
	s.ObservedGeneration = t.Object.GetGeneration()
	if t.Spec.Revoked {
		s.RevokedDigests = appendRevoked(s.RevokedDigests, s.Keys)
	}
	r.setKeys(plan)
	if t.Blocked == nil {
		// Otherwise nothing is issued, and not everything that applies is known.
		s.Effective = effectiveOf(t)
	}
	recordLosses(s, plan.Losses)
	switch plan.Step {
	case lifecycle.Record:
		s.LastRotateRequest = t.Spec.RotateRequest
		if t.Spec.SecretName != s.SecretName {
			s.OtherSecrets = appendOther(s.OtherSecrets, t.Spec.SecretName)
		}
		if plan.Adopt {
			s.AdoptedKeyIDs = appendAdopted(s.AdoptedKeyIDs, r.plaintextID)
		}
	case lifecycle.Rebind:
		r.dropOwner()
	case lifecycle.Settle, lifecycle.Rest, lifecycle.Stall:
		if t.Spec.ByAPI || t.OwnerGone {
			// The request is refused with an event, once. Admission checks a later one against condition Ready, which from
			// now on shows that the owner is gone.
			s.LastRotateRequest = t.Spec.RotateRequest
		}
		s.OtherSecrets = r.otherSecrets(plan)
		// An object that stalls on its way to another Secret still has the former one.
		if plan.Step != lifecycle.Stall || s.SecretName == t.Spec.SecretName {
			s.SecretName = ""
		}
		if plan.Delivered {
			s.SecretName = t.Spec.SecretName
		}
		s.NextRotationAt = convert.TimeOf(plan.NextRotation)
	}
	r.setConditions(readinessOf(r, plan))
}

// setKeys records the keys of a plan, and gives up the pending keys that are not among them.
func (r *run) setKeys(plan lifecycle.Plan) {
	s := r.target.status()
	dropped := droppedKeys(s.Keys, plan.Keys)
	s.AdoptedKeyIDs = slices.DeleteFunc(slices.Clone(s.AdoptedKeyIDs), func(id string) bool {
		return slices.Contains(dropped, id)
	})
	if plan.Step == lifecycle.Stall && len(dropped) > 0 {
		// The key that was requested does not come. The request stands.
		s.LastRotateRequest = ""
	}
	s.Keys = convert.KeyStatuses(plan.Keys)
}

// effectiveOf returns the defaults and limits that apply to a key that is issued now.
func effectiveOf(t *Target) *v1alpha1.Effective {
	applied := &v1alpha1.Effective{Overlap: convert.DurationOf(t.Spec.Overlap)}
	bounds := t.Spec.Bounds()
	if ttl, from := bounds.Lifetime(); ttl > 0 {
		applied.TTL, applied.TTLFrom = convert.DurationOf(ttl), bounds.Named(from)
	}
	return applied
}

// otherSecrets returns what status.otherSecrets holds after a plan that issues nothing: the strays that are left. A
// stall leaves them for later.
func (r *run) otherSecrets(plan lifecycle.Plan) (others []string) {
	left := r.strays()
	if plan.Step == lifecycle.Stall {
		left = r.target.status().OtherSecrets
	}
	for _, name := range left {
		if !slices.Contains(r.removed, name) {
			others = appendOther(others, name)
		}
	}
	return others
}

// maxOther is how many names status.otherSecrets has room for.
const maxOther = 16

func appendOther(names []string, name string) []string {
	if slices.Contains(names, name) {
		return names
	}
	names = append(slices.Clone(names), name)
	return names[max(0, len(names)-maxOther):]
}

// droppedKeys returns the ids of the pending keys that are given up. They never were the current key: one that was
// brought may be adopted later.
func droppedKeys(before []v1alpha1.KeyStatus, kept []lifecycle.Key) (ids []string) {
	for _, k := range before {
		isKept := slices.ContainsFunc(kept, func(other lifecycle.Key) bool { return other.ID == k.ID })
		if k.State == v1alpha1.KeyPending && !isKept {
			ids = append(ids, k.ID)
		}
	}
	return ids
}

// maxAdopted is how many adopted key ids status keeps: enough for a person who edits keys by hand.
const maxAdopted = 16

func appendAdopted(ids []string, id string) []string {
	ids = append(slices.Clone(ids), id)
	return ids[max(0, len(ids)-maxAdopted):]
}

// maxRevoked is how many digests of revoked keys status keeps: as many as there may be keys.
const maxRevoked = 32

func appendRevoked(digests []string, revoked []v1alpha1.KeyStatus) []string {
	for i := range revoked {
		if digest := revoked[i].Digest; !slices.Contains(digests, digest) {
			digests = append(slices.Clone(digests), digest)
		}
	}
	return digests[max(0, len(digests)-maxRevoked):]
}

// maxFailure bounds the text of a failure in status: an API server may quote a whole object in it.
const maxFailure = 1000

// reportRetry reports a failure in the object's conditions and, the first time, in an event.
func (r *run) reportRetry(ctx context.Context, failure error) error {
	before, err := r.patchStatus(ctx, func() {
		r.target.status().ObservedGeneration = r.target.Object.GetGeneration()
		finding := Finding{v1alpha1.ReasonRetrying, fmt.Sprintf("%.*s", maxFailure, failure)}
		r.setConditions(readiness{Finding: finding, state: reconciling})
	})
	if err == nil && before != nil {
		r.emitRetry(before)
	}
	return client.IgnoreNotFound(err)
}
