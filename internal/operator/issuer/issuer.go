package issuer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/operator/meter"
)

const (
	// maxSteps is far more than any sequence of decisions takes; it ends a loop that a bug would make endless.
	maxSteps = 20
	// pollForeign is how often a Secret that is not Keywright's is looked at again: it is in no cache. Messages name it.
	pollForeign = time.Minute
	// retryConflict is how soon a write is tried again that lost against somebody else's.
	retryConflict = 50 * time.Millisecond
)

// Peppers gives the keyring to digest new keys with.
type Peppers interface {
	// Keyring returns ErrPepperPending until it is known, and any other error when the pepper is lost or broken:
	// its text says what a person can do.
	Keyring() (*pepper.Keyring, error)
}

// ErrPepperPending means that the pepper has not been read yet.
var ErrPepperPending = errors.New("the pepper has not been read yet")

// Formats gives the form of new keys.
type Formats interface {
	// Format returns ErrFormatPending until it is known.
	Format() (keyformat.Format, error)
}

// ErrFormatPending means that the configuration, which says how keys begin, has not been read yet.
var ErrFormatPending = errors.New("the form of keys is not known yet")

// Issuer issues keys. It is safe for concurrent use on different objects.
type Issuer struct {
	// Client reads Secrets' metadata from a cache of those that Keywright wrote.
	Client client.Client
	// Live reads from the API server itself.
	Live    client.Reader
	Events  Recorder
	Peppers Peppers
	Formats Formats
	Clock   clock.PassiveClock
	// Random is crypto/rand.Reader outside tests.
	Random io.Reader
	// Meter may be nil.
	Meter *meter.Meter

	pace    pace
	written written
}

// Run does for one object all that can be done now, and says when to come back. A conflict with another writer is
// no error: the object is looked at again. After any other failure it is left alone for a while, unless it asks for
// something else.
func (i *Issuer) Run(ctx context.Context, h *Holder) (reconcile.Result, error) {
	if wait := i.pace.wait(h, i.Clock.Now()); wait > 0 {
		return reconcile.Result{RequeueAfter: wait}, nil
	}
	result, err := i.try(ctx, h)
	if errors.Is(err, errBehind) {
		return reconcile.Result{}, nil
	}
	i.pace.note(h, err, i.Clock.Now())
	return result, err
}

func (i *Issuer) try(ctx context.Context, h *Holder) (reconcile.Result, error) {
	ring, err := i.Peppers.Keyring()
	switch {
	case errors.Is(err, ErrPepperPending):
		// The pepper's own controller asks for this object again when it has read it.
		return reconcile.Result{}, nil
	case err != nil:
		h.Block = &Finding{Reason: v1alpha1.ReasonPepperLost, Message: err.Error()}
	}
	format, err := i.Formats.Format()
	switch {
	case errors.Is(err, ErrFormatPending):
		// As above: who reads the configuration asks for this object again.
		return reconcile.Result{}, nil
	case err != nil:
		return reconcile.Result{}, err
	}
	r := &run{Issuer: i, holder: h, ring: ring, format: format}
	if err := r.observeCached(ctx); err != nil {
		return reconcile.Result{}, err
	}
	if i.written.behind(h, r.secret) {
		return reconcile.Result{}, errBehind
	}
	defer func() { i.written.note(h, r.wrote) }()
	return r.untilDone(ctx)
}

// untilDone asks for a decision and carries it out until there is nothing left to do.
func (r *run) untilDone(ctx context.Context) (reconcile.Result, error) {
	for range maxSteps {
		plan, err := r.decide(ctx)
		if err != nil {
			return reconcile.Result{}, err
		}
		if err := r.do(ctx, plan); err != nil {
			return r.failed(ctx, plan, err)
		}
		switch {
		case plan.Step.Ends():
			return r.comeBack(plan), nil
		case plan.Step == lifecycle.Unguard && r.holder.Spec.Deleted:
			// Nothing keeps the object any more.
			return reconcile.Result{}, nil
		}
	}
	return reconcile.Result{}, fmt.Errorf("%s %s did not come to rest in %d steps", r.holder.kind(), r.holder.key(), maxSteps)
}

// failed tells on the object what could not be written. The next try starts from what is then recorded.
func (r *run) failed(ctx context.Context, plan lifecycle.Plan, err error) (reconcile.Result, error) {
	if apierrors.IsConflict(err) {
		r.Meter.Conflict(r.holder.kind(), "write")
		return reconcile.Result{RequeueAfter: retryConflict}, nil
	}
	if apierrors.IsNotFound(err) {
		// The object is gone, or its namespace: its deletion is an event of its own.
		return reconcile.Result{}, nil
	}
	err = r.redact(fmt.Errorf("%s: %w", plan.Step, err))
	if ctx.Err() == nil {
		err = errors.Join(err, r.reportRetry(ctx, err))
	}
	return reconcile.Result{}, err
}

func (r *run) comeBack(plan lifecycle.Plan) reconcile.Result {
	var wait time.Duration
	if !plan.WakeAt.IsZero() {
		wait = max(plan.WakeAt.Sub(r.Clock.Now()), time.Millisecond)
	}
	if polled(plan.Stall) && (wait == 0 || wait > pollForeign) {
		wait = pollForeign
	}
	return reconcile.Result{RequeueAfter: wait}
}

// polled says whether the stall may end by a change to a Secret that is not watched, or to another object that has the
// same key.
func polled(cause lifecycle.StallCause) bool {
	switch cause {
	case lifecycle.SecretConflict, lifecycle.InvalidKey, lifecycle.RetiredKey, lifecycle.KeyInUse, lifecycle.KeyTaken:
		return true
	}
	return false
}
