//go:build !race

package forwardauth

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// usual is what a gateway asks for most clients.
func usual() *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/auth", nil)
	r.Header = usualHeader()
	return r
}

func usualHeader() http.Header {
	return headers(
		"Authorization: Bearer x", "User-Agent: curl/8.5.0", "Accept: */*", "Accept-Encoding: gzip", "Cookie: a=1; b=2",
		"X-Forwarded-Method: GET", "X-Forwarded-Host: app.example", "X-Forwarded-Uri: /a?b=c", "X-Forwarded-Proto: https",
		"X-Forwarded-For: 203.0.113.9", "X-Request-Id: b5c1e0f4-2f0c-4a6e-9d0e-3a4b5c6d7e8f",
	)
}

func TestGateRequest_DoesNotAllocate(t *testing.T) {
	r := usual()
	if n := testing.AllocsPerRun(1000, func() { gateRequest(r) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestPathRequest_DoesNotAllocate(t *testing.T) {
	r := pathQuestion(http.MethodGet, "app.example", "/authz/a?b=c", usualHeader())
	if n := testing.AllocsPerRun(1000, func() { pathRequest(r) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkGateRequest(b *testing.B) {
	r := usual()
	b.ReportAllocs()
	for b.Loop() {
		gateRequest(r)
	}
}
