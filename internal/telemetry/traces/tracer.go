package traces

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Attributes of spans.
const (
	Surface     = attribute.Key("keywright.surface")
	Outcome     = attribute.Key("keywright.outcome")
	Reason      = attribute.Key("keywright.reason")
	Credential  = attribute.Key("keywright.credential")
	KeyID       = attribute.Key("keywright.key_id")
	SubjectKind = attribute.Key("keywright.subject_kind")

	// These have the names of OpenTelemetry's semantic conventions.
	method = attribute.Key("http.request.method")
	route  = attribute.Key("http.route")
	status = attribute.Key("http.response.status_code")
)

// Headers of W3C Trace Context.
const (
	TraceParent = "traceparent"
	TraceState  = "tracestate"
)

var headers propagation.TraceContext

// Tracer begins spans. A nil Tracer begins none and costs nothing.
type Tracer struct{ tracer trace.Tracer }

// New returns a tracer of a provider.
func New(p trace.TracerProvider) *Tracer {
	return &Tracer{p.Tracer("keywright.dev/keywright/internal/telemetry/traces")}
}

// Of returns a handler with a span for each request. The surface is the name of the span until Route sets another.
func (t *Tracer) Of(surface string, next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Serve(w, r, surface, func(ctx context.Context, w http.ResponseWriter) { next.ServeHTTP(w, r.WithContext(ctx)) })
	})
}

// Serve is Of for a handler that needs the original request: serve gets the context with the span.
func (t *Tracer) Serve(
	w http.ResponseWriter, r *http.Request, surface string, serve func(context.Context, http.ResponseWriter),
) {
	if t == nil {
		serve(r.Context(), w)
		return
	}
	ctx, span := t.Begin(r.Context(), propagation.HeaderCarrier(r.Header), surface)
	span.SetAttributes(method.String(knownMethod(r.Method)))
	reply, isComplete := &statusWriter{ResponseWriter: w}, false
	defer func() {
		if code := reply.sent(isComplete); code != 0 {
			span.SetAttributes(status.Int(code))
		}
		if !isComplete || reply.status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}()
	serve(ctx, reply)
	isComplete = true
}

// Begin begins a span under the parent that a carrier names.
func (t *Tracer) Begin(
	ctx context.Context, carrier propagation.TextMapCarrier, surface string,
) (context.Context, trace.Span) {
	return t.tracer.Start(headers.Extract(ctx, carrier), surface, trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(Surface.String(surface)))
}

// Route names the span of a request after its route, such as "GET /api/admin/users/{username}".
func (t *Tracer) Route(ctx context.Context, verb, pattern string) {
	if t == nil {
		return
	}
	span := trace.SpanFromContext(ctx)
	span.SetName(verb + " " + pattern)
	span.SetAttributes(route.String(pattern))
}

// Propagate makes the span of ctx the parent of what the receiver of a request does. Without a tracer the headers stay
// as the client sent them.
func (t *Tracer) Propagate(ctx context.Context, header http.Header) {
	if t == nil {
		return
	}
	header.Del(TraceParent)
	header.Del(TraceState)
	headers.Inject(ctx, propagation.HeaderCarrier(header))
}

// knownMethod bounds what a client can put into a span.
func knownMethod(name string) string {
	switch name {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return name
	}
	return "_OTHER"
}
