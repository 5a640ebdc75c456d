package revokedkeys

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/program"
)

// reportEvery is how often recurrences are reported, and how soon a failed report is tried again.
const reportEvery = 500 * time.Millisecond

// Status reports a refused key in the status of its object, with an event. In the server it is an *objects.Store.
type Status interface {
	SetRefused(ctx context.Context, id verify.ID, uid, keyID, reason string) error
	ReportRefused(ctx context.Context, id verify.ID, uid, keyID, reason, note string) error
}

// Recurrences finds the revoked keys that objects record. In the server it is a *verify.Index.
type Recurrences interface {
	TakeRecurrences() []verify.Recurrence
}

// Reporter reports revoked keys that come back, on the objects that record them.
type Reporter struct {
	From   Recurrences
	Status Status
	Log    *slog.Logger

	// failed are the recurrences to report again, in order.
	failed []verify.Recurrence
}

// Run reports until ctx ends.
func (r *Reporter) Run(ctx context.Context) {
	for program.Pause(ctx, reportEvery) {
		r.reportAll(ctx)
	}
}

func (r *Reporter) reportAll(ctx context.Context) {
	wasFailing := len(r.failed) > 0
	due := slices.Concat(r.failed, r.From.TakeRecurrences())
	r.failed = nil
	for i, one := range due {
		err := r.report(ctx, one)
		if err == nil {
			continue
		}
		// Most likely the API server is away: the others would fail as well.
		r.failed = due[i:]
		if !wasFailing && ctx.Err() == nil {
			r.Log.WarnContext(ctx, "The refusal of a revoked key can't be reported yet",
				"keyID", one.KeyID, "error", err.Error())
		}
		return
	}
}

func (r *Reporter) report(ctx context.Context, one verify.Recurrence) error {
	if one.Over {
		return r.Status.SetRefused(ctx, one.Object, one.UID, one.KeyID, "")
	}
	note := fmt.Sprintf("Key %s was revoked before and is refused for good, whatever object records it: "+
		"request a new key with annotation %s", one.KeyID, v1alpha1.AnnotationRotate)
	return r.Status.ReportRefused(ctx, one.Object, one.UID, one.KeyID, v1alpha1.ReasonRevokedKey, note)
}
