package usage

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Fields of a record, as requests and messages name them.
const (
	FieldID              = "id"
	FieldCreatedAt       = "created_at"
	FieldJob             = "job_id"
	FieldProvider        = "ai_provider"
	FieldModel           = "ai_model"
	FieldCallType        = "call_type"
	FieldInputTokens     = "input_tokens"
	FieldOutputTokens    = "output_tokens"
	FieldCacheReadTokens = "cache_read_tokens"
	//nolint:gosec // a name, not a credential
	FieldCacheWriteTokens = "cache_write_tokens"
	FieldReasoningTokens  = "reasoning_tokens"
	FieldCost             = "cost_usd"
	FieldDuration         = "duration_ms"
	FieldPromptChars      = "prompt_chars"
	FieldResponseChars    = "response_chars"
	FieldServiceTier      = "service_tier"
	FieldStatus           = "status"
	FieldTags             = "tags"
)

// FieldError is what is wrong with a field of a record.
type FieldError struct {
	Field string
	// Problem is for people, and follows the name of the field.
	Problem string
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Problem }

// Problems of several fields.
var (
	ProblemCount = "must be a whole number from 0 to " + strconv.Itoa(MaxTokens)
	ProblemCost  = "must be a number of US dollars from 0 to " + (MaxMoney).String() + ", or null"
)

// Check returns what is wrong with a complete record that was received now, or nil. The first rule that it breaks
// counts.
func (r *Record) Check(now time.Time) *FieldError {
	for _, rule := range []func(*Record, time.Time) *FieldError{
		checkTexts, checkRequired, checkCounts, checkReasoning, checkCost, checkTime, checkStatus, checkTags,
	} {
		if err := rule(r, now); err != nil {
			return err
		}
	}
	return nil
}

// Texts returns the names of a record with their fields.
func (r *Record) Texts() iter.Seq2[string, string] {
	return func(yield func(field, text string) bool) {
		for _, t := range [...][2]string{
			{FieldID, r.ID}, {FieldJob, r.Job}, {FieldProvider, r.Provider}, {FieldModel, r.Model},
			{FieldCallType, r.CallType}, {FieldServiceTier, r.ServiceTier},
		} {
			if !yield(t[0], t[1]) {
				return
			}
		}
		for _, tag := range r.Tags {
			if !yield(FieldTags, tag) {
				return
			}
		}
	}
}

func checkTexts(r *Record, _ time.Time) *FieldError {
	for field, text := range r.Texts() {
		if problem := ProblemOfName(text); problem != "" {
			return &FieldError{field, problem}
		}
	}
	return nil
}

// ProblemOfName returns why no record has a name like this, or "".
func ProblemOfName(name string) string {
	switch {
	case len(name) > MaxText:
		return fmt.Sprintf("must be at most %d bytes", MaxText)
	case !utf8.ValidString(name):
		return "must be UTF-8"
	case strings.ContainsFunc(name, isOdd):
		return "must not have control characters"
	}
	return ""
}

// isOdd reports whether a character could hide what a name is, or break a line of a report.
func isOdd(c rune) bool { return unicode.In(c, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }

func checkRequired(r *Record, _ time.Time) *FieldError {
	for _, t := range [...][2]string{{FieldID, r.ID}, {FieldProvider, r.Provider}, {FieldModel, r.Model}} {
		if t[1] == "" {
			return &FieldError{t[0], "is required"}
		}
	}
	return nil
}

func checkCounts(r *Record, _ time.Time) *FieldError {
	duration := int64(0)
	if r.DurationMS != nil {
		duration = *r.DurationMS
	}
	for _, c := range [...]struct {
		field string
		n     int64
	}{
		{FieldInputTokens, r.Input}, {FieldOutputTokens, r.Output}, {FieldCacheReadTokens, r.CacheRead},
		{FieldCacheWriteTokens, r.CacheWrite}, {FieldReasoningTokens, r.Reasoning}, {FieldDuration, duration},
		{FieldPromptChars, r.PromptChars}, {FieldResponseChars, r.ResponseChars},
	} {
		if c.n < 0 || c.n > MaxTokens {
			return &FieldError{c.field, ProblemCount}
		}
	}
	return nil
}

func checkReasoning(r *Record, _ time.Time) *FieldError {
	if r.Reasoning > r.Output {
		return &FieldError{FieldReasoningTokens, "must be at most output_tokens, which include them"}
	}
	return nil
}

func checkCost(r *Record, _ time.Time) *FieldError {
	if r.Cost != nil && (*r.Cost < 0 || *r.Cost > MaxMoney) {
		return &FieldError{FieldCost, ProblemCost}
	}
	return nil
}

func checkTime(r *Record, now time.Time) *FieldError {
	if r.At.Before(time.Unix(0, 0)) || r.At.After(now.Add(MaxAhead)) {
		return &FieldError{FieldCreatedAt, "must be from 1970 to five minutes ahead of the server's clock"}
	}
	return nil
}

func checkStatus(r *Record, _ time.Time) *FieldError {
	if r.Status != StatusOK && r.Status != StatusError {
		return &FieldError{FieldStatus, "must be ok or error"}
	}
	return nil
}

func checkTags(r *Record, _ time.Time) *FieldError {
	switch {
	case len(r.Tags) > MaxTags:
		return &FieldError{FieldTags, fmt.Sprintf("must be at most %d", MaxTags)}
	case slices.Contains(r.Tags, ""):
		return &FieldError{FieldTags, "must not be empty"}
	}
	return nil
}
