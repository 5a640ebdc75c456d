package cluster

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
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
		"[+] index: ok, as it was 3s ago\n[+] pepper: ok\n":                          {stateOK, stateOK},
		"[+] index: ok, as it was 3m0s ago: the API server does not answer\n":        {stateWrong},
		"[+] configuration: ok, revision 1 since 2, but a newer one can't be used\n": {stateWrong},
		"[+] database: ok, but its volume is almost full: 1 of 100 MiB are free\n":   {stateWrong},
		"[+] revoked-keys: ok, 3 wait for the database\n":                            {stateWrong},
		"[+] pepper: ok, but recorded keys are refused because of it\n":              {stateWrong},
		"[+] certificate: ok, until 2030-01-02T03:04:05Z\n":                          {stateOK},
		"[+] certificate: ok, until 2030-01-02T03:04:05Z, but changed files x\n":     {stateWrong},
		"[+] certificate: ok, but it ended at 2020-01-02T03:04:05Z\n":                {stateWrong},
		"[-] shutdown: the server is stopping\n":                                     {stateWrong},
		"[+] some-new-check: ok\n":                                                   {stateOK},
		"[+] index: ok\n[+] pepper: ok\n":                                            {stateOK, stateOK},
		"[-] index: not read yet\n[+] pepper: ok\n":                                  {stateWrong, stateOK},
		"[+] index: ok, as it was 3m0s ago: the API server is unreachable\n":         {stateWrong},
		"[+] database: ok for verification; management is refused: it is down\n":     {stateWrong},
		"[+] configuration: ok, revision 44136fa355b3 since 2026-11-21T08:00:00Z\n":  {stateOK},
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

func TestIsHeld(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	// lease was renewed at a time by the clock of its holder, and stored at another by that of the API server.
	lease := func(holder string, renewed, stored time.Duration) *coordinationv1.Lease {
		l := &coordinationv1.Lease{}
		l.Spec.HolderIdentity, l.Spec.LeaseDurationSeconds = &holder, new(int32(45))
		l.Spec.RenewTime = &metav1.MicroTime{Time: now.Add(-renewed)}
		l.ManagedFields = []metav1.ManagedFieldsEntry{
			{Time: &metav1.Time{Time: now}, FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{}}`)},
			{Time: &metav1.Time{Time: now.Add(-stored)}, FieldsV1: metav1.NewFieldsV1(`{"f:renewTime":{}}`)},
		}
		return l
	}
	unmanaged := lease("a", 44*time.Second, 0)
	unmanaged.ManagedFields = nil
	for name, c := range map[string]struct {
		lease *coordinationv1.Lease
		want  bool
	}{
		"just renewed":                    {lease("a", 0, 0), true},
		"about to end":                    {lease("a", 44*time.Second, 44*time.Second), true},
		"ended":                           {lease("a", 45*time.Second, 45*time.Second), false},
		"renewed by a clock that is late": {lease("a", time.Hour, time.Second), true},
		"ended by a clock that is early":  {lease("a", -time.Hour, time.Minute), false},
		"released":                        {lease("", 0, 0), false},
		"without managed fields":          {unmanaged, true},
		"empty":                           {&coordinationv1.Lease{}, false},
	} {
		if got := isHeld(c.lease, now); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestVersionOf(t *testing.T) {
	for image, want := range map[string]string{
		"keywright/server": "latest", "keywright/server:v1.2.3": "v1.2.3",
		"registry.example:5000/keywright/server": "latest", "registry.example:5000/keywright/server:v1": "v1",
		"keywright/server@sha256:abc": "", "keywright/server:v1@sha256:abc": "v1",
	} {
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: serverName}}
		d.Spec.Template.Spec.Containers = []corev1.Container{
			{Name: "sidecar", Image: "other:v9"}, {Name: "server", Image: image},
		}
		if got := versionOf(d); got != want {
			t.Errorf("%s: %q, want %q", image, got, want)
		}
	}
	if got := versionOf(&appsv1.Deployment{}); got != "" {
		t.Errorf("a Deployment without the container: %q", got)
	}
}
