package apiclient

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Usage is a total of token usage. A cost is in US dollars with up to 9 decimals, and nil when no price is known.
type Usage struct {
	InputTokens      int64        `json:"total_input_tokens"`
	OutputTokens     int64        `json:"total_output_tokens"`
	CacheReadTokens  int64        `json:"total_cache_read_tokens"`
	CacheWriteTokens int64        `json:"total_cache_write_tokens"`
	ReasoningTokens  int64        `json:"total_reasoning_tokens"`
	CostUSD          *json.Number `json:"total_cost_usd"`
	Calls            int64        `json:"total_calls"`
	// UnpricedCalls are those that the cost leaves out.
	UnpricedCalls int64       `json:"total_unpriced_calls"`
	DurationMS    int64       `json:"total_duration_ms"`
	Breakdown     []UsageLine `json:"breakdown"`
	// Since and Until are the span that the report covers. nil: no bound.
	Since *string `json:"since"`
	Until *string `json:"until"`
	// CoversSince is not nil if only the calls are covered that were received since then.
	CoversSince *string `json:"covers_since"`
}

// UsageLine is the usage of one group.
type UsageLine struct {
	GroupKey         string       `json:"group_key"`
	InputTokens      int64        `json:"input_tokens"`
	OutputTokens     int64        `json:"output_tokens"`
	CacheReadTokens  int64        `json:"cache_read_tokens"`
	CacheWriteTokens int64        `json:"cache_write_tokens"`
	ReasoningTokens  int64        `json:"reasoning_tokens"`
	CostUSD          *json.Number `json:"cost_usd"`
	CallCount        int64        `json:"call_count"`
	UnpricedCalls    int64        `json:"unpriced_calls"`
	AvgDurationMS    *float64     `json:"avg_duration_ms"`
}

// UsageSummary is the usage of today (UTC) and of the last 7 and 30 days.
type UsageSummary struct {
	Today     UsagePeriod `json:"today"`
	ThisWeek  UsagePeriod `json:"this_week"`
	ThisMonth UsagePeriod `json:"this_month"`
	TopModels []struct {
		Model   string       `json:"model"`
		Calls   int64        `json:"calls"`
		CostUSD *json.Number `json:"cost_usd"`
	} `json:"top_models"`
	TopJobs []struct {
		JobID   string       `json:"job_id"`
		Calls   int64        `json:"calls"`
		CostUSD *json.Number `json:"cost_usd"`
	} `json:"top_jobs"`
}

// UsagePeriod is the usage of one period.
type UsagePeriod struct {
	Calls        int64        `json:"calls"`
	Tokens       int64        `json:"tokens"`
	InputTokens  int64        `json:"input_tokens"`
	OutputTokens int64        `json:"output_tokens"`
	CostUSD      *json.Number `json:"cost_usd"`
}

// UsageOfJob are the calls of a job.
type UsageOfJob struct {
	JobID   string        `json:"job_id"`
	Records []UsageRecord `json:"records"`
	// Truncated is true if the job has more calls.
	Truncated bool `json:"truncated"`
	// CoversSince: calls that were received earlier may have been removed.
	CoversSince *string `json:"covers_since"`
}

// UsageRecord is one AI call.
type UsageRecord struct {
	ID               string       `json:"id"`
	JobID            string       `json:"job_id"`
	CreatedAt        string       `json:"created_at"`
	ReceivedAt       string       `json:"received_at"`
	Provider         string       `json:"ai_provider"`
	Model            string       `json:"ai_model"`
	CallType         string       `json:"call_type"`
	InputTokens      int64        `json:"input_tokens"`
	OutputTokens     int64        `json:"output_tokens"`
	CacheReadTokens  int64        `json:"cache_read_tokens"`
	CacheWriteTokens int64        `json:"cache_write_tokens"`
	ReasoningTokens  int64        `json:"reasoning_tokens"`
	TotalTokens      int64        `json:"total_tokens"`
	CostUSD          *json.Number `json:"cost_usd"`
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

// UsageQuery chooses records. Empty fields choose all.
type UsageQuery struct {
	StartDate, EndDate, Provider, Model, CallType, GroupBy string
	// Zone is the time zone of days, weeks and months. Empty: UTC.
	Zone string
}

func (q *UsageQuery) values() url.Values {
	query := url.Values{}
	for name, value := range map[string]string{
		"start_date": q.StartDate, "end_date": q.EndDate, "ai_provider": q.Provider, "ai_model": q.Model,
		"call_type": q.CallType, "group_by": q.GroupBy, "tz": q.Zone,
	} {
		if value != "" {
			query.Set(name, value)
		}
	}
	return query
}

// Repriced is what a repricing found and changed. The costs are in US dollars.
type Repriced struct {
	Records       int64   `json:"records"`
	Changed       int64   `json:"changed"`
	CostBeforeUSD float64 `json:"cost_before_usd"`
	CostAfterUSD  float64 `json:"cost_after_usd"`
	DryRun        bool    `json:"dry_run"`
}

const usagePath = "/api/admin/token-usage"

// Usage returns totals, and a breakdown with GroupBy.
func (c *Client) Usage(ctx context.Context, q UsageQuery) (*Usage, error) {
	found := &Usage{}
	return found, c.call(ctx, &Request{Method: http.MethodGet, Path: usagePath, Query: q.values()}, found)
}

// UsageSummary returns the usage of today and of the last days.
func (c *Client) UsageSummary(ctx context.Context) (*UsageSummary, error) {
	found := &UsageSummary{}
	return found, c.call(ctx, &Request{Method: http.MethodGet, Path: usagePath + "/summary"}, found)
}

// UsageOfJob returns the calls of a job, oldest first.
func (c *Client) UsageOfJob(ctx context.Context, job string) (*UsageOfJob, error) {
	found := &UsageOfJob{}
	return found, c.call(ctx, &Request{Method: http.MethodGet, Path: usagePath + "/" + url.PathEscape(job)}, found)
}

// ExportUsage writes every record that is stored, in a format: csv or ndjson. There may be more of them than memory
// for them. The client's timeout bounds how long the server may be silent.
func (c *Client) ExportUsage(ctx context.Context, q UsageQuery, format string, out io.Writer) error {
	query := q.values()
	query.Set("format", format)
	patient, ctx, stop := c.patient(ctx)
	defer stop()
	return patient.attempt(ctx, &Request{
		Method: http.MethodGet, Path: usagePath + "/export", Query: query,
		Header: http.Header{"Accept": {"text/csv, application/x-ndjson, application/json"}},
	}, func(response *http.Response) error {
		_, err := io.Copy(out, response.Body)
		return err
	})
}

// Reprice computes the costs of calls since an instant again. A dry run stores nothing.
func (c *Client) Reprice(ctx context.Context, since time.Time, dryRun bool) (*Repriced, error) {
	changed := &Repriced{}
	body := map[string]any{"since": since.UTC().Format(time.RFC3339Nano), "dry_run": dryRun}
	return changed, c.call(ctx, &Request{Method: http.MethodPost, Path: usagePath + "/reprice", Body: body}, changed)
}
