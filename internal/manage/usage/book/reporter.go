package book

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"keywright.dev/keywright/internal/auth/budget"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/program"
)

const (
	// reportEvery is how often budgets that are used up are reported, and how soon a failed report is tried again.
	reportEvery = time.Second
	// maxReports bounds the reports of one round, which share the API server with everything else. After maxFailures in a
	// row the rest waits for the next round.
	maxReports, maxFailures = 20, 3
	// maxWaiting bounds the keys that wait to be reported. One without room waits for a later request.
	maxWaiting = 10_000
	// maxReported bounds the memory of what was reported. Without it, a report that changes nothing costs one read.
	maxReported = 10_000
)

// Status records budgets that are used up on the APIKeys whose requests they refuse or warn of, with events. In the
// server it is an *objects.Store.
type Status interface {
	// ReportBudgets writes only what is not recorded yet, and does nothing if the object is gone.
	ReportBudgets(ctx context.Context, id verify.ID, uid string, reached []budget.Reached, at time.Time) error
}

// Reporter reports budgets that are used up, once for each key, budget and period. It is safe for concurrent use. Run
// must run beside it.
type Reporter struct {
	status Status
	now    func() time.Time
	log    *slog.Logger

	mu sync.Mutex
	// waiting has the last request of each object that waits, by the object's uid.
	waiting map[string]verify.OverBudget

	// reported has the budgets that were last reported, by uid, and failing is true while reports fail. Only Run uses
	// them.
	reported map[string][]budget.Reached
	failing  bool
}

// NewReporter returns a Reporter that has reported nothing yet.
func NewReporter(status Status, now func() time.Time, log *slog.Logger) *Reporter {
	return &Reporter{
		status: status, now: now, log: log,
		waiting: map[string]verify.OverBudget{}, reported: map[string][]budget.Reached{},
	}
}

// Record takes a request and does not block.
func (r *Reporter) Record(one verify.OverBudget) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, waits := r.waiting[one.UID]; waits || len(r.waiting) < maxWaiting {
		r.waiting[one.UID] = one
	}
}

// Run reports until ctx ends.
func (r *Reporter) Run(ctx context.Context) {
	for program.Pause(ctx, reportEvery) {
		r.reportSome(ctx)
	}
}

// reportSome leaves what fails for the next round. Maps are ranged over in random order, so no key that always fails is
// in the way of the others for long.
func (r *Reporter) reportSome(ctx context.Context) {
	failures := 0
	for _, one := range r.batch() {
		err := r.report(ctx, &one)
		if err == nil {
			r.done(&one)
			r.failing, failures = false, 0
			continue
		}
		if !r.failing && ctx.Err() == nil {
			r.log.WarnContext(ctx, "A budget that is used up can't be reported yet",
				"namespace", one.Object.Namespace, "name", one.Object.Name, "error", err.Error())
		}
		r.failing = true
		failures++
		if failures == maxFailures {
			return
		}
	}
}

func (r *Reporter) batch() (all []verify.OverBudget) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range r.waiting {
		if len(all) == maxReports {
			break
		}
		all = append(all, one)
	}
	return all
}

// done removes a request unless a later one of the same object waits.
func (r *Reporter) done(one *verify.OverBudget) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting[one.UID].At.Equal(one.At) {
		delete(r.waiting, one.UID)
	}
}

// report reports what is used up of a key's budgets, unless that has not changed since the last report.
func (r *Reporter) report(ctx context.Context, one *verify.OverBudget) error {
	reached := slices.DeleteFunc(one.Budgets.UsedUp(one.At), func(b budget.Reached) bool {
		return !r.now().Before(b.Resets)
	})
	if len(reached) == 0 || slices.Equal(reached, r.reported[one.UID]) {
		return nil
	}
	if err := r.status.ReportBudgets(ctx, one.Object, one.UID, reached, one.At); err != nil {
		return err
	}
	if len(r.reported) >= maxReported {
		clear(r.reported)
	}
	r.reported[one.UID] = reached
	return nil
}
