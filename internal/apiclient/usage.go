package apiclient

import (
	"context"
	"net/http"
	"net/url"
)

// Usage is a total of token usage. A cost is in US dollars, and nil when a price was unknown.
type Usage struct {
	InputTokens      int64       `json:"total_input_tokens"`
	OutputTokens     int64       `json:"total_output_tokens"`
	CacheReadTokens  int64       `json:"total_cache_read_tokens"`
	CacheWriteTokens int64       `json:"total_cache_write_tokens"`
	CostUSD          *float64    `json:"total_cost_usd"`
	Calls            int64       `json:"total_calls"`
	DurationMS       int64       `json:"total_duration_ms"`
	Breakdown        []UsageLine `json:"breakdown"`
}

// UsageLine is the usage of one group.
type UsageLine struct {
	GroupKey         string   `json:"group_key"`
	InputTokens      int64    `json:"input_tokens"`
	OutputTokens     int64    `json:"output_tokens"`
	CacheReadTokens  int64    `json:"cache_read_tokens"`
	CacheWriteTokens int64    `json:"cache_write_tokens"`
	CostUSD          *float64 `json:"cost_usd"`
	CallCount        int64    `json:"call_count"`
	AvgDurationMS    *float64 `json:"avg_duration_ms"`
}

// UsageSummary is the usage of today (UTC) and of the last 7 and 30 days.
type UsageSummary struct {
	Today     UsagePeriod `json:"today"`
	ThisWeek  UsagePeriod `json:"this_week"`
	ThisMonth UsagePeriod `json:"this_month"`
	TopModels []struct {
		Model   string   `json:"model"`
		Calls   int64    `json:"calls"`
		CostUSD *float64 `json:"cost_usd"`
	} `json:"top_models"`
	TopJobs []struct {
		JobID   string   `json:"job_id"`
		Calls   int64    `json:"calls"`
		CostUSD *float64 `json:"cost_usd"`
	} `json:"top_jobs"`
}

// UsagePeriod is the usage of one period.
type UsagePeriod struct {
	Calls        int64    `json:"calls"`
	Tokens       int64    `json:"tokens"`
	InputTokens  int64    `json:"input_tokens"`
	OutputTokens int64    `json:"output_tokens"`
	CostUSD      *float64 `json:"cost_usd"`
}

// UsageRecord is one AI call.
type UsageRecord struct {
	JobID            string   `json:"job_id"`
	CreatedAt        string   `json:"created_at"`
	Provider         string   `json:"ai_provider"`
	Model            string   `json:"ai_model"`
	CallType         string   `json:"call_type"`
	InputTokens      int64    `json:"input_tokens"`
	OutputTokens     int64    `json:"output_tokens"`
	CacheReadTokens  int64    `json:"cache_read_tokens"`
	CacheWriteTokens int64    `json:"cache_write_tokens"`
	TotalTokens      int64    `json:"total_tokens"`
	CostUSD          *float64 `json:"cost_usd"`
	DurationMS       *int64   `json:"duration_ms"`
}

// UsageQuery chooses records. Empty fields choose all.
type UsageQuery struct {
	StartDate, EndDate, Provider, Model, CallType, GroupBy string
}

const usagePath = "/api/admin/token-usage"

// Usage returns totals, and a breakdown with GroupBy.
func (c *Client) Usage(ctx context.Context, q UsageQuery) (*Usage, error) {
	query := url.Values{}
	for name, value := range map[string]string{
		"start_date": q.StartDate, "end_date": q.EndDate, "ai_provider": q.Provider, "ai_model": q.Model,
		"call_type": q.CallType, "group_by": q.GroupBy,
	} {
		if value != "" {
			query.Set(name, value)
		}
	}
	found := &Usage{}
	return found, c.call(ctx, &Request{Method: http.MethodGet, Path: usagePath, Query: query}, found)
}

// UsageSummary returns the usage of today and of the last days.
func (c *Client) UsageSummary(ctx context.Context) (*UsageSummary, error) {
	found := &UsageSummary{}
	return found, c.call(ctx, &Request{Method: http.MethodGet, Path: usagePath + "/summary"}, found)
}

// UsageOfJob returns the calls of a job, oldest first.
func (c *Client) UsageOfJob(ctx context.Context, job string) ([]UsageRecord, error) {
	var reply struct {
		Records []UsageRecord `json:"records"`
	}
	r := &Request{Method: http.MethodGet, Path: usagePath + "/" + url.PathEscape(job)}
	return reply.Records, c.call(ctx, r, &reply)
}
