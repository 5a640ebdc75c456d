package main

import (
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/rest"

	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/httpapi/openapi"
	"keywright.dev/keywright/internal/key/pepper"
)

// newUnstarted returns the server as it is wired, before it connects to anything.
func newUnstarted(t *testing.T, edits ...func(*options)) *service {
	t.Helper()
	o := &options{database: filepath.Join(t.TempDir(), "db")}
	for _, edit := range edits {
		edit(o)
	}
	ring, err := pepper.Load(map[string][]byte{pepper.Active: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	s, err := newService(&rest.Config{}, ring, o, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.database.close)
	return s
}

// The replies are compared with the document in test/management.
func TestOpenAPI_DescribesExactlyTheServedEndpoints(t *testing.T) {
	s := newUnstarted(t)
	described, err := openapi.Operations()
	if err != nil {
		t.Fatal(err)
	}
	served := append(httpapi.Endpoints(s.groups...), "GET /auth", "POST /introspect")
	slices.Sort(described)
	slices.Sort(served)
	if !slices.Equal(described, served) {
		t.Errorf("described %q, served %q", described, served)
	}
}

func TestService_ReportsEveryPart(t *testing.T) {
	s, log := newUnstarted(t), slog.New(slog.DiscardHandler)
	main, err := mainHandler(s, log)
	if err != nil {
		t.Fatal(err)
	}
	ready := ask(main, "GET", "/readyz?verbose", nil).Body.String()
	for _, part := range []string{"index", "configuration", "pepper", "database"} {
		if !strings.Contains(ready, "] "+part+": ") {
			t.Errorf("/readyz?verbose has no line for %s:\n%s", part, ready)
		}
	}
	metrics := ask(metricsHandler(s.metrics, log), "GET", "/metrics", nil).Body.String()
	for _, metric := range []string{
		"keywright_database_up", "keywright_decisions_total", "keywright_uses_dropped_total", "keywright_audit_dropped_total",
		"keywright_address_uses_dropped_total",
		"keywright_database_rows_removed_total", "keywright_prices_refused",
	} {
		if !strings.Contains(metrics, "\n# TYPE "+metric+" ") {
			t.Errorf("metric %s is missing", metric)
		}
	}
}
