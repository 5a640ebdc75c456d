package admin

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"keywright.dev/keywright/internal/httpapi/jsonbody"
	"keywright.dev/keywright/internal/manage/usage"
)

// sentRecord is a record as reporters send it. The fields are decoded one by one, so that each error names its field.
type sentRecord struct {
	ID               json.RawMessage `json:"id"`
	CreatedAt        json.RawMessage `json:"created_at"`
	Job              json.RawMessage `json:"job_id"`
	Provider         json.RawMessage `json:"ai_provider"`
	Model            json.RawMessage `json:"ai_model"`
	CallType         json.RawMessage `json:"call_type"`
	InputTokens      json.RawMessage `json:"input_tokens"`
	OutputTokens     json.RawMessage `json:"output_tokens"`
	CacheReadTokens  json.RawMessage `json:"cache_read_tokens"`
	CacheWriteTokens json.RawMessage `json:"cache_write_tokens"`
	ReasoningTokens  json.RawMessage `json:"reasoning_tokens"`
	TotalTokens      json.RawMessage `json:"total_tokens"`
	Cost             json.RawMessage `json:"cost_usd"`
	Duration         json.RawMessage `json:"duration_ms"`
	PromptChars      json.RawMessage `json:"prompt_chars"`
	ResponseChars    json.RawMessage `json:"response_chars"`
	ServiceTier      json.RawMessage `json:"service_tier"`
	Status           json.RawMessage `json:"status"`
	Tags             json.RawMessage `json:"tags"`
}

// decodeRecord decodes the document of one record. It checks types; usage.Record.Check knows the other rules.
func decodeRecord(document []byte) (r usage.Record, wrong *usage.FieldError) {
	var sent sentRecord
	if err := jsonbody.Parse(document, &sent); err != nil {
		return r, &usage.FieldError{Field: err.Field, Problem: strings.TrimPrefix(err.Problem, "the body ")}
	}
	d := fieldDecoder{}
	r = usage.Record{
		ID: d.text(usage.FieldID, sent.ID), At: d.time(usage.FieldCreatedAt, sent.CreatedAt),
		Job: d.text(usage.FieldJob, sent.Job), Provider: d.text(usage.FieldProvider, sent.Provider),
		Model: d.text(usage.FieldModel, sent.Model), CallType: d.text(usage.FieldCallType, sent.CallType),
		Tokens: usage.Tokens{
			Input:      d.required(usage.FieldInputTokens, sent.InputTokens),
			Output:     d.required(usage.FieldOutputTokens, sent.OutputTokens),
			CacheRead:  d.count(usage.FieldCacheReadTokens, sent.CacheReadTokens),
			CacheWrite: d.count(usage.FieldCacheWriteTokens, sent.CacheWriteTokens),
			Reasoning:  d.count(usage.FieldReasoningTokens, sent.ReasoningTokens),
		},
		Cost:          d.money(usage.FieldCost, sent.Cost),
		DurationMS:    d.countOrNull(usage.FieldDuration, sent.Duration),
		PromptChars:   d.count(usage.FieldPromptChars, sent.PromptChars),
		ResponseChars: d.count(usage.FieldResponseChars, sent.ResponseChars),
		ServiceTier:   d.text(usage.FieldServiceTier, sent.ServiceTier), Status: d.text(usage.FieldStatus, sent.Status),
		Tags: d.texts(usage.FieldTags, sent.Tags),
	}
	d.checkTotal(sent.TotalTokens, &r.Tokens)
	return r, d.wrong
}

// fieldDecoder decodes fields. null is the same as an absent field. It keeps the first error.
type fieldDecoder struct{ wrong *usage.FieldError }

func (d *fieldDecoder) fail(field, problem string) {
	if d.wrong == nil {
		d.wrong = &usage.FieldError{Field: field, Problem: problem}
	}
}

func isAbsent(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

func (d *fieldDecoder) text(field string, raw json.RawMessage) (text string) {
	if !isAbsent(raw) && json.Unmarshal(raw, &text) != nil {
		d.fail(field, "must be text")
	}
	return text
}

func (d *fieldDecoder) texts(field string, raw json.RawMessage) (texts []string) {
	if isAbsent(raw) {
		return nil
	}
	var elements []*string
	if json.Unmarshal(raw, &elements) != nil {
		d.fail(field, "must be a list of texts")
		return nil
	}
	for _, element := range elements {
		if element == nil {
			d.fail(field, "must be a list of texts")
			return nil
		}
		texts = append(texts, *element)
	}
	return texts
}

// time refuses the zero time, which stands for an absent one.
func (d *fieldDecoder) time(field string, raw json.RawMessage) time.Time {
	text := d.text(field, raw)
	at, err := time.Parse(time.RFC3339, text)
	if !isAbsent(raw) && (err != nil || at.IsZero()) {
		d.fail(field, "must be a time such as 2030-01-31T12:00:00Z")
	}
	return at
}

func (d *fieldDecoder) required(field string, raw json.RawMessage) int64 {
	if isAbsent(raw) {
		d.fail(field, "is required")
	}
	return d.count(field, raw)
}

func (d *fieldDecoder) count(field string, raw json.RawMessage) int64 {
	if n := d.countOrNull(field, raw); n != nil {
		return *n
	}
	return 0
}

func (d *fieldDecoder) countOrNull(field string, raw json.RawMessage) *int64 {
	if isAbsent(raw) {
		return nil
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil {
		d.fail(field, usage.ProblemCount)
	}
	return &n
}

func (d *fieldDecoder) money(field string, raw json.RawMessage) *usage.Money {
	if isAbsent(raw) {
		return nil
	}
	dollars, err := strconv.ParseFloat(string(raw), 64)
	cost, ok := usage.FromDollars(dollars)
	if err != nil || !ok {
		d.fail(field, usage.ProblemCost)
	}
	return &cost
}

// fieldTotal is a field that reporters may send. It is not stored.
const fieldTotal = "total_tokens"

func (d *fieldDecoder) checkTotal(raw json.RawMessage, t *usage.Tokens) {
	if total := d.countOrNull(fieldTotal, raw); total != nil && *total != t.Input+t.Output {
		d.fail(fieldTotal, "must be the sum of input_tokens and output_tokens")
	}
}
