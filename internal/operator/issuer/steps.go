package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/operator/cachetrim"
)

// do carries out one step, which is at most one write.
func (r *run) do(ctx context.Context, plan lifecycle.Plan) error {
	switch plan.Step {
	case lifecycle.Look:
		return r.readMetadata(ctx)
	case lifecycle.Read:
		return r.readKey(ctx)
	case lifecycle.Try:
		return r.tryDelivery(ctx)
	case lifecycle.Record:
		return r.recordKey(ctx, plan)
	case lifecycle.Deliver:
		return r.deliver(ctx)
	case lifecycle.Remove:
		return r.removeSecret(ctx)
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
	case lifecycle.Rebind:
		return r.rebind(ctx, plan)
	case lifecycle.Note:
		r.noted = true
		return r.writeStatus(ctx, plan)
	case lifecycle.Settle, lifecycle.Drop, lifecycle.Amend, lifecycle.Await, lifecycle.Stall, lifecycle.Rest:
		return r.writeStatus(ctx, plan)
	}
	return fmt.Errorf("unknown step %d", int(plan.Step))
}

// observeCached reads the Secrets from the cache, which is enough to find that nothing has to be done.
func (r *run) observeCached(ctx context.Context) error {
	owned, err := r.issuer.ListOwned(ctx, r.target.kind(), r.target.key())
	if err != nil {
		return err
	}
	for _, secret := range owned {
		if secret.Name == r.target.Spec.SecretName {
			r.setSecret(&secret, false)
		}
	}
	return nil
}

// readMetadata reads the Secret's metadata from the API server.
func (r *run) readMetadata(ctx context.Context) error {
	secret, err := r.issuer.liveMetadata(ctx, r.target.secretKey())
	if err == nil {
		r.setSecret(secret, true)
	}
	return err
}

// liveMetadata reads the metadata of a Secret from the API server. It returns nil for a missing Secret.
func (i *Issuer) liveMetadata(ctx context.Context, key client.ObjectKey) (*metav1.PartialObjectMetadata, error) {
	secret := SecretMetadata()
	err := i.Live.Get(ctx, key, secret)
	if err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return secret, nil
}

// readKey reads the key from the Secret. No other code reads the content of a key's Secret.
func (r *run) readKey(ctx context.Context) error {
	var secret corev1.Secret
	err := r.issuer.Live.Get(ctx, r.target.secretKey(), &secret)
	if apierrors.IsNotFound(err) {
		r.setSecret(nil, true)
		return nil
	}
	if err != nil {
		return err
	}
	metadata := SecretMetadata()
	metadata.ObjectMeta = secret.ObjectMeta
	r.setSecret(metadata, true)
	r.foundType = v1alpha1.SecretType(secret.Type)
	r.observed.Mistyped = r.target.mistypes(r.foundType, cachetrim.Owned(secret.ManagedFields))
	r.observed.Content, err = r.contentOf(ctx, &secret)
	return err
}

// errNoEntry means that the Secret lacks the entry that is to hold the key.
var errNoEntry = errors.New("is missing")

func (r *run) contentOf(ctx context.Context, secret *corev1.Secret) (content *lifecycle.Content, err error) {
	value, found := secret.Data[r.target.dataKey()]
	plaintext := string(value)
	r.unusable, r.entries = r.format.Check(plaintext), slices.Sorted(maps.Keys(secret.Data))
	if !found {
		r.unusable = errNoEntry
	}
	content = &lifecycle.Content{Usable: r.unusable == nil}
	if !content.Usable {
		return content, nil
	}
	content.Key = r.holdKey(plaintext, time.Time{})
	if first := r.firstIssue(secret, plaintext); first.Before(content.Key.IssuedAt) {
		content.Key.FirstIssuedAt = first
	}
	for i := range r.ring.Forms() {
		digest := r.ring.Form(i, plaintext)
		user, err := r.otherUserOf(ctx, digest.String())
		if err != nil {
			return nil, err
		}
		if user != "" {
			content.InUse, r.usedBy = true, user
		}
	}
	return content, nil
}

// firstIssue returns when the key in a Secret was first issued, as the Secret records it, or zero.
func (r *run) firstIssue(secret *corev1.Secret, plaintext string) time.Time {
	recorded := secret.Annotations[v1alpha1.AnnotationKeyID]
	for i := range r.ring.Forms() {
		digest := r.ring.Form(i, plaintext)
		if digest.KeyID() != recorded {
			continue
		}
		// Keywright did not write a text that can't be read.
		first, _ := time.Parse(time.RFC3339, secret.Annotations[v1alpha1.AnnotationIssuedAt])
		return first
	}
	return time.Time{}
}

