package issuer

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// run is one pass over one object: what has been observed and, in memory only, the key being delivered.
type run struct {
	*Issuer
	holder *Holder
	ring   *pepper.Keyring
	// format is the same from the first step to the last, whatever becomes of the setting meanwhile.
	format keyformat.Format

	// secret is the metadata of the Secret the spec names, nil when there is none; observed says what it means.
	secret   *metav1.PartialObjectMetadata
	observed lifecycle.Secret
	// strays are Secrets written for this object under names the spec no longer asks for.
	strays []metav1.PartialObjectMetadata

	plaintext string
	inHand    string
	cause     lifecycle.Cause
	// unusable says what is wrong with the key of a Secret to be adopted, inUse whose a key is already.
	unusable error
	inUse    string
	wrote    versions
}

// see takes note of the Secret. A nil secret is one that does not exist.
func (r *run) see(secret *metav1.PartialObjectMetadata, live bool) {
	r.secret, r.observed = secret, r.holder.observe(secret)
	r.observed.Live = live
}

// errSucceeded says that another object has the name of the one a decision was made for.
var errSucceeded = errors.New("another object has its name now")

func (r *run) decide(ctx context.Context) (lifecycle.Plan, error) {
	h := r.holder
	r.observed.Strays = len(r.strays) > 0
	keys, err := r.recordedKeys(ctx)
	if err != nil {
		return lifecycle.Plan{}, err
	}
	h.Spec.Blocked, h.Spec.AwaitUntil = h.Block != nil, r.awaitUntil()
	return lifecycle.Decide(lifecycle.Facts{
		Now: r.Clock.Now(), Spec: h.Spec, Secret: r.observed, InHand: r.inHand,
		Status: lifecycle.Status{
			Keys: keys, SecretName: h.status().SecretName, Restored: h.olderThanItself(keys), Guarded: h.guarded(),
			LastRotateRequest: h.status().LastRotateRequest, AdoptedKeys: h.status().AdoptedKeys,
		},
	}), nil
}

// recordedKeys is status.keys, and which of them let nobody in.
func (r *run) recordedKeys(ctx context.Context) ([]lifecycle.Key, error) {
	keys := readKeys(r.holder.status().Keys)
	for i := range keys {
		k := &keys[i]
		if !r.knows(k) {
			k.Dead = lifecycle.PepperGone
			continue
		}
		other, err := r.othersKey(ctx, k.Digest)
		if err != nil {
			return nil, err
		}
		if other != nil && keyholder.Older(other, r.holder.Object) {
			k.Dead, r.inUse = lifecycle.Taken, nameOf(other)
		}
	}
	return keys, nil
}

// othersKey is the oldest other object that has this digest on record, or nil.
func (r *run) othersKey(ctx context.Context, digest string) (oldest keyholder.Object, err error) {
	having, err := keyholder.Having(ctx, r.Client, digest)
	for _, other := range having {
		if other.GetUID() != r.holder.Object.GetUID() && (oldest == nil || keyholder.Older(other, oldest)) {
			oldest = other
		}
	}
	return oldest, err
}

// nameOf is how a message names an object.
func nameOf(o keyholder.Object) string {
	return fmt.Sprintf("%s %s/%s", keyholder.KindOf(o), o.GetNamespace(), o.GetName())
}

// olderThanItself: the current key was issued before the object was made.
func (h *Holder) olderThanItself(keys []lifecycle.Key) bool {
	current := lifecycle.Current(keys)
	return current != nil && current.IssuedAt.Before(h.Object.GetCreationTimestamp().Time)
}

// knows says whether the key's pepper is at hand. With no keyring at all nothing can be said.
func (r *run) knows(k *lifecycle.Key) bool {
	digest, err := pepper.ParseDigest(k.Digest)
	return r.ring == nil || err == nil && r.ring.Knows(digest.PepperID)
}

// redact keeps the key in hand out of an error, in whatever form the API server quotes it.
func (r *run) redact(err error) error {
	if r.plaintext == "" {
		return err
	}
	const hidden = "[redacted]"
	quoted := strconv.Quote(r.plaintext)
	encoded := base64.StdEncoding.EncodeToString([]byte(r.plaintext))
	text := strings.NewReplacer(r.plaintext, hidden, quoted[1:len(quoted)-1], hidden, encoded, hidden).Replace(err.Error())
	if text == err.Error() {
		return err
	}
	return errors.New(text)
}
