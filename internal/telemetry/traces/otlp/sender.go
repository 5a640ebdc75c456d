package otlp

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"

	"keywright.dev/keywright/internal/telemetry/traces"
)

// Program describes the process in the resource of its spans. Empty fields are left out.
type Program struct{ Name, Version, Instance, Pod, Namespace string }

// Sender sends spans. A nil Sender has no tracer.
type Sender struct {
	provider *trace.TracerProvider
	log      *slog.Logger
}

// Open returns nil if the environment names no collector. It does not connect.
func Open(ctx context.Context, program *Program, log *slog.Logger) (*Sender, error) {
	s, err := environment(os.Getenv).read()
	if err != nil || !s.isOn {
		return nil, err
	}
	described, err := program.resource(ctx)
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	exporter, err := otlptrace.New(ctx, clientOf(s.protocol))
	if err != nil {
		return nil, err
	}
	redirect(log)
	return &Sender{log: log, provider: trace.NewTracerProvider(
		trace.WithBatcher(&reporting{SpanExporter: exporter, log: log}), trace.WithResource(described),
	)}, nil
}

// redirect makes OpenTelemetry log as the program does. It has one logger for each process.
func redirect(log *slog.Logger) {
	otel.SetLogger(logr.Discard())
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		log.Warn("OpenTelemetry reports a fault", "error", err)
	}))
}

func clientOf(protocol string) otlptrace.Client {
	if protocol == protocolGRPC {
		return otlptracegrpc.NewClient()
	}
	return otlptracehttp.NewClient()
}

// resource lets the variables override what the program knows by itself.
func (p *Program) resource(ctx context.Context) (*resource.Resource, error) {
	var known []attribute.KeyValue
	for key, value := range map[attribute.Key]string{
		"service.name": p.Name, "service.version": p.Version, "service.instance.id": p.Instance,
		"k8s.pod.name": p.Pod, "k8s.namespace.name": p.Namespace,
	} {
		if value != "" {
			known = append(known, key.String(value))
		}
	}
	return resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(known...), resource.WithFromEnv())
}

// Tracer returns the tracer of the spans, or nil.
func (s *Sender) Tracer() *traces.Tracer {
	if s == nil {
		return nil
	}
	return traces.New(s.provider)
}

// Close sends the spans that wait, until ctx ends.
func (s *Sender) Close(ctx context.Context) {
	if s == nil {
		return
	}
	if err := s.provider.Shutdown(ctx); err != nil {
		s.log.Warn("The last spans could not be sent", "error", err)
	}
}

// reporting logs once per outage that spans cannot be sent. Spans that were not sent are lost.
type reporting struct {
	trace.SpanExporter
	log       *slog.Logger
	isFailing atomic.Bool
}

// ExportSpans is part of trace.SpanExporter.
func (r *reporting) ExportSpans(ctx context.Context, spans []trace.ReadOnlySpan) error {
	err := r.SpanExporter.ExportSpans(ctx, spans)
	switch {
	case err == nil:
		if r.isFailing.CompareAndSwap(true, false) {
			r.log.InfoContext(ctx, "Spans can be sent again")
		}
	case r.isFailing.CompareAndSwap(false, true):
		r.log.WarnContext(ctx, "Spans can't be sent, and are lost", "spans", len(spans), "error", err)
	default:
		r.log.DebugContext(ctx, "Spans can't be sent, and are lost", "spans", len(spans), "error", err)
	}
	return nil
}
