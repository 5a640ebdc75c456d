package tokenusage

import (
	"context"
	"time"

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
	if !s.may(caller, ActionRead) {
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

// Report is the answer to a query.
type Report struct {
	*usage.Report
	// Query has bounds in whole quarters of an hour.
	Query usage.Query
	// CoversSince is not zero if the report is of stored records: those that were received since then.
	CoversSince time.Time
}

// Report returns totals and lines.
func (s *Service) Report(ctx context.Context, caller manage.Caller, read manage.Read[usage.Query]) (*Report, error) {
	asked, err := s.readQuery(caller, read)
	if err != nil {
		return nil, err
	}
	report := &Report{Query: asked.Rounded()}
	if report.Query.GroupBy == usage.ByJob {
		report.CoversSince, err = s.Store.Oldest(ctx)
	}
	if err == nil {
		report.Report, err = s.Store.Report(ctx, report.Query)
	}
	return report, failed(err)
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
	for _, p := range []struct {
		since  time.Time
		totals *usage.Totals
	}{{today, &summary.Today}, {today.AddDate(0, 0, -6), &summary.Week}} {
		report, err := s.Store.Report(ctx, usage.Query{Since: p.since})
		if err != nil {
			return nil, err
		}
		*p.totals = report.Totals
	}
	month := today.AddDate(0, 0, -29)
	models, err := s.Store.Report(ctx, usage.Query{Since: month, GroupBy: usage.ByModel})
	if err != nil {
		return nil, err
	}
	summary.Month, summary.TopModels = models.Totals, models.Lines[:min(maxTop, len(models.Lines))]
	summary.TopJobs, err = s.Store.TopJobs(ctx, month, maxTop)
	return summary, err
}

// Job has the stored records of a job, the oldest first.
type Job struct {
	Records []usage.Record
	// Truncated is true if there are more than MaxJobRecords.
	Truncated bool
	// CoversSince is when the oldest stored record of all was received: earlier records may have been removed.
	CoversSince time.Time
}

// Job returns the stored records of a job.
func (s *Service) Job(
	ctx context.Context, caller manage.Caller, name string, check manage.Read[struct{}],
) (*Job, error) {
	if err := s.MayRead(caller); err != nil {
		return nil, err
	}
	if _, err := check(); err != nil {
		return nil, err
	}
	if usage.ProblemOfName(name) != "" {
		return nil, errNoJob
	}
	since, err := s.Store.Oldest(ctx)
	if err != nil {
		return nil, failed(err)
	}
	records, err := s.Store.Job(ctx, name, MaxJobRecords+1)
	switch {
	case err != nil:
		return nil, failed(err)
	case len(records) == 0:
		return nil, errNoJob
	}
	return &Job{records[:min(len(records), MaxJobRecords)], len(records) > MaxJobRecords, since}, nil
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
