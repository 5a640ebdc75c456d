package genai

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/manage/usage"
)

var start = time.Date(2030, 1, 1, 12, 0, 0, 123456789, time.UTC)

const id = "0102030405060708090a0b0c0d0e0f10-0102030405060708"

// fixture is one span in one resource.
type fixture struct {
	ptrace.Traces
	span ptrace.Span
}

func newFixture(tb testing.TB, attributes map[string]any) fixture {
	tb.Helper()
	f := fixture{Traces: ptrace.NewTraces()}
	f.span = f.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	f.span.SetTraceID([16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
	f.span.SetSpanID([8]byte{1, 2, 3, 4, 5, 6, 7, 8})
	f.span.SetStartTimestamp(pcommon.NewTimestampFromTime(start))
	f.span.SetEndTimestamp(pcommon.NewTimestampFromTime(start.Add(1500 * time.Millisecond)))
	if err := f.span.Attributes().FromRaw(attributes); err != nil {
		tb.Fatal(err)
	}
	return f
}

// one returns the record of the span.
func (f fixture) one(tb testing.TB) usage.Record {
	tb.Helper()
	records, rejected := Read(f.Traces)
	if len(records) != 1 || rejected.Spans != 0 {
		tb.Fatalf("%d records, rejected: %s", len(records), &rejected)
	}
	return records[0]
}

// with returns the attributes of a call with more, or others. A nil value removes one.
func with(more map[string]any) map[string]any {
	all := map[string]any{
		"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.response.model": "gpt-4o-2024-08-06",
		"gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 20,
	}
	for name, value := range more {
		if all[name] = value; value == nil {
			delete(all, name)
		}
	}
	return all
}

func TestRead_MapsEveryField(t *testing.T) {
	f := newFixture(t, with(map[string]any{
		"gen_ai.usage.cache_read.input_tokens": 60, "gen_ai.usage.cache_write.input_tokens": 10,
		"gen_ai.usage.reasoning.output_tokens": 5, "gen_ai.conversation.id": "conversation-1",
		"openai.response.service_tier": "flex", "keywright.tags": []any{"nightly", "eu"}, "keywright.cost_usd": 0.25,
		"gen_ai.input.messages": "not stored",
	}))
	f.ResourceSpans().At(0).Resource().Attributes().PutStr("keywright.tags", "eu, team-a")
	want := usage.Record{
		ID: id, At: start.Truncate(time.Microsecond), Job: "conversation-1",
		Provider: "openai", Model: "gpt-4o-2024-08-06", CallType: "chat",
		Tokens:     usage.Tokens{Input: 30, Output: 20, CacheRead: 60, CacheWrite: 10, Reasoning: 5},
		DurationMS: new(int64(1500)), Cost: new(usage.Dollar / 4), ServiceTier: "flex", Status: usage.StatusOK,
		Tags: []string{"eu", "nightly", "team-a"},
	}
	if got := f.one(t); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestRead_UnderstandsEveryNameOfACount(t *testing.T) {
	base := usage.Tokens{Input: 100, Output: 20}
	for _, c := range []struct {
		names []string
		value int
		want  usage.Tokens
		with  map[string]any
	}{
		{inputNames, 7, usage.Tokens{Input: 7, Output: 20}, map[string]any{"gen_ai.usage.input_tokens": nil}},
		{outputNames, 7, usage.Tokens{Input: 100, Output: 7}, map[string]any{"gen_ai.usage.output_tokens": nil}},
		{cacheReadNames, 7, usage.Tokens{Input: 93, Output: 20, CacheRead: 7}, nil},
		{cacheWriteNames, 7, usage.Tokens{Input: 93, Output: 20, CacheWrite: 7}, nil},
		{reasoningNames, 7, usage.Tokens{Input: 100, Output: 20, Reasoning: 7}, nil},
	} {
		for _, name := range c.names {
			attributes := with(c.with)
			attributes[name] = c.value
			if got := newFixture(t, attributes).one(t).Tokens; got != c.want {
				t.Errorf("%s: got %+v, want %+v", name, got, c.want)
			}
		}
	}
	if got := newFixture(t, with(nil)).one(t).Tokens; got != base {
		t.Errorf("got %+v, want %+v", got, base)
	}
}

func TestRead_UnderstandsEveryNameOfAText(t *testing.T) {
	without := map[string]any{
		"gen_ai.operation.name": nil, "gen_ai.provider.name": nil, "gen_ai.response.model": nil, "gen_ai.request.model": nil,
	}
	for _, c := range []struct {
		names []string
		value string
		field func(*usage.Record) string
	}{
		{providerNames, "anthropic", func(r *usage.Record) string { return r.Provider }},
		{modelNames, "claude", func(r *usage.Record) string { return r.Model }},
		{callTypeNames, "text_completion", func(r *usage.Record) string { return r.CallType }},
		{append([]string{jobAttribute}, jobNames...), "job-7", func(r *usage.Record) string { return r.Job }},
		{tierNames, "batch", func(r *usage.Record) string { return r.ServiceTier }},
	} {
		for i, name := range c.names {
			attributes := with(without)
			for _, later := range c.names[i+1:] {
				attributes[later] = "another"
			}
			attributes[name] = c.value
			r := newFixture(t, attributes).one(t)
			if got := c.field(&r); got != c.value {
				t.Errorf("%s: got %q, want %q", name, got, c.value)
			}
		}
	}
	r := newFixture(t, with(without)).one(t)
	if r.Provider != unknown || r.Model != unknown || r.CallType != unknown || r.Job != "" || r.ServiceTier != "" {
		t.Errorf("without names: %+v", r)
	}
}

func TestRead_TakesJobAndTagsOfTheProgram(t *testing.T) {
	f := newFixture(t, with(map[string]any{"gen_ai.conversation.id": "conversation-1"}))
	program := f.ResourceSpans().At(0).Resource().Attributes()
	program.PutStr(jobAttribute, "nightly")
	program.PutStr(tagsAttribute, "")
	if got := f.one(t); got.Job != "nightly" || len(got.Tags) != 0 {
		t.Errorf("got job %q, tags %q", got.Job, got.Tags)
	}
	f.span.Attributes().PutStr(jobAttribute, "today")
	if got := f.one(t); got.Job != "today" {
		t.Errorf("got job %q", got.Job)
	}
}

// The usage of an agent is the sum of its calls, which have spans of their own.
func TestRead_CountsOnlyCalls(t *testing.T) {
	for name, c := range map[string]struct {
		more   map[string]any
		isCall bool
	}{
		"chat":                      {nil, true},
		"embeddings without output": {map[string]any{"gen_ai.usage.output_tokens": nil}, true},
		"an operation of its own":   {map[string]any{"gen_ai.operation.name": "transcribe"}, true},
		"no operation":              {map[string]any{"gen_ai.operation.name": nil}, true},
		"no usage": {
			map[string]any{"gen_ai.usage.output_tokens": nil, "gen_ai.usage.input_tokens": nil}, false,
		},
		"an agent":               {map[string]any{"gen_ai.operation.name": "invoke_agent"}, false},
		"a new agent":            {map[string]any{"gen_ai.operation.name": "create_agent"}, false},
		"a workflow":             {map[string]any{"gen_ai.operation.name": "invoke_workflow"}, false},
		"a tool":                 {map[string]any{"gen_ai.operation.name": "execute_tool"}, false},
		"OpenInference's LLM":    {map[string]any{"openinference.span.kind": "LLM"}, true},
		"OpenInference's chain":  {map[string]any{"openinference.span.kind": "CHAIN"}, false},
		"OpenInference's agent":  {map[string]any{"openinference.span.kind": "AGENT"}, false},
		"OpenLLMetry's workflow": {map[string]any{"traceloop.span.kind": "workflow"}, false},
	} {
		records, rejected := Read(newFixture(t, with(c.more)).Traces)
		if (len(records) == 1) != c.isCall || rejected.Spans != 0 {
			t.Errorf("%s: %d records, rejected: %s", name, len(records), &rejected)
		}
	}
}

func TestRead_CallTypeFromKind(t *testing.T) {
	for kind, want := range calls {
		attributes := with(map[string]any{"gen_ai.operation.name": nil, "openinference.span.kind": kind})
		if got := newFixture(t, attributes).one(t).CallType; got != want {
			t.Errorf("%s: %s", kind, got)
		}
	}
}

func TestRead_RejectsWhatItCannotCount(t *testing.T) {
	const input = "gen_ai.usage.input_tokens"
	const count = input + ": must be a whole number from 0 to 1000000000"
	for name, c := range map[string]struct {
		more map[string]any
		want string
	}{
		"text":                    {map[string]any{input: "100"}, count},
		"a fraction":              {map[string]any{input: 1.5}, count},
		"NaN":                     {map[string]any{input: math.NaN()}, count},
		"infinity":                {map[string]any{input: math.Inf(1)}, count},
		"a huge double":           {map[string]any{input: 1e300}, count},
		"a list":                  {map[string]any{input: []any{1}}, count},
		"negative":                {map[string]any{input: -1}, "input tokens: -1 is not from 0 to"},
		"huge":                    {map[string]any{input: int64(math.MaxInt64)}, "input tokens: 9223372036854775807 is not"},
		"more cached than input":  {map[string]any{"gen_ai.usage.cache_read.input_tokens": 101}, "the cached tokens exceed"},
		"negative cached":         {map[string]any{"gen_ai.usage.cache_read.input_tokens": -1}, "cache read tokens: -1"},
		"a model that is a truth": {map[string]any{"gen_ai.response.model": true}, "gen_ai.response.model: must be text"},
		"a job that is a list":    {map[string]any{"session.id": []any{"a"}}, "session.id: must be text"},
		"tags that are a number":  {map[string]any{tagsAttribute: 7}, "keywright.tags: must be a list of texts"},
		"a tag that is a number":  {map[string]any{tagsAttribute: []any{7}}, "keywright.tags: must be a list of texts"},
		"a cost that is NaN":      {map[string]any{costAttribute: math.NaN()}, "keywright.cost_usd: must be"},
		"a negative cost":         {map[string]any{costAttribute: -0.01}, "keywright.cost_usd: must be"},
		"a cost that is text":     {map[string]any{costAttribute: "1"}, "keywright.cost_usd: must be"},
		"a huge cost":             {map[string]any{costAttribute: 1_000_001}, "keywright.cost_usd: must be"},
	} {
		records, rejected := Read(newFixture(t, with(c.more)).Traces)
		if len(records) != 0 || rejected.Spans != 1 || !strings.HasPrefix(rejected.First, "span "+id+": "+c.want) {
			t.Errorf("%s: %d records, rejected: %q", name, len(records), rejected.First)
		}
	}
}

func TestRead_RejectsSpansWithoutIDOrTime(t *testing.T) {
	for name, spoil := range map[string]func(ptrace.Span){
		"no trace id":      func(s ptrace.Span) { s.SetTraceID(pcommon.TraceID{}) },
		"no span id":       func(s ptrace.Span) { s.SetSpanID(pcommon.SpanID{}) },
		"no start":         func(s ptrace.Span) { s.SetStartTimestamp(0) },
		"a start far away": func(s ptrace.Span) { s.SetStartTimestamp(math.MaxUint64) },
	} {
		f := newFixture(t, with(nil))
		spoil(f.span)
		if records, rejected := Read(f.Traces); len(records) != 0 || rejected.Spans != 1 {
			t.Errorf("%s: %d records, rejected: %s", name, len(records), &rejected)
		}
	}
}

func TestRead_AcceptsWholeDoubles(t *testing.T) {
	if got := newFixture(t, with(map[string]any{"gen_ai.usage.input_tokens": 12.0})).one(t); got.Input != 12 {
		t.Errorf("got %d", got.Input)
	}
}

func TestRead_StatusAndDuration(t *testing.T) {
	took := new(int64(1500))
	for name, c := range map[string]struct {
		change func(ptrace.Span)
		status string
		ms     *int64
	}{
		"ok":            {func(s ptrace.Span) { s.Status().SetCode(ptrace.StatusCodeOk) }, usage.StatusOK, took},
		"failed":        {func(s ptrace.Span) { s.Status().SetCode(ptrace.StatusCodeError) }, usage.StatusError, took},
		"error type":    {func(s ptrace.Span) { s.Attributes().PutStr("error.type", "timeout") }, usage.StatusError, took},
		"no end":        {func(s ptrace.Span) { s.SetEndTimestamp(0) }, usage.StatusOK, nil},
		"end too early": {func(s ptrace.Span) { s.SetEndTimestamp(1) }, usage.StatusOK, nil},
		"no duration":   {func(s ptrace.Span) { s.SetEndTimestamp(s.StartTimestamp()) }, usage.StatusOK, new(int64)},
	} {
		f := newFixture(t, with(nil))
		c.change(f.span)
		if got := f.one(t); got.Status != c.status || !reflect.DeepEqual(got.DurationMS, c.ms) {
			t.Errorf("%s: %s, %v", name, got.Status, got.DurationMS)
		}
	}
}

// A service tier with a price of its own is kept, any other is the default.
func TestRead_KeepsPricedTiers(t *testing.T) {
	for tier, want := range map[string]string{
		"batch": "batch", "flex": "flex", "priority": "priority", "default": "", "auto": "", "scale": "", "": "",
	} {
		if got := newFixture(t, with(map[string]any{"openai.response.service_tier": tier})).one(t).ServiceTier; got != want {
			t.Errorf("%q: got %q", tier, got)
		}
	}
}

func TestRejected_CountsAndShowsTheFirst(t *testing.T) {
	f := newFixture(t, with(map[string]any{"gen_ai.usage.input_tokens": "x"}))
	spans := f.ResourceSpans().At(0).ScopeSpans().At(0).Spans()
	for range 2 {
		f.span.CopyTo(spans.AppendEmpty())
	}
	_, rejected := Read(f.Traces)
	if rejected.Spans != 3 || !strings.HasSuffix(rejected.String(), "(and 2 more spans)") {
		t.Errorf("%s", &rejected)
	}
}

// What a span says of the whole prompt is what its record says in parts.
func TestRead_IsInclusive(t *testing.T) {
	count := rapid.IntRange(0, 1000)
	rapid.Check(t, func(rt *rapid.T) {
		input, read, write := count.Draw(rt, "input"), count.Draw(rt, "read"), count.Draw(rt, "write")
		output, reasoning := count.Draw(rt, "output"), count.Draw(rt, "reasoning")
		records, rejected := Read(newFixture(t, with(map[string]any{
			"gen_ai.usage.input_tokens": input, "gen_ai.usage.cache_read.input_tokens": read,
			"gen_ai.usage.cache_creation.input_tokens": write, "gen_ai.usage.output_tokens": output,
			"gen_ai.usage.reasoning.output_tokens": reasoning,
		})).Traces)
		if read+write > input {
			if rejected.Spans != 1 {
				rt.Fatalf("accepted: %+v", records)
			}
			return
		}
		if len(records) != 1 || records[0].Prompt() != int64(input) || records[0].Output != int64(output) {
			rt.Fatalf("%+v, rejected: %s", records, &rejected)
		}
	})
}

// The tables have no name twice: an attribute has one meaning.
func TestNames_AreDistinct(t *testing.T) {
	all := slices.Concat(inputNames, outputNames, cacheReadNames, cacheWriteNames, reasoningNames, providerNames,
		modelNames, callTypeNames, jobNames, tierNames, errorNames, kindNames)
	slices.Sort(all)
	if distinct := slices.Compact(slices.Clone(all)); len(distinct) != len(all) {
		t.Errorf("%q", all)
	}
}
