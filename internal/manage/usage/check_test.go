package usage

import (
	"strings"
	"testing"
	"time"
)

var checkedAt = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

func valid() *Record {
	return &Record{ID: "1", At: checkedAt, Provider: "acme", Model: "large", Status: StatusOK}
}

func TestCheck_NamesTheField(t *testing.T) {
	long := strings.Repeat("x", MaxText+1)
	count := func(field string, set func(*Record, int64)) map[string]func(*Record) {
		return map[string]func(*Record){
			field + ": " + ProblemCount:       func(r *Record) { set(r, -1) },
			field + ": " + ProblemCount + " ": func(r *Record) { set(r, MaxTokens+1) },
		}
	}
	all := map[string]func(*Record){
		"id: is required":                                func(r *Record) { r.ID = "" },
		"ai_provider: is required":                       func(r *Record) { r.Provider = "" },
		"ai_model: is required":                          func(r *Record) { r.Model = "" },
		"job_id: must be at most 256 bytes":              func(r *Record) { r.Job = long },
		"call_type: must be UTF-8":                       func(r *Record) { r.CallType = "\xff" },
		"service_tier: must not have control characters": func(r *Record) { r.ServiceTier = "a\nb" },
		"ai_model: must not have control characters":     func(r *Record) { r.Model = "a\u202eb" },
		"tags: must not be empty":                        func(r *Record) { r.Tags = []string{""} },
		"tags: must be at most 8":                        func(r *Record) { r.Tags = strings.Split("123456789", "") },
		"tags: must be at most 256 bytes":                func(r *Record) { r.Tags = []string{long} },
		"status: must be ok or error":                    func(r *Record) { r.Status = "failed" },
		"cost_usd: " + ProblemCost:                       func(r *Record) { r.Cost = new(MaxMoney + 1) },
		"cost_usd: " + ProblemCost + " ":                 func(r *Record) { r.Cost = new(Money(-1)) },
		"reasoning_tokens: must be at most output_tokens, which include them": func(r *Record) {
			r.Output, r.Reasoning = 1, 2
		},
	}
	const times = "created_at: must be from 1970 to five minutes ahead of the server's clock"
	for i, at := range []time.Time{
		{}, time.Unix(-1, 0), checkedAt.Add(MaxAhead + 1), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC),
	} {
		all[times+strings.Repeat(" ", i)] = func(r *Record) { r.At = at }
	}
	for _, some := range []map[string]func(*Record){
		count("input_tokens", func(r *Record, n int64) { r.Input = n }),
		count("output_tokens", func(r *Record, n int64) { r.Output = n }),
		count("cache_read_tokens", func(r *Record, n int64) { r.CacheRead = n }),
		count("cache_write_tokens", func(r *Record, n int64) { r.CacheWrite = n }),
		count("reasoning_tokens", func(r *Record, n int64) { r.Reasoning = n }),
		count("duration_ms", func(r *Record, n int64) { r.DurationMS = &n }),
		count("prompt_chars", func(r *Record, n int64) { r.PromptChars = n }),
		count("response_chars", func(r *Record, n int64) { r.ResponseChars = n }),
	} {
		for want, change := range some {
			all[want] = change
		}
	}
	for want, change := range all {
		r := valid()
		change(r)
		if err := r.Check(checkedAt); err == nil || err.Error() != strings.TrimRight(want, " ") {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestCheck_AcceptsTheLimits(t *testing.T) {
	r := valid()
	r.Input, r.Output, r.CacheRead, r.CacheWrite, r.Reasoning = MaxTokens, MaxTokens, MaxTokens, MaxTokens, MaxTokens
	r.DurationMS, r.PromptChars, r.ResponseChars, r.Cost = new(int64(MaxTokens)), MaxTokens, MaxTokens, new(MaxMoney)
	r.Job, r.Tags = strings.Repeat("é", MaxText/2), strings.Split("1,2,3,4,5,6,7,8", ",")
	for _, at := range []time.Time{time.Unix(0, 0), checkedAt.Add(MaxAhead)} {
		r.At = at
		if err := r.Check(checkedAt); err != nil {
			t.Error(err)
		}
	}
}
