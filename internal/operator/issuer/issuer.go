package issuer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/operator/keysource"
	"keywright.dev/keywright/internal/operator/secretwait"
)

const (
	// maxSteps ends a loop that a bug would make endless. No sequence of decisions comes near it.
	maxSteps = 20
	// pollForeign is how often a Secret that is not Keywright's is checked again: it is not in the cache.
	// Messages name it.
	pollForeign = time.Minute
	// retryConflict is the delay before a write is retried that conflicted with another writer.
	retryConflict = 50 * time.Millisecond
)

// Issuer issues keys. It is safe for concurrent use on different objects.
type Issuer struct {
	// Client reads the metadata of Secrets from a cache of those that Keywright wrote.
	Client client.Client
	// Live reads from the API server.
	Live    client.Reader
	Events  events.EventRecorder
	Peppers keysource.Peppers
	Formats keysource.Formats
	// Bootstrap may be nil.
	Bootstrap keysource.Bootstrap
	Clock     clock.PassiveClock
	// Random is crypto/rand.Reader outside tests.
	Random io.Reader
	// Metrics may be nil.
	Metrics *Metrics
	// Waiter watches Secrets of others that are in the way. It may be nil: then an object is reconciled again only after
	// a while.
	Waiter *secretwait.Waiter

	backoff      backoff
	expectations expectations
}

// Run does everything for one object that can be done now, and returns when to run again. A conflict with
// another writer is not an error: the object is reconciled again. After any other failure the object is left
// alone for a while, unless its spec changes.
func (i *Issuer) Run(ctx context.Context, t *Target) (reconcile.Result, error) {
	if wait := i.backoff.remaining(t, i.Clock.Now()); wait > 0 {
		return reconcile.Result{RequeueAfter: wait}, nil
	}
	result, err := i.runOnce(ctx, t)
	if errors.Is(err, errCacheBehind) {
		return reconcile.Result{}, nil
	}
	i.backoff.record(t, err, i.Clock.Now())
	return result, err
}

func (i *Issuer) runOnce(ctx context.Context, t *Target) (reconcile.Result, error) {
	ring, err := i.Peppers.Keyring()
	switch {
	case errors.Is(err, keysource.ErrPepperPending):
		// The controller that reads the pepper enqueues this object again.
		return reconcile.Result{}, nil
	case err != nil:
		t.Blocked = &Finding{Reason: v1alpha1.ReasonPepperLost, Message: err.Error()}
	}
	if t.Blocked == nil && !lifecycle.AllowsSecretType(string(t.contents().typeOrOpaque())) {
		t.Blocked = &Finding{Reason: v1alpha1.ReasonForbiddenType, Message: fmt.Sprintf(
			"spec.secret.type %s is a type of Kubernetes itself, which may be a credential: write Opaque, %s, "+
				"or a type of another domain.", t.Secret.Type, v1alpha1.SecretTypeBasicAuth)}
	}
	format, err := i.Formats.Format()
	switch {
	case errors.Is(err, keysource.ErrFormatPending):
		// The controller that reads the configuration enqueues this object again.
		return reconcile.Result{}, nil
	case err != nil:
		return reconcile.Result{}, err
	}
	r := &run{issuer: i, target: t, ring: ring, format: format}
	if err := r.observeCached(ctx); err != nil {
		return reconcile.Result{}, err
	}
	if !i.expectations.met(t, r.secret) {
		return reconcile.Result{}, errCacheBehind
	}
	defer func() { i.expectations.record(t, r.written) }()
	return r.untilDone(ctx)
}
