package site

import (
	"maps"
	"testing"

	"keywright.dev/keywright/internal/config"
)

func TestSettings_AreValid(t *testing.T) {
	all := maps.Clone(settings)
	all["ADMIN_KEY_SECRET"] = "keywright-bootstrap/key"
	if _, faults := config.Parse(all); len(faults) > 0 {
		t.Error(faults)
	}
}