// holdKey keeps a plaintext for delivery and returns its entry for status.keys.
func (r *run) holdKey(plaintext string, expiresAt time.Time) lifecycle.Key {
	digest := r.digest(plaintext)
	r.plaintext, r.plaintextID = plaintext, digest.KeyID()
	created := r.target.Object.GetCreationTimestamp().Time
	return lifecycle.Key{
		ID: digest.KeyID(), Digest: digest.String(), Prefix: r.format.Shown(plaintext),
		IssuedAt: lifecycle.IssueTime(r.issuer.Clock.Now(), created), ExpiresAt: expiresAt,
		State: lifecycle.StatePending,
	}
}

// digest uses the pepper with which the key is recorded already, so that a key from before a change of pepper is
// recognized. For other keys it uses the active pepper.
func (r *run) digest(plaintext string) pepper.Digest {
	for i := range r.ring.Forms() {
		digest := r.ring.Form(i, plaintext)
		if r.isRecorded(digest) {
			return digest
		}
	}
	return r.ring.Digest(plaintext)
}

func (r *run) isRecorded(digest pepper.Digest) bool {
	status := r.target.status()
	hasDigest := func(k v1alpha1.KeyStatus) bool { return k.Digest == digest.String() }
	return slices.ContainsFunc(status.Keys, hasDigest) || slices.Contains(status.AdoptedKeyIDs, digest.KeyID())
}

// recordKey writes a pending key into status: the one read from the Secret, or a generated one.
func (r *run) recordKey(ctx context.Context, plan lifecycle.Plan) error {
	var added lifecycle.Key
	if plan.Adopt {
		added = r.observed.Content.Key
		added.ExpiresAt = plan.ExpiresAt
	} else {
		plaintext, err := r.format.Generate(r.issuer.Random)
		if err != nil {
			return err
		}
		added = r.holdKey(plaintext, plan.ExpiresAt)
	}
	r.cause, r.losses = plan.Cause, plan.Losses
	plan.Keys = append(plan.Keys, added)
	return r.writeStatus(ctx, plan)
}

// rebind writes a status without keys and with the present user as the owner.
func (r *run) rebind(ctx context.Context, plan lifecycle.Plan) error {
	r.target.Refused, r.target.Blocked = nil, nil
	return r.writeStatus(ctx, plan)
}

// deliver writes the plaintext into the version of the Secret that was read before the key was recorded. After a
// conflict the run has to end: the status is not up to date either, and another operator may have delivered its key.
func (r *run) deliver(ctx context.Context) error {
	if err := r.replaceOwner(ctx); err != nil {
		return err
	}
	secret := r.target.applyConfiguration(r.plaintext, r.plaintextID, r.secret)
	if since := r.sinceInHand(); !since.IsZero() {
		secret.WithAnnotations(map[string]string{v1alpha1.AnnotationIssuedAt: since.UTC().Format(time.RFC3339)})
	}
	err := r.issuer.Client.Apply(ctx, secret, client.FieldOwner(v1alpha1.FieldManager), client.ForceOwnership)
	if r.secret != nil && isTypeConflict(err) {
		r.observed.Mistyped = true
		return nil
	}
	if err != nil {
		return err
	}
	r.secret = SecretMetadata()
	r.secret.Namespace, r.secret.Name = *secret.Namespace, *secret.Name
	r.secret.UID, r.secret.ResourceVersion, r.secret.Labels = *secret.UID, *secret.ResourceVersion, secret.Labels
	r.written.secret = r.secret.ResourceVersion
	r.observed = lifecycle.Secret{
		Owner: lifecycle.Own, KeyID: r.plaintextID, Intact: true, Adopt: r.observed.Adopt, Live: true,
	}
	return nil
}

// sinceInHand returns the instant from which the lifetime of the key in hand counts, as status records it.
func (r *run) sinceInHand() time.Time {
	for _, k := range convert.Keys(r.target.status().Keys) {
		if k.ID == r.plaintextID {
			return k.Since()
		}
	}
	return time.Time{}
}

// relabel sets the Secret's labels, its annotations and the entries beside the key, without touching the key.
func (r *run) relabel(ctx context.Context) error {
	patch, err := json.Marshal(r.target.metadataPatch(r.secret, cachetrim.Owned(r.secret.ManagedFields)))
	if err != nil {
		return err
	}
	secret, err := r.issuer.patchSecret(ctx, r.secret, patch)
	if err == nil {
		r.setSecret(secret, true)
		// A webhook may have changed it again. The event of this write triggers the next attempt.
		r.observed.Outdated = false
		r.written.secret = secret.ResourceVersion
	}
	return err
}
