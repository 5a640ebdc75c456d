// Package collector is an OpenTelemetry collector for tests: it receives spans over HTTP and gRPC, and keeps them.
package collector

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
)

// Collector keeps what it receives.
type Collector struct {
	ptraceotlp.UnimplementedGRPCServer
	// HTTP and GRPC are URLs as in OTEL_EXPORTER_OTLP_ENDPOINT.
	HTTP, GRPC string

	mu       sync.Mutex
	requests []ptraceotlp.ExportRequest
	headers  http.Header
}

// Start starts a collector until the test ends.
func Start(tb testing.TB) *Collector {
	tb.Helper()
	c := &Collector{}
	server := httptest.NewServer(http.HandlerFunc(c.serve))
	tb.Cleanup(server.Close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	calls := grpc.NewServer()
	ptraceotlp.RegisterGRPCServer(calls, c)
	go func() { _ = calls.Serve(listener) }()
	tb.Cleanup(calls.Stop)
	c.HTTP, c.GRPC = server.URL, "http://"+listener.Addr().String()
	return c
}

func (c *Collector) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	request := ptraceotlp.NewExportRequest()
	if err == nil {
		err = request.UnmarshalProto(body)
	}
	if err != nil || r.URL.Path != "/v1/traces" {
		http.Error(w, "not an export of spans", http.StatusBadRequest)
		return
	}
	c.keep(request, r.Header)
	w.Header().Set("Content-Type", "application/x-protobuf")
	reply, _ := ptraceotlp.NewExportResponse().MarshalProto()
	_, _ = w.Write(reply)
}

// Export is part of ptraceotlp.GRPCServer.
func (c *Collector) Export(_ context.Context, r ptraceotlp.ExportRequest) (ptraceotlp.ExportResponse, error) {
	c.keep(r, nil)
	return ptraceotlp.NewExportResponse(), nil
}

func (c *Collector) keep(r ptraceotlp.ExportRequest, header http.Header) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests, c.headers = append(c.requests, r), header
}

// Span is a span and the resource that it belongs to.
type Span struct {
	ptrace.Span
	Resource map[string]any
}

// Attribute returns an attribute as text, or "".
func (s Span) Attribute(name string) string {
	value, found := s.Attributes().Get(name)
	if !found {
		return ""
	}
	return value.AsString()
}

// Spans returns all spans in the order in which they arrived.
func (c *Collector) Spans() (all []Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, request := range c.requests {
		for _, r := range request.Traces().ResourceSpans().All() {
			for _, scope := range r.ScopeSpans().All() {
				for _, span := range scope.Spans().All() {
					all = append(all, Span{span, r.Resource().Attributes().AsRaw()})
				}
			}
		}
	}
	return all
}

// Header returns the headers of the last export over HTTP.
func (c *Collector) Header() http.Header {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.headers
}

// Text returns everything that was received, as JSON.
func (c *Collector) Text(tb testing.TB) (text string) {
	tb.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, request := range c.requests {
		one, err := request.MarshalJSON()
		if err != nil {
			tb.Fatal(err)
		}
		text += string(one) + "\n"
	}
	return text
}
