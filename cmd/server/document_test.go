package main

import (
	"slices"
	"testing"

	"keywright.dev/keywright/internal/httpapi/admin"
	"keywright.dev/keywright/internal/httpapi/keys"
	"keywright.dev/keywright/internal/httpapi/openapi"
)

// The document has every endpoint there is, and none that there is not. What they answer is held against it in
// test/management.
func TestDocumentHasEachEndpoint(t *testing.T) {
	described, err := openapi.Operations()
	if err != nil {
		t.Fatal(err)
	}
	there := slices.Concat(admin.Endpoints(), keys.Endpoints(), []string{"POST /graphql", "GET /auth", "POST /introspect"})
	slices.Sort(described)
	slices.Sort(there)
	if !slices.Equal(described, there) {
		t.Errorf("in the document: %q\nthere: %q", described, there)
	}
}
