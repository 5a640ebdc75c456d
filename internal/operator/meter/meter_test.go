package meter

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestEachCounterCountsItsOwn(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	m, err := New(registry)
	if err != nil {
		t.Fatal(err)
	}
	m.Issued("AdminUser")
	m.Rotated("AdminUser", "rotation_requested")
	m.Rotated("AdminUser", "rotation_requested")
	m.Adopted("APIKey")
	m.Ended("APIKey", "overlap", 3)
	m.Conflict("APIKey", "write")
	want := `
# HELP keywright_conflicts_total Writes that lost against somebody else's, and Secrets that are somebody else's.
# TYPE keywright_conflicts_total counter
keywright_conflicts_total{kind="APIKey",what="write"} 1
# HELP keywright_key_rotations_total Keys that took another's place, by why.
# TYPE keywright_key_rotations_total counter
keywright_key_rotations_total{kind="AdminUser",reason="rotation_requested"} 2
# HELP keywright_keys_adopted_total Keys that a person brought and that were taken over.
# TYPE keywright_keys_adopted_total counter
keywright_keys_adopted_total{kind="APIKey"} 1
# HELP keywright_keys_ended_total Keys that are accepted no more, by why.
# TYPE keywright_keys_ended_total counter
keywright_keys_ended_total{kind="APIKey",reason="overlap"} 3
# HELP keywright_keys_issued_total Keys delivered into a Secret, those of rotations included.
# TYPE keywright_keys_issued_total counter
keywright_keys_issued_total{kind="AdminUser"} 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
	problems, err := testutil.GatherAndLint(registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}

func TestNobodyCounts(*testing.T) {
	var m *Meter
	m.Issued("AdminUser")
	m.Rotated("AdminUser", "rotation_requested")
	m.Adopted("APIKey")
	m.Ended("APIKey", "overlap", 3)
	m.Conflict("APIKey", "write")
}

func TestTwoMetersOfOneRegistry(t *testing.T) {
	registry := prometheus.NewRegistry()
	if _, err := New(registry); err != nil {
		t.Fatal(err)
	}
	if _, err := New(registry); err == nil {
		t.Error("registered twice")
	}
}
