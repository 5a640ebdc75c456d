package tokenusage

import (
	"context"
	"fmt"
	"time"

	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/usage"
)

// Repricing is what to compute again.
type Repricing struct {
	// Since selects the records of calls from this instant on.
	Since time.Time
	// DryRun computes the costs and stores nothing.
	DryRun bool
}

var errRepricing = &manage.Error{
	Kind: manage.Conflict, Text: "Another repricing runs: wait for its end, or run it again",
}

// Reprice computes the costs of stored records again, with the prices of now for the time of each call. It leaves costs
// that reporters gave, and those of models whose price is unknown by now. It needs the right to read all usage too: the
// result has what all of it cost.
//
// If ctx ends, the records so far have their new costs, and the next call continues.
func (s *Service) Reprice(
	ctx context.Context, caller manage.Caller, read manage.Read[Repricing],
) (result usage.Repriced, err error) {
	var r Repricing
	defer func() { s.recordRepricing(ctx, caller, r, &result, err) }()
	if !s.may(caller, ActionRead, ActionWrite) {
		return result, errMayNotRead
	}
	if r, err = read.By(s.Gate, caller, errMayNotRead); err != nil {
		return result, err
	}
	if !s.repricing.TryLock() {
		return result, errRepricing
	}
	defer s.repricing.Unlock()
	result, err = s.Store.Reprice(ctx, r.Since, r.DryRun, s.reprice)
	return result, failed(err)
}

// reprice sets the cost and the price of a record, if the price is known.
func (s *Service) reprice(r *usage.Record) {
	again := *r
	again.Cost, again.Price = nil, ""
	if s.Pricer != nil {
		s.Pricer.Price(&again)
	}
	if again.Cost != nil {
		r.Cost, r.Price = again.Cost, again.Price
	}
}

// recordRepricing writes the audit entry. A dry run changes nothing, and a refused caller without a key leaves no
// entry, or anonymous requests could fill the audit trail.
func (s *Service) recordRepricing(
	ctx context.Context, caller manage.Caller, r Repricing, result *usage.Repriced, err error,
) {
	if caller.Caller == nil || manage.Is(err, manage.Forbidden) && caller.KeyID == "" || err == nil && r.DryRun {
		return
	}
	e := audit.Entry{
		Actor: caller.Subject, KeyID: caller.KeyID, From: caller.From, Action: audit.UsageReprice, Target: "TokenUsage",
		Outcome: manage.Outcome(err), Reason: caller.Reason,
		Detail: fmt.Sprintf("since %s: %d of %d records changed, from $%s to $%s in all",
			r.Since.UTC().Format(time.RFC3339), result.Changed, result.Records, result.Before, result.After),
	}
	if err != nil {
		e.Detail = err.Error()
	}
	s.Trail.Record(ctx, e)
}
