package main

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"keywright.dev/keywright/internal/program"
	"keywright.dev/keywright/test/collector"
	"keywright.dev/keywright/test/kit"
)

func TestRun_FaultOfTracesIsOneLine(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317")
	var stderr kit.Log
	kubeconfig := kubeconfigFor(t, "http://"+closedPort(t))
	args := []string{"--pepper-dir=" + goodPepper(t), "--kubeconfig=" + kubeconfig, "--listen=127.0.0.1:0"}
	code := program.ExitCode(programName, run(t.Context(), args, io.Discard, &stderr), &stderr)
	want := "keywright-server: traces: OTEL_EXPORTER_OTLP_ENDPOINT must be a URL such as http://collector:4318"
	if said := stderr.String(); code != 1 || !strings.HasPrefix(said, want) || strings.Count(said, "\n") != 1 {
		t.Errorf("exit code %d, stderr %q", code, said)
	}
}

func TestRun_SendsSpans(t *testing.T) {
	c := collector.Start(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.HTTP)
	// In milliseconds: without it, the last spans are sent when the server stops, for flushTimeout.
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
	s := start(t, "--pepper-dir="+goodPepper(t), "--kubeconfig="+kubeconfigFor(t, "http://"+closedPort(t)),
		"--metrics-listen=0")
	if status, body := get(t, s.url+"/auth"); status != http.StatusServiceUnavailable {
		t.Errorf("got %d: %s", status, body)
	}
	eventually(t, "the span is there", func() bool { return len(c.Spans()) > 0 })
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	spans := c.Spans()
	if len(spans) != 1 {
		t.Fatalf("got %d spans; log %s", len(spans), s.stderr)
	}
	got := spans[0]
	if got.Name() != "auth" || got.Attribute("keywright.outcome") != "not_ready" ||
		got.Attribute("keywright.reason") != "" || got.Status().Code() != ptrace.StatusCodeError ||
		got.Resource["service.name"] != programName {
		t.Errorf("got %s %v of %v", got.Name(), got.Attributes().AsRaw(), got.Resource)
	}
}

// Every group of management has spans: the gate of the service has the tracer.
func TestService_RecordsSpansOfManagement(t *testing.T) {
	c := collector.Start(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.HTTP)
	log := slog.New(slog.DiscardHandler)
	var o *options
	s := newUnstarted(t, func(opened *options) {
		if err := opened.openSpans(t.Context(), log); err != nil {
			t.Fatal(err)
		}
		o = opened
	})
	main, err := mainHandler(s, log)
	if err != nil {
		t.Fatal(err)
	}
	groups := map[string]bool{}
	for _, group := range append(s.groups, s.pages...) {
		if !groups[group.Name] {
			groups[group.Name] = true
			ask(main, http.MethodGet, group.Prefix, nil)
		}
	}
	o.spans.Close(t.Context())
	for _, span := range c.Spans() {
		delete(groups, span.Attribute("keywright.surface"))
	}
	if len(groups) > 0 {
		t.Errorf("no spans of %v", groups)
	}
}
