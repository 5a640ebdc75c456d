package issuer

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/operator/cachetrim"
)

// do carries out one step: at most one write.
func (r *run) do(ctx context.Context, plan lifecycle.Plan) error {
	switch plan.Step {
	case lifecycle.Look:
		return r.look(ctx)
	case lifecycle.Read:
		return r.read(ctx)
	case lifecycle.Record:
		return r.record(ctx, plan)
	case lifecycle.Deliver:
		return r.deliver(ctx)
	case lifecycle.Remove:
		return r.remove(ctx)
	case lifecycle.RemoveStrays:
		return r.removeStrays(ctx)
	case lifecycle.Relabel:
		return r.relabel(ctx)
	case lifecycle.Guard:
		return r.setGuard(ctx, true)
	case lifecycle.Unguard:
		return r.setGuard(ctx, false)
	case lifecycle.Release:
		return r.release(ctx)
	default:
		return r.writeStatus(ctx, plan)
	}
}

// observeCached reads what the cache has: enough to see that there is nothing to do.
func (r *run) observeCached(ctx context.Context) error {
	owned, err := r.ListOwned(ctx, r.holder.kind(), r.holder.key())
	if err != nil {
		return err
	}
	for _, secret := range owned {
		switch {
		case secret.Name == r.holder.Spec.SecretName:
			r.see(&secret, false)
		case r.holder.ownerOf(&secret) == lifecycle.Own:
			r.strays = append(r.strays, secret)
		}
	}
	return nil
}

func (r *run) look(ctx context.Context) error {
	secret := SecretMetadata()
	err := r.Live.Get(ctx, r.holder.secretKey(), secret)
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	if err != nil {
		secret = nil
	}
	r.see(secret, true)
	return nil
}

// read takes the key out of the Secret into hand. It is the one place where a Secret's content is read.
func (r *run) read(ctx context.Context) error {
	var secret corev1.Secret
	err := r.Live.Get(ctx, r.holder.secretKey(), &secret)
	if apierrors.IsNotFound(err) {
		r.see(nil, true)
		return nil
	}
	if err != nil {
		return err
	}
	metadata := SecretMetadata()
	metadata.ObjectMeta = secret.ObjectMeta
	r.see(metadata, true)
	r.observed.Content, err = r.contentOf(ctx, secret.Data[r.holder.entry()])
	return err
}

func (r *run) contentOf(ctx context.Context, data []byte) (content *lifecycle.Content, err error) {
	brought := string(data)
	r.unusable = r.format.Check(brought)
	content = &lifecycle.Content{Usable: r.unusable == nil}
	if !content.Usable {
		return content, nil
	}
	content.Key = r.hold(brought, time.Time{})
	other, err := r.othersKey(ctx, content.Key.Digest)
	if other != nil {
		content.InUse, r.inUse = true, nameOf(other)
	}
	return content, err
}

// hold takes a plaintext in hand and returns its entry for status.keys.
func (r *run) hold(plaintext string, notAfter time.Time) lifecycle.Key {
	digest := r.digest(plaintext)
	r.plaintext, r.inHand = plaintext, digest.KeyID()
	return lifecycle.Key{
		ID: digest.KeyID(), Digest: digest.String(), Prefix: r.format.Shown(plaintext),
		IssuedAt: r.issueTime(), NotAfter: notAfter, Pending: true,
	}
}

// issueTime is now, or the object's creation where that is later by another clock: a key older than its object is taken
// for one that came back from a backup.
func (r *run) issueTime() time.Time {
	now, created := r.Clock.Now().Truncate(time.Second), r.holder.Object.GetCreationTimestamp().Time
	if now.Before(created) {
		return created
	}
	return now
}

// digest uses the pepper under which the key is on record already, so that a key from before a change of pepper
// is recognised, and the active one for any other.
func (r *run) digest(plaintext string) pepper.Digest {
	for i := range r.ring.Len() {
		digest := pepper.Digest{PepperID: r.ring.ID(i), Sum: r.ring.Sum(i, plaintext)}
		if r.onRecord(digest) {
			return digest
		}
	}
	return r.ring.Digest(plaintext)
}

func (r *run) onRecord(digest pepper.Digest) bool {
	recorded := func(k v1alpha1.KeyStatus) bool { return k.Digest == digest.String() }
	return slices.ContainsFunc(r.holder.status().Keys, recorded) || slices.Contains(r.holder.status().AdoptedKeys, digest.KeyID())
}

func (r *run) record(ctx context.Context, plan lifecycle.Plan) error {
	var added lifecycle.Key
	if plan.Adopt {
		added = r.observed.Content.Key
		added.NotAfter = plan.NotAfter
	} else {
		plaintext, err := r.format.Generate(r.Random)
		if err != nil {
			return err
		}
		added = r.hold(plaintext, plan.NotAfter)
	}
	r.cause = plan.Cause
	plan.Keys = append(plan.Keys, added)
	return r.writeStatus(ctx, plan)
}

func (r *run) deliver(ctx context.Context) error {
	if err := r.succeedOwner(ctx); err != nil {
		return err
	}
	version := absentVersion
	if r.secret != nil {
		version = r.secret.ResourceVersion
	}
	secret := r.holder.applyConfiguration(r.plaintext, r.inHand, version)
	err := r.Client.Apply(ctx, secret, client.FieldOwner(v1alpha1.FieldManager), client.ForceOwnership)
	if apierrors.IsConflict(err) {
		// Somebody else was here since we looked: what is there now decides.
		r.Meter.Conflict(r.holder.kind(), "write")
		return r.look(ctx)
	}
	if err != nil {
		return err
	}
	r.secret = SecretMetadata()
	r.secret.Namespace, r.secret.Name = *secret.Namespace, *secret.Name
	r.secret.UID, r.secret.ResourceVersion = *secret.UID, *secret.ResourceVersion
	r.wrote.secret = r.secret.ResourceVersion
	r.observed = lifecycle.Secret{Owner: lifecycle.Own, KeyID: r.inHand, Intact: true, Adopt: r.observed.Adopt, Live: true}
	return nil
}

// remove deletes the Secret, if the object that decides so is the present one: one seen in a cache that lags may have
// a successor whose Secret this is.
func (r *run) remove(ctx context.Context) error {
	living, err := r.livingUID(ctx, r.holder.kind(), r.holder.key())
	if err != nil {
		return err
	}
	if living != r.holder.Object.GetUID() {
		return apierrors.NewConflict(v1alpha1.SchemeGroupVersion.WithResource(r.holder.kind()).GroupResource(), r.holder.Object.GetName(), errSucceeded)
	}
	if err := r.DeleteSecret(ctx, r.secret); err != nil {
		return err
	}
	r.see(nil, true)
	return nil
}

func (r *run) removeStrays(ctx context.Context) error {
	for i := range r.strays {
		if err := r.DeleteSecret(ctx, &r.strays[i]); err != nil {
			return err
		}
	}
	r.strays = nil
	return nil
}

func (r *run) relabel(ctx context.Context) error {
	patch, err := json.Marshal(r.holder.metadataPatch(r.secret, cachetrim.Owned(r.secret.ManagedFields)))
	if err != nil {
		return err
	}
	secret := SecretMetadata()
	secret.Namespace, secret.Name = r.secret.Namespace, r.secret.Name
	err = r.Client.Patch(ctx, secret, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(v1alpha1.FieldManager))
	if err == nil {
		r.see(secret, true)
		r.wrote.secret = secret.ResourceVersion
	}
	return err
}
