package genai

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"keywright.dev/keywright/internal/manage/usage"
)

// Rejected are the spans that have token usage but can't be recorded.
type Rejected struct {
	Spans int64
	// First is the problem of the first one.
	First string
}

// Add adds a span. Its problem must not repeat a text of the span, which may be a key in the wrong place.
func (r *Rejected) Add(id string, problem error) {
	if r.Spans == 0 {
		r.First = "span " + id + ": " + problem.Error()
	}
	r.Spans++
}

// String describes the rejected spans for people.
func (r *Rejected) String() string {
	switch r.Spans {
	case 0:
		return ""
	case 1:
		return r.First
	}
	return fmt.Sprintf("%s (and %d more spans)", r.First, r.Spans-1)
}

// Read returns a record for each span that is an AI call with token usage. It leaves out all other spans. The id of a
// record is <trace id>-<span id>, so that a span that is sent again counts once.
func Read(traces ptrace.Traces) (records []usage.Record, rejected Rejected) {
	for _, resource := range traces.ResourceSpans().All() {
		common := attributes{resource.Resource().Attributes()}
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				s := spanOf{span, attributes{span.Attributes()}, common}
				if !s.isCall() {
					continue
				}
				if record, err := s.record(); err != nil {
					rejected.Add(s.id(), err)
				} else {
					records = append(records, record)
				}
			}
		}
	}
	return records, rejected
}

// spanOf is a span and the attributes of its resource.
type spanOf struct {
	ptrace.Span
	attributes
	resource attributes
}

func (s *spanOf) id() string { return s.TraceID().String() + "-" + s.SpanID().String() }

// isCall reports whether the span is one AI call with token usage. The usage of agents, workflows and tools is the sum
// of the calls below them and would count twice.
func (s *spanOf) isCall() bool {
	if !s.has(inputNames) && !s.has(outputNames) {
		return false
	}
	if _, operation, found := s.first(callTypeNames[:1]); found && sums[operation.AsString()] {
		return false
	}
	_, kind, found := s.first(kindNames)
	return !found || calls[strings.ToUpper(kind.AsString())] != ""
}

var (
	errNoID   = errors.New("the trace id or the span id is missing")
	errNoTime = errors.New("the start time is missing or far off")
	errCost   = errors.New(costAttribute + ": must be a number of US dollars from 0 to 1000000")
)

// record maps the span. Its error is what is wrong with it. The rules of all records are left to usage.Record.Check.
func (s *spanOf) record() (r usage.Record, err error) {
	if s.TraceID().IsEmpty() || s.SpanID().IsEmpty() {
		return r, errNoID
	}
	r.ID = s.id()
	for _, read := range []func(*usage.Record) error{
		s.readTime, s.readTokens, s.readNames, s.readJob, s.readTags, s.readCost,
	} {
		if err := read(&r); err != nil {
			return usage.Record{}, err
		}
	}
	r.Status = usage.StatusOK
	if s.Span.Status().Code() == ptrace.StatusCodeError || s.has(errorNames) {
		r.Status = usage.StatusError
	}
	return r, nil
}

func (s *spanOf) readTime(r *usage.Record) error {
	start, end := s.StartTimestamp(), s.EndTimestamp()
	if start == 0 || start > math.MaxInt64 {
		return errNoTime
	}
	r.At = start.AsTime().Truncate(time.Microsecond)
	if end >= start {
		ms := int64((end - start) / 1e6)
		r.DurationMS = &ms
	}
	return nil
}

// readTokens reads counts that are inclusive: the input includes the cached tokens, the output the reasoning.
func (s *spanOf) readTokens(r *usage.Record) (err error) {
	var counts [5]int64
	for i, names := range [][]string{inputNames, outputNames, cacheReadNames, cacheWriteNames, reasoningNames} {
		if counts[i], err = s.count(names); err != nil {
			return err
		}
	}
	if r.Tokens, err = usage.FromInclusive(counts[0], counts[1], counts[2], counts[3]); err != nil {
		return err
	}
	r.Reasoning = counts[4]
	return nil
}

func (s *spanOf) readNames(r *usage.Record) (err error) {
	for _, read := range []struct {
		to    *string
		names []string
	}{
		{&r.Provider, providerNames}, {&r.Model, modelNames}, {&r.CallType, callTypeNames}, {&r.ServiceTier, tierNames},
	} {
		if *read.to, err = s.text(read.names...); err != nil {
			return err
		}
	}
	if !tiers[r.ServiceTier] {
		r.ServiceTier = ""
	}
	if r.CallType == "" {
		if _, kind, found := s.first(kindNames); found {
			r.CallType = calls[strings.ToUpper(kind.AsString())]
		}
	}
	r.Provider, r.Model = cmp.Or(r.Provider, unknown), cmp.Or(r.Model, unknown)
	r.CallType = cmp.Or(r.CallType, unknown)
	return nil
}

// readJob prefers what the program calls its job over a conversation.
func (s *spanOf) readJob(r *usage.Record) (err error) {
	for _, read := range []struct {
		from  attributes
		names []string
	}{{s.attributes, []string{jobAttribute}}, {s.resource, []string{jobAttribute}}, {s.attributes, jobNames}} {
		if r.Job, err = read.from.text(read.names...); r.Job != "" || err != nil {
			return err
		}
	}
	return nil
}

func (s *spanOf) readTags(r *usage.Record) error {
	own, err := s.list(tagsAttribute)
	if err != nil {
		return err
	}
	common, err := s.resource.list(tagsAttribute)
	if err != nil {
		return err
	}
	r.Tags = slices.Concat(own, common)
	slices.Sort(r.Tags)
	r.Tags = slices.Compact(r.Tags)
	return nil
}

// readCost reads a cost that the program knows. Libraries write what they compute from price tables of their own into
// other attributes. Those are ignored: the prices that the server is configured with count.
func (s *spanOf) readCost(r *usage.Record) error {
	v, found := s.Get(costAttribute)
	if !found {
		return nil
	}
	var dollars float64
	switch v.Type() {
	case pcommon.ValueTypeInt:
		dollars = float64(v.Int())
	case pcommon.ValueTypeDouble:
		dollars = v.Double()
	default:
		return errCost
	}
	cost, ok := usage.FromDollars(dollars)
	if !ok {
		return errCost
	}
	r.Cost = &cost
	return nil
}
