package gate

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/telemetry/traces"
)

// Trace describes a decision in the span of ctx. The span gets the id of the key, and no part of the request.
func (g *Gate) Trace(ctx context.Context, d *Decision) {
	if g.Tracer != nil {
		d.describeIn(trace.SpanFromContext(ctx), "")
	}
}

// introspected begins the attributes of an introspected key, beside those of the caller that asks about it.
const introspected = "introspected."

// TraceIntrospected describes the decision on a key that a gateway asks about, beside the decision on the gateway.
func (g *Gate) TraceIntrospected(ctx context.Context, d *Decision) {
	if g.Tracer != nil {
		d.describeIn(trace.SpanFromContext(ctx), introspected)
	}
}

func (d *Decision) describeIn(span trace.Span, of string) {
	if !span.IsRecording() {
		return
	}
	set := func(key attribute.Key, value string) {
		if value != "" {
			span.SetAttributes(attribute.String(strings.Replace(string(key), "keywright.", "keywright."+of, 1), value))
		}
	}
	kind, _, _ := strings.Cut(d.Caller.Subject, "/")
	set(traces.Outcome, d.Outcome.String())
	set(traces.Credential, d.Caller.Credential.String())
	set(traces.SubjectKind, kind)
	set(traces.KeyID, d.Caller.verdict.KeyID())
	if d.Presented && d.verdict != verify.Accepted {
		set(traces.Reason, d.verdict.String())
	}
	if d.Outcome == NotReady || d.Outcome == Stale {
		span.SetStatus(codes.Error, "")
	}
}
