package surfaces

import (
	"net/http"
	"testing"

	"keywright.dev/keywright/internal/config"
)

func TestSurfaces_RefuseOverBudget(t *testing.T) {
	for _, s := range surfaces {
		send := s.open(t, newGate(t, config.Runtime{}))
		for key, want := range map[string]int{spent: http.StatusTooManyRequests, another: http.StatusOK} {
			got := send(t, request{method: http.MethodGet, lines: []string{"Authorization: Bearer " + key}})
			if got.status != want || (got.app == nil) != (want != http.StatusOK) {
				t.Errorf("%s: %d, and the app got %v, want %d", s.name, got.status, got.app, want)
			}
		}
	}
}
