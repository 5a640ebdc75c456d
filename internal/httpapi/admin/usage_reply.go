package admin

import (
	"time"

	"keywright.dev/keywright/internal/manage/tokenusage"
	"keywright.dev/keywright/internal/manage/usage"
)

// usageReport is the reply of GET /api/admin/token-usage.
type usageReport struct {
	InputTokens      int64        `json:"total_input_tokens"`
	OutputTokens     int64        `json:"total_output_tokens"`
	CacheReadTokens  int64        `json:"total_cache_read_tokens"`
	CacheWriteTokens int64        `json:"total_cache_write_tokens"`
	ReasoningTokens  int64        `json:"total_reasoning_tokens"`
	CostUSD          *usage.Money `json:"total_cost_usd"`
	Calls            int64        `json:"total_calls"`
	UnpricedCalls    int64        `json:"total_unpriced_calls"`
	DurationMS       int64        `json:"total_duration_ms"`
	Breakdown        []usageLine  `json:"breakdown"`
	// Since and Until are the span that the report covers, in whole quarters of an hour. Null: no bound.
	Since *string `json:"since"`
	Until *string `json:"until"`
	// CoversSince: the report covers the calls that were received since then. Null: all.
	CoversSince *string `json:"covers_since"`
}

// usageLine is the usage of one group.
type usageLine struct {
	GroupKey         string       `json:"group_key"`
	InputTokens      int64        `json:"input_tokens"`
	OutputTokens     int64        `json:"output_tokens"`
	CacheReadTokens  int64        `json:"cache_read_tokens"`
	CacheWriteTokens int64        `json:"cache_write_tokens"`
	ReasoningTokens  int64        `json:"reasoning_tokens"`
	CostUSD          *usage.Money `json:"cost_usd"`
	CallCount        int64        `json:"call_count"`
	UnpricedCalls    int64        `json:"unpriced_calls"`
	AvgDurationMS    *float64     `json:"avg_duration_ms"`
}

func usageReportOf(r *tokenusage.Report) usageReport {
	shown := usageReport{
		InputTokens: r.Input, OutputTokens: r.Output, CacheReadTokens: r.CacheRead, CacheWriteTokens: r.CacheWrite,
		ReasoningTokens: r.Reasoning, CostUSD: costOf(&r.Report.Totals), Calls: r.Calls, UnpricedCalls: r.Unpriced,
		DurationMS: r.DurationMS, Breakdown: make([]usageLine, 0, len(r.Lines)),
		Since: instantOrNull(r.Query.Since), Until: instantOrNull(r.Query.Until), CoversSince: instantOrNull(r.CoversSince),
	}
	for i := range r.Lines {
		l := &r.Lines[i]
		shown.Breakdown = append(shown.Breakdown, usageLine{
			GroupKey: l.Key, InputTokens: l.Input, OutputTokens: l.Output, CacheReadTokens: l.CacheRead,
			CacheWriteTokens: l.CacheWrite, ReasoningTokens: l.Reasoning, CostUSD: costOf(&l.Totals), CallCount: l.Calls,
			UnpricedCalls: l.Unpriced, AvgDurationMS: averageDuration(&l.Totals),
		})
	}
	return shown
}

// costOf returns null only if there are calls, and none has a known cost.
func costOf(t *usage.Totals) *usage.Money {
	if t.Calls == 0 {
		return new(usage.Money)
	}
	return t.Cost
}

func averageDuration(t *usage.Totals) *float64 {
	if t.Timed == 0 {
		return nil
	}
	return new(float64(t.DurationMS) / float64(t.Timed))
}

// instantOrNull keeps fractions of a second, which records have.
func instantOrNull(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC().Format(time.RFC3339Nano))
}

// usageSummary is the reply of GET /api/admin/token-usage/summary.
type usageSummary struct {
	Today     usagePeriod `json:"today"`
	ThisWeek  usagePeriod `json:"this_week"`
	ThisMonth usagePeriod `json:"this_month"`
	TopModels []topModel  `json:"top_models"`
	TopJobs   []topJob    `json:"top_jobs"`
}

