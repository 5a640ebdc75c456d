package main

import (
	"slices"
	"strings"
	"testing"

	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/test/pages/sitemap"
)

// A page that is not listed would escape the tests in test/pages.
func TestSitemap_ListsExactlyTheServedPages(t *testing.T) {
	var served []string
	for _, endpoint := range httpapi.Endpoints(newUnstarted(t).pages...) {
		if path, isGet := strings.CutPrefix(endpoint, "GET "); isGet {
			served = append(served, path)
		}
	}
	slices.Sort(served)
	if listed := sitemap.Routes(); !slices.Equal(listed, served) {
		t.Errorf("test/pages/sitemap lists %q, served are %q", listed, served)
	}
}
