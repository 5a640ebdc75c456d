package issuer

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// run is one pass over one object: what was observed, what was written and, in memory only, the key being
// delivered.
type run struct {
	issuer *Issuer
	target *Target
	ring   *pepper.Keyring
	// format stays the same for the whole run, even if the configuration changes meanwhile.
	format keyformat.Format

	// secret is the metadata of the Secret that the spec names, nil if it does not exist. observed is its
	// translation.
	secret   *metav1.PartialObjectMetadata
	observed lifecycle.Secret
	// removed are the names of Secrets of strays that this run has deleted.
	removed []string

	plaintext string
	// plaintextID is the key id of plaintext.
	plaintextID string
	cause       lifecycle.Cause
	losses      lifecycle.Losses
	// noted: this run has recorded that another writer changed the Secret.
	noted bool
	// unusable is why the key in a Secret to adopt cannot be used, and entries are the names of all entries.
	unusable error
	entries  []string
	// foundType is the type of a Secret that was read.
	foundType v1alpha1.SecretType
	// refusal is why the API server refuses a write of this run for good.
	refusal error
	// immutable: the refusal is that the Secret is immutable.
	immutable bool
	// usedBy names the other object that records the key.
	usedBy  string
	written versions
}

// setSecret records the Secret as observed. A nil secret does not exist.
func (r *run) setSecret(secret *metav1.PartialObjectMetadata, live bool) {
	r.secret, r.observed = secret, r.target.observe(secret)
	r.observed.Live = live
}

// untilDone asks for decisions and carries them out until nothing is left to do.
func (r *run) untilDone(ctx context.Context) (reconcile.Result, error) {
	for range maxSteps {
		plan, err := r.decide(ctx)
		if err != nil {
			return reconcile.Result{}, err
		}
		err = r.do(ctx, plan)
		if r.refusal == nil && isRefusal(err) {
			// The next decision is to report it.
			r.refusal, r.immutable = r.redact(fmt.Errorf("%s: %w", written(plan.Step), err)), isImmutable(err)
			continue
		}
		if err != nil {
			return r.handleFailure(ctx, plan, err)
		}
		switch {
		case plan.Step.Ends():
			return r.resultOf(plan), nil
		case plan.Step == lifecycle.Rebind:
			// The target describes the former owner.
			return reconcile.Result{RequeueAfter: time.Millisecond}, nil
		case plan.Step == lifecycle.Unguard && r.target.Spec.Deleted:
			// The object is gone now that its finalizer is.
			return reconcile.Result{}, nil
		}
	}
	return reconcile.Result{}, fmt.Errorf("%s %s is not done after %d steps", r.target.kind(), r.target.key(), maxSteps)
}

func (r *run) decide(ctx context.Context) (lifecycle.Plan, error) {
	t := r.target
	r.observed.Strays = len(r.strays()) > 0
	keys, err := r.recordedKeys(ctx)
	if err != nil {
		return lifecycle.Plan{}, err
	}
	t.Spec.Blocked, t.Spec.AwaitUntil = t.Blocked != nil, r.awaitUntil()
	t.Spec.Observed = t.status().ObservedGeneration == t.Object.GetGeneration()
	r.observed.Noted = r.noted
	return lifecycle.Decide(lifecycle.Facts{
		Now: r.issuer.Clock.Now(), Spec: t.Spec, Secret: r.observed, InHand: r.plaintextID, Refused: r.refusal != nil,
		Status: lifecycle.Status{
			Keys: keys, SecretName: t.status().SecretName, Restored: t.restored(keys), Guarded: t.guarded(),
			Losses:            lossesOf(t.status()),
			Fighting:          isStalledFor(t.status(), v1alpha1.ReasonSecretConflict),
			Refused:           isStalledFor(t.status(), v1alpha1.ReasonWriteRefused),
			LastRotateRequest: t.status().LastRotateRequest, AdoptedKeyIDs: t.status().AdoptedKeyIDs,
		},
	}), nil
}

// recordedKeys returns status.keys, with Dead or Refused set on those that the server refuses, and Shared on those that
// a younger object records, too.
func (r *run) recordedKeys(ctx context.Context) ([]lifecycle.Key, error) {
	keys := convert.RecordedKeys(r.target.status())
	for i := range keys {
		k := &keys[i]
		if !r.hasPepperOf(k) {
			k.Dead = lifecycle.PepperGone
			continue
		}
		other, err := r.otherWithKey(ctx, k.Digest)
		switch {
		case err != nil:
			return nil, err
		case r.isBootstrap(k.Digest):
			k.Dead, r.usedBy = lifecycle.Taken, bootstrapKey
		case other == nil:
		case keyholder.Older(other, r.target.Object):
			k.Dead, r.usedBy = lifecycle.Taken, nameOf(other)
		default:
			k.Shared = true
		}
	}
	return keys, nil
}

// bootstrapKey is how messages name the bootstrap key, which counts as older than every object.
const bootstrapKey = "the instance, as its present or a former bootstrap key"

func (r *run) isBootstrap(digest string) bool {
	return r.issuer.Bootstrap != nil && r.issuer.Bootstrap.IsBootstrap(digest)
}

