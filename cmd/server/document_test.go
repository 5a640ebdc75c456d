package main

import (
	"log/slog"
	"path/filepath"
	"slices"
	"testing"

	"k8s.io/client-go/rest"

	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/httpapi/openapi"
	"keywright.dev/keywright/internal/key/pepper"
)

// The replies are compared with the document in test/management.
func TestOpenAPI_DescribesExactlyTheServedEndpoints(t *testing.T) {
	ring, err := pepper.Load(map[string][]byte{pepper.Active: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	s, err := newService(
		&rest.Config{}, ring, &options{database: filepath.Join(t.TempDir(), "db")}, slog.New(slog.DiscardHandler),
	)
	if err != nil {
		t.Fatal(err)
	}
	defer s.database.close()
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
