package otlp

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"keywright.dev/keywright/test/collector"
	"keywright.dev/keywright/test/kit"
)

func openSender(t *testing.T, log *kit.Log, variables ...string) *Sender {
	t.Helper()
	for i := 0; i < len(variables); i += 2 {
		t.Setenv(variables[i], variables[i+1])
	}
	program := &Program{
		Name: "keywright-server", Version: "v1.2.3", Pod: "keywright-server-1", Namespace: "keywright-system",
	}
	options := &slog.HandlerOptions{Level: slog.LevelDebug}
	s, err := Open(t.Context(), program, slog.New(slog.NewTextHandler(log, options)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// request plays a request through a handler with a span.
func request(s *Sender) *httptest.ResponseRecorder {
	reply := httptest.NewRecorder()
	handler := s.Tracer().Of("auth", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
	}))
	handler.ServeHTTP(reply, httptest.NewRequest(http.MethodGet, "/auth", nil))
	return reply
}

func TestSender_IsOffWithoutVariables(t *testing.T) {
	s := openSender(t, &kit.Log{})
	if s != nil || s.Tracer() != nil {
		t.Fatal("spans are sent without a variable that asks for it")
	}
	if reply := request(s); reply.Code != http.StatusForbidden {
		t.Errorf("got %d", reply.Code)
	}
	s.Close(t.Context())
}

func TestSender_SendsByBothProtocols(t *testing.T) {
	for protocol, endpoint := range map[string]func(*collector.Collector) string{
		protocolHTTP: func(c *collector.Collector) string { return c.HTTP },
		protocolGRPC: func(c *collector.Collector) string { return c.GRPC },
	} {
		t.Run(protocol, func(t *testing.T) {
			c, log := collector.Start(t), &kit.Log{}
			s := openSender(t, log, endpointVariable, endpoint(c), protocolVariable, protocol,
				"OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test,service.version=v9",
				"OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20token\n")
			request(s)
			s.Close(t.Context())
			spans := c.Spans()
			if len(spans) != 1 || spans[0].Name() != "auth" {
				t.Fatalf("got %d spans; log %s", len(spans), log)
			}
			for name, want := range map[string]string{
				"service.name": "keywright-server", "service.version": "v9", "k8s.pod.name": "keywright-server-1",
				"k8s.namespace.name": "keywright-system", "deployment.environment.name": "test",
			} {
				if got := spans[0].Resource[name]; got != want {
					t.Errorf("%s is %v, want %s", name, got, want)
				}
			}
			if _, set := spans[0].Resource["service.instance.id"]; set {
				t.Error("an empty field is sent")
			}
			if protocol == protocolHTTP && c.Header().Get("Authorization") != "Bearer token" {
				t.Errorf("the collector got Authorization %q", c.Header().Get("Authorization"))
			}
			if log.String() != "" {
				t.Errorf("logged %s", log)
			}
		})
	}
}

func TestSender_FollowsTheSampler(t *testing.T) {
	c := collector.Start(t)
	s := openSender(t, &kit.Log{}, endpointVariable, c.HTTP, samplerVariable, "always_off")
	request(s)
	s.Close(t.Context())
	if spans := c.Spans(); len(spans) > 0 {
		t.Errorf("got %d spans", len(spans))
	}
}

// A collector that accepts connections and never answers is worse than one that refuses them.
func TestSender_SilentCollectorHoldsUpNothing(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	log := &kit.Log{}
	// One batch is on its way after the first spans, and no more than four wait.
	s := openSender(t, log, endpointVariable, "http://"+listener.Addr().String(), "OTEL_BSP_MAX_QUEUE_SIZE", "4",
		"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")
	for range 1000 {
		if reply := request(s); reply.Code != http.StatusForbidden {
			t.Fatalf("got %d", reply.Code)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	s.Close(ended)
	if lines := log.Lines("The last spans could not be sent"); len(lines) != 1 {
		t.Errorf("logged %s", log)
	}
}

// Faults that OpenTelemetry handles by itself would be lines of another form.
func TestSender_LogsFaultsOfOpenTelemetry(t *testing.T) {
	log := &kit.Log{}
	s := openSender(t, log, endpointVariable, collector.Start(t).HTTP)
	otel.Handle(errors.New("too many"))
	s.Close(t.Context())
	if said := log.String(); !strings.Contains(said, `level=WARN msg="OpenTelemetry reports a fault" error="too many"`) {
		t.Errorf("logged %s", said)
	}
}

// failing fails while err is set.
type failing struct {
	trace.SpanExporter
	err error
}

func (f *failing) ExportSpans(context.Context, []trace.ReadOnlySpan) error { return f.err }

func TestReporting_LogsAnOutageOnce(t *testing.T) {
	log, exporter := &kit.Log{}, &failing{err: errors.New("connection refused")}
	r := &reporting{SpanExporter: exporter, log: slog.New(slog.NewTextHandler(log, nil))}
	spans := tracetest.SpanStubs{{Name: "auth"}, {Name: "proxy"}}.Snapshots()
	send := func() {
		if err := r.ExportSpans(t.Context(), spans); err != nil {
			t.Errorf("the error is reported twice: %v", err)
		}
	}
	for range 3 {
		send()
	}
	said := log.Take()
	want := `level=WARN msg="Spans can't be sent, and are lost" spans=2`
	if strings.Count(said, "\n") != 1 || !strings.Contains(said, want) {
		t.Errorf("logged %s", said)
	}
	exporter.err = nil
	send()
	send()
	if said = log.Take(); strings.Count(said, "\n") != 1 || !strings.Contains(said, "Spans can be sent again") {
		t.Errorf("logged %s", said)
	}
	exporter.err = errors.New("connection refused")
	send()
	if said = log.Take(); !strings.Contains(said, "level=WARN") {
		t.Errorf("logged %s", said)
	}
}