// otherUserOf names what else has the key of this digest: the bootstrap key or another object. Empty: nothing has.
func (r *run) otherUserOf(ctx context.Context, digest string) (string, error) {
	if r.isBootstrap(digest) {
		return bootstrapKey, nil
	}
	other, err := r.otherWithKey(ctx, digest)
	if other == nil {
		return "", err
	}
	return nameOf(other), err
}

// hasPepperOf reports whether the keyring has the pepper of the key. Without a keyring it assumes so.
func (r *run) hasPepperOf(k *lifecycle.Key) bool {
	digest, err := pepper.ParseDigest(k.Digest)
	return r.ring == nil || err == nil && r.ring.Has(digest.PepperID)
}

// otherWithKey returns the oldest other object that records this digest, or nil.
func (r *run) otherWithKey(ctx context.Context, digest string) (oldest keyholder.Object, err error) {
	having, err := keyholder.WithDigest(ctx, r.issuer.Client, digest)
	for _, other := range having {
		if other.GetUID() != r.target.Object.GetUID() && (oldest == nil || keyholder.Older(other, oldest)) {
			oldest = other
		}
	}
	return oldest, err
}

// nameOf is how messages name an object.
func nameOf(o keyholder.Object) string {
	return fmt.Sprintf("%s %s/%s", keyholder.KindOf(o), o.GetNamespace(), o.GetName())
}

// restored reports whether the current key was issued before the object was created: both came back from a backup.
func (t *Target) restored(keys []lifecycle.Key) bool {
	current := lifecycle.Current(keys)
	return current != nil && current.IssuedAt.Before(t.Object.GetCreationTimestamp().Time)
}

// apiTimeout is how long the API may take from creating an object, or from making a user an admin again, to
// issuing the key.
const apiTimeout = 10 * time.Second

// awaitUntil returns until when to wait for the API to issue the key, at once or when its link is claimed. It is zero
// when the API did not create the object, or did not issue a key in time.
func (r *run) awaitUntil() time.Time {
	t := r.target
	if !t.Spec.ByAPI || t.Object.GetLabels()[v1alpha1.LabelCreatedBy] != v1alpha1.CreatedByAPI {
		return time.Time{}
	}
	if until := t.claimUntil(); !until.IsZero() {
		return until
	}
	return r.waitUntil(v1alpha1.ReasonIssuing, v1alpha1.ReasonAwaitingKey, apiTimeout)
}

// handleFailure reports a failed step in the object's status. The next run starts from what is recorded.
func (r *run) handleFailure(ctx context.Context, plan lifecycle.Plan, err error) (reconcile.Result, error) {
	if apierrors.IsConflict(err) {
		r.issuer.Metrics.conflict(r.target.kind(), conflictWrite)
		return reconcile.Result{RequeueAfter: retryConflict}, nil
	}
	if apierrors.IsNotFound(err) {
		// The object or its namespace is gone. The deletion triggers its own reconcile.
		return reconcile.Result{}, nil
	}
	err = r.redact(fmt.Errorf("%s: %w", plan.Step, err))
	if ctx.Err() == nil {
		err = errors.Join(err, r.reportRetry(ctx, err))
	}
	return reconcile.Result{}, err
}

// redact removes the plaintext from an error, in every form in which the API server may quote it.
func (r *run) redact(err error) error {
	if r.plaintext == "" {
		return err
	}
	quoted := strconv.Quote(r.plaintext)
	encoded := base64.StdEncoding.EncodeToString([]byte(r.plaintext))
	const marker = keyformat.Redacted
	replacer := strings.NewReplacer(r.plaintext, marker, quoted[1:len(quoted)-1], marker, encoded, marker)
	text := replacer.Replace(err.Error())
	if text == err.Error() {
		return err
	}
	return errors.New(text)
}

// resultOf returns when to run again after a plan that ends the run.
func (r *run) resultOf(plan lifecycle.Plan) reconcile.Result {
	now := r.issuer.Clock.Now()
	var wait time.Duration
	atMost := func(d time.Duration) {
		if wait == 0 || d < wait {
			wait = max(d, time.Millisecond)
		}
	}
	if !plan.WakeAt.IsZero() {
		atMost(plan.WakeAt.Sub(now))
	}
	if within := r.target.WithinBudget; within != nil && !within.Until.IsZero() {
		atMost(within.Until.Sub(now))
	}
	if plan.Step == lifecycle.Stall {
		if until := r.graceUntil(plan.Stall, stallFinding(r, plan.Stall).Reason); now.Before(until) {
			atMost(until.Sub(now))
		}
	}
	if needsPolling(plan.Stall) {
		atMost(pollForeign)
		r.issuer.Waiter.Await(r.target.Object, r.secret)
	}
	return reconcile.Result{RequeueAfter: wait}
}

// needsPolling reports whether the stall may end without an event: by a change to a Secret that is not watched, to
// another object that records the same key, or to a policy that refuses a write.
func needsPolling(cause lifecycle.StallCause) bool {
	switch cause {
	case lifecycle.SecretConflict, lifecycle.TypeConflict, lifecycle.InvalidKey, lifecycle.RetiredKey,
		lifecycle.KeyInUse, lifecycle.KeyTaken, lifecycle.WriteRefused:
		return true
	}
	return false
}
