package extauthz

import (
	"context"

	"go.opentelemetry.io/otel/propagation"
	"google.golang.org/grpc/metadata"

	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/telemetry/traces"
)

// parent holds the trace context among the headers of a request.
type parent struct{ traceparent, tracestate string }

func (p *parent) read(name, value []byte) {
	switch string(name) {
	case traces.TraceParent:
		p.traceparent = string(value)
	case traces.TraceState:
		p.tracestate = string(value)
	}
}

// checkTraced is check in a span. Its parent is the span of Envoy's call, if Envoy records spans, and otherwise the one
// that the request itself names.
func (s *service) checkTraced(ctx context.Context, q *checkRequest) checkResponse {
	carrier := propagation.MapCarrier{traces.TraceParent: q.parent.traceparent, traces.TraceState: q.parent.tracestate}
	if call := metadata.ValueFromIncomingContext(ctx, traces.TraceParent); len(call) > 0 {
		carrier[traces.TraceParent] = call[0]
		carrier[traces.TraceState] = first(metadata.ValueFromIncomingContext(ctx, traces.TraceState))
	}
	ctx, span := s.gate.Tracer.Begin(ctx, carrier, gate.ExtAuthz.String())
	defer span.End()
	return s.check(ctx, q)
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}