type usagePeriod struct {
	Calls        int64        `json:"calls"`
	Tokens       int64        `json:"tokens"`
	InputTokens  int64        `json:"input_tokens"`
	OutputTokens int64        `json:"output_tokens"`
	CostUSD      *usage.Money `json:"cost_usd"`
}

type topModel struct {
	Model   string       `json:"model"`
	Calls   int64        `json:"calls"`
	CostUSD *usage.Money `json:"cost_usd"`
}

type topJob struct {
	JobID   string       `json:"job_id"`
	Calls   int64        `json:"calls"`
	CostUSD *usage.Money `json:"cost_usd"`
}

func usageSummaryOf(s *tokenusage.Summary) usageSummary {
	shown := usageSummary{
		Today: usagePeriodOf(&s.Today), ThisWeek: usagePeriodOf(&s.Week), ThisMonth: usagePeriodOf(&s.Month),
		TopModels: make([]topModel, 0, len(s.TopModels)), TopJobs: make([]topJob, 0, len(s.TopJobs)),
	}
	for i := range s.TopModels {
		l := &s.TopModels[i]
		shown.TopModels = append(shown.TopModels, topModel{l.Key, l.Calls, costOf(&l.Totals)})
	}
	for i := range s.TopJobs {
		l := &s.TopJobs[i]
		shown.TopJobs = append(shown.TopJobs, topJob{l.Key, l.Calls, costOf(&l.Totals)})
	}
	return shown
}

func usagePeriodOf(t *usage.Totals) usagePeriod {
	return usagePeriod{
		Calls: t.Calls, Tokens: t.Input + t.Output, InputTokens: t.Input, OutputTokens: t.Output, CostUSD: costOf(t),
	}
}

// usageJob is the reply of GET /api/admin/token-usage/{job_id}.
type usageJob struct {
	JobID   string        `json:"job_id"`
	Records []usageRecord `json:"records"`
	// Truncated is true if the job has more records.
	Truncated bool `json:"truncated"`
	// CoversSince: calls that were received earlier may have been removed.
	CoversSince *string `json:"covers_since"`
}

// usageRecord is one AI call.
type usageRecord struct {
	ID               string       `json:"id"`
	JobID            string       `json:"job_id"`
	CreatedAt        *string      `json:"created_at"`
	ReceivedAt       *string      `json:"received_at"`
	Provider         string       `json:"ai_provider"`
	Model            string       `json:"ai_model"`
	CallType         string       `json:"call_type"`
	InputTokens      int64        `json:"input_tokens"`
	OutputTokens     int64        `json:"output_tokens"`
	CacheReadTokens  int64        `json:"cache_read_tokens"`
	CacheWriteTokens int64        `json:"cache_write_tokens"`
	ReasoningTokens  int64        `json:"reasoning_tokens"`
	TotalTokens      int64        `json:"total_tokens"`
	CostUSD          *usage.Money `json:"cost_usd"`
	Price            string       `json:"price"`
	DurationMS       *int64       `json:"duration_ms"`
	PromptChars      int64        `json:"prompt_chars"`
	ResponseChars    int64        `json:"response_chars"`
	ServiceTier      string       `json:"service_tier"`
	Status           string       `json:"status"`
	Tags             []string     `json:"tags"`
	Key              string       `json:"key"`
	Owner            string       `json:"owner"`
	Namespace        string       `json:"namespace"`
}

func usageRecordOf(r *usage.Record) usageRecord {
	return usageRecord{
		ID: r.ID, JobID: r.Job, CreatedAt: instantOrNull(r.At), ReceivedAt: instantOrNull(r.ReceivedAt),
		Provider: r.Provider, Model: r.Model, CallType: r.CallType, InputTokens: r.Input, OutputTokens: r.Output,
		CacheReadTokens: r.CacheRead, CacheWriteTokens: r.CacheWrite, ReasoningTokens: r.Reasoning,
		TotalTokens: r.Input + r.Output, CostUSD: r.Cost, Price: r.Price, DurationMS: r.DurationMS,
		PromptChars: r.PromptChars, ResponseChars: r.ResponseChars, ServiceTier: r.ServiceTier, Status: r.Status,
		Tags: append([]string{}, r.Tags...), Key: r.Reporter.Key, Owner: r.Reporter.Subject,
		Namespace: r.Reporter.Namespace,
	}
}
