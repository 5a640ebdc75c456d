package cluster

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestPolicies_AreThoseOfTheInstallation(t *testing.T) {
	files, err := filepath.Glob("../../../config/admission/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`(?m)^kind: ValidatingAdmissionPolicy\nmetadata:\n  name: (\S+)$`)
	found := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range named.FindAllStringSubmatch(string(text), -1) {
			found[match[1]] = true
		}
	}
	if installed := slices.Sorted(maps.Keys(found)); !slices.Equal(policies, installed) {
		t.Errorf("config/admission has %q, the doctor looks for %q", installed, policies)
	}
}

func TestReadiness_FindsWhatIsWrong(t *testing.T) {
	for text, want := range map[string][]string{
		"[+] index: ok\n[+] pepper: ok\n":                                           {stateOK, stateOK},
		"[-] index: not read yet\n[+] pepper: ok\n":                                 {stateWrong, stateOK},
		"[+] index: ok, as it was 3m0s ago: the API server is unreachable\n":        {stateWrong},
		"[+] database: ok for verification; management is refused: it is down\n":    {stateWrong},
		"[+] configuration: ok, revision 44136fa355b3 since 2026-11-21T08:00:00Z\n": {stateOK},
		"": nil,
	} {
		var got []string
		for _, f := range readinessOf(text) {
			got = append(got, f.State)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestIsHeld_EndsWithTheLease(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	seconds := int32(45)
	held := func(renewed time.Time) bool {
		l := &coordinationv1.Lease{}
		l.Spec.RenewTime, l.Spec.LeaseDurationSeconds = &metav1.MicroTime{Time: renewed}, &seconds
		return isHeld(l, now)
	}
	if !held(now) || !held(now.Add(-44*time.Second)) || held(now.Add(-45*time.Second)) ||
		isHeld(&coordinationv1.Lease{}, now) {
		t.Error("a Lease is held until its end")
	}
}
