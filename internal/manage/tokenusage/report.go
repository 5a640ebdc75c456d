package tokenusage

import (
	"context"
	"time"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/usage"
)

const (
	// MaxJobRecords bounds the records of a job in one reply.
	MaxJobRecords = 10_000
	// maxTop is the number of models and jobs in a summary.
	maxTop = 5
)

// MayRead returns nil if the caller may see everybody's usage.
func (s *Service) MayRead(caller manage.Caller) error {
	if caller.Caller == nil || !caller.IsProven() ||
		!s.Gate.May(caller.Caller, access.Request{Action: ActionRead, Resource: access.Any}) {
		return errMayNotRead
	}
	return nil
}

// readQuery reads what a caller may ask for.
func (s *Service) readQuery(caller manage.Caller, read manage.Read[usage.Query]) (usage.Query, error) {
	if err := s.MayRead(caller); err != nil {
		return usage.Query{}, err
	}
	return read()
}

// Report returns totals and lines, and the query that it answers: its bounds are in whole quarters of an hour.
func (s *Service) Report(
	ctx context.Context, caller manage.Caller, read manage.Read[usage.Query],
) (*usage.Report, usage.Query, error) {
	asked, err := s.readQuery(caller, read)
	if err != nil {
		return nil, asked, err
	}
	q := asked.Rounded()
	report, err := s.Store.Report(ctx, q)
	return report, q, failed(err)
}

// Summary is the usage of the last days.
type Summary struct {
	// Today is the present day in UTC; Week and Month are that and the 6 or 29 days before it.
	Today, Week, Month usage.Totals
	// TopModels and TopJobs have the highest cost of the month.
	TopModels, TopJobs []usage.Line
}

// Summary returns the usage of the last days.
func (s *Service) Summary(ctx context.Context, caller manage.Caller, check manage.Read[struct{}]) (*Summary, error) {
	if err := s.MayRead(caller); err != nil {
		return nil, err
	}
	if _, err := check(); err != nil {
		return nil, err
	}
	summary, err := s.summarize(ctx, usage.Day.StartOf(s.Now()))
	return summary, failed(err)
}

func (s *Service) summarize(ctx context.Context, today time.Time) (*Summary, error) {
	summary := &Summary{}
	month := today.AddDate(0, 0, -29)
	for _, p := range []struct {
		since   time.Time
		groupBy usage.Grouping
		totals  *usage.Totals
	}{
		{today, "", &summary.Today}, {today.AddDate(0, 0, -6), "", &summary.Week}, {month, usage.ByModel, &summary.Month},
	} {
		report, err := s.Store.Report(ctx, usage.Query{Since: p.since, GroupBy: p.groupBy})
		if err != nil {
			return nil, err
		}
		*p.totals, summary.TopModels = report.Totals, report.Lines[:min(maxTop, len(report.Lines))]
	}
	var err error
	summary.TopJobs, err = s.Store.TopJobs(ctx, month, maxTop)
	return summary, err
}

// Job returns the stored records of a job, the oldest first. more is true if there are more than MaxJobRecords.
func (s *Service) Job(
	ctx context.Context, caller manage.Caller, job string, check manage.Read[struct{}],
) (records []usage.Record, more bool, err error) {
	if err := s.MayRead(caller); err != nil {
		return nil, false, err
	}
	if _, err := check(); err != nil {
		return nil, false, err
	}
	if usage.ProblemOfName(job) == "" {
		records, err = s.Store.Job(ctx, job, MaxJobRecords+1)
	}
	switch {
	case err != nil:
		return nil, false, failed(err)
	case len(records) == 0:
		return nil, false, manage.Errorf(manage.NotFound, "No token usage records found for this job")
	}
	return records[:min(len(records), MaxJobRecords)], len(records) > MaxJobRecords, nil
}

// Export returns a function that passes on every stored record of a query, the oldest first, until yield returns an
// error.
func (s *Service) Export(
	caller manage.Caller, read manage.Read[usage.Query],
) (each func(ctx context.Context, yield func(*usage.Record) error) error, err error) {
	q, err := s.readQuery(caller, read)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, yield func(*usage.Record) error) error {
		return failed(s.Store.Each(ctx, q, yield))
	}, nil
}
