package gitops

import (
	"encoding/json"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"pgregory.net/rapid"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"

	"keywright.dev/keywright/api/v1alpha1"
)

const (
	readyTrue  = `{"type":"Ready","status":"True","reason":"Issued","message":"The key is in its Secret."}`
	readyFalse = `{"type":"Ready","status":"False","reason":"Issuing","message":"The first key is on its way."}`
	active     = `{"type":"Active","status":"True","reason":"Accepted","message":"The key is accepted."}`
	stalled    = `{"type":"Stalled","status":"True","reason":"SecretConflict","message":"Delete the Secret."}`
	waiting    = `{"type":"Reconciling","status":"True","reason":"UnknownRole","message":"AccessRole reader is missing."}`
	waited     = `{"type":"Stalled","status":"True","reason":"UnknownRole","message":"AccessRole reader is missing."}`
	working    = `{"type":"Reconciling","status":"True","reason":"Rotating","message":"A new key is on its way."}`
)

// ended is condition Active of a key that is refused for a reason.
func ended(reason string) string {
	return `{"type":"Active","status":"False","reason":"` + reason + `","message":"It is ` + reason + `."}`
}

// object returns an object whose status describes the current spec.
func object(conditions string) string {
	return `{"metadata":{"generation":2},"status":{"observedGeneration":2,"conditions":[` + conditions + `]}}`
}

func TestHealth(t *testing.T) {
	script := readHealthScript()
	for name, test := range map[string]struct {
		object string
		want   health
	}{
		"done":     {object(readyTrue + "," + active), health{"Healthy", "The key is in its Secret."}},
		"disabled": {object(readyTrue + "," + ended("Disabled")), health{"Healthy", "It is Disabled."}},
		"expired":  {object(ended("Expired") + "," + readyTrue), health{"Healthy", "It is Expired."}},
		"revoked":  {object(readyTrue + "," + ended("Revoked")), health{"Healthy", "It is Revoked."}},
		"demoted":  {object(readyTrue + "," + ended("Demoted")), health{"Healthy", "It is Demoted."}},
		"stalled": {object(readyFalse + "," + active + "," + stalled),
			health{"Degraded", "Delete the Secret."}},
		"rotating": {object(readyFalse + "," + active + "," + working),
			health{"Progressing", "A new key is on its way."}},
		"waiting for another object": {object(readyFalse + "," + ended("NoKey") + "," + waiting),
			health{"Progressing", "AccessRole reader is missing."}},
		"waited long enough": {object(readyFalse + "," + ended("NoKey") + "," + waited),
			health{"Degraded", "AccessRole reader is missing."}},
		"not ready, without a reason": {object(readyFalse), health{"Progressing", "The first key is on its way."}},
		"no Ready":                    {object(active), health{"Progressing", "Waiting for the operator."}},
		"no conditions":               {object(""), health{"Progressing", "Waiting for the operator."}},
		"conditions null": {`{"metadata":{"generation":2},"status":{"observedGeneration":2,"conditions":null}}`,
			health{"Progressing", "Waiting for the operator."}},
		"no status": {`{"metadata":{"generation":1}}`, health{"Progressing", "Waiting for the operator to see the change."}},
		"an earlier spec": {`{"metadata":{"generation":3},"status":{"observedGeneration":2,"conditions":[` + readyTrue +
			`]}}`,
			health{"Progressing", "Waiting for the operator to see the change."}},
		"stalled by an earlier spec": {`{"metadata":{"generation":3},"status":{"observedGeneration":2,"conditions":[` +
			stalled + `]}}`,
			health{"Progressing", "Waiting for the operator to see the change."}},
		"a default observedGeneration": {`{"metadata":{"generation":1},"status":{"observedGeneration":-1}}`,
			health{"Progressing", "Waiting for the operator to see the change."}},
		"being deleted": {`{"metadata":{"generation":2,"deletionTimestamp":"2030-01-01T12:00:00Z"},"status":{"observedGeneration":2,"conditions":[` + readyTrue + `]}}`,
			health{"Progressing", "It is being deleted."}},
		"status is a text": {`{"metadata":{"generation":2},"status":"fine"}`,
			health{"Progressing", "Waiting for the operator to see the change."}},
		"a message is missing":  {object(`{"type":"Ready","status":"True"}`), health{"Healthy", ""}},
		"a message is a list":   {object(`{"type":"Ready","status":"True","message":[1]}`), health{"Healthy", ""}},
		"a condition is a text": {object(`"Ready",` + readyTrue), health{"Healthy", "The key is in its Secret."}},
		"conditions are a map": {`{"metadata":{"generation":2},"status":{"observedGeneration":2,"conditions":{"Ready":true}}}`,
			health{"Progressing", "Waiting for the operator."}},
		"nothing": {`{}`, health{"Progressing", "Waiting for the operator to see the change."}},
	} {
		t.Run(name, func(t *testing.T) {
			var content map[string]any
			if err := json.Unmarshal([]byte(test.object), &content); err != nil {
				t.Fatal(err)
			}
			got, err := assess(script, content)
			if err != nil {
				t.Fatal(err)
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// An error in the script would make an object, and its whole Application, Unknown.
func TestHealth_AcceptsAnyObject(t *testing.T) {
	script := readHealthScript()
	rapid.Check(t, func(t *rapid.T) {
		got, err := assess(script,
			map[string]any{"metadata": anything(3).Draw(t, "metadata"), "status": anything(4).Draw(t, "status")})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(codes, got.status) {
			t.Fatalf("Argo CD does not have status %q", got.status)
		}
	})
}

// anything generates JSON with the names and values that the script reads, in right and wrong places.
func anything(depth int) *rapid.Generator[any] {
	names := rapid.SampledFrom([]string{"generation", "observedGeneration", "deletionTimestamp", "conditions", "type",
		"status", "message", "manager", "time", v1alpha1.AnnotationConfigurationStatus})
	leaves := []*rapid.Generator[any]{
		rapid.Just[any](nil), rapid.Bool().AsAny(), rapid.Int64Range(-1, 3).AsAny(), rapid.Float64().AsAny(),
		rapid.SampledFrom([]string{"Ready", "Stalled", "Reconciling", "Active", "True", "False", ""}).AsAny(),
	}
	if depth == 0 {
		return rapid.OneOf(leaves...)
	}
	inner := rapid.Deferred(func() *rapid.Generator[any] { return anything(depth - 1) })
	return rapid.OneOf(append(leaves, rapid.SliceOfN(inner, 0, 4).AsAny(), rapid.MapOfN(names, inner, 0, 5).AsAny())...)
}

// Argo CD and Flux always agree. Objects that the operator has not seen are left out, because kstatus calls them
// current.
func TestHealth_MatchesKstatus(t *testing.T) {
	script := readHealthScript()
	means := map[status.Status]string{
		status.CurrentStatus: "Healthy", status.InProgressStatus: "Progressing",
		status.FailedStatus: "Degraded", status.TerminatingStatus: "Progressing",
	}
	rapid.Check(t, func(t *rapid.T) {
		content := seen().Draw(t, "object")
		other, err := status.Compute(&unstructured.Unstructured{Object: content})
		if err != nil {
			t.Fatal(err)
		}
		got, err := assess(script, content)
		if err != nil {
			t.Fatal(err)
		}
		if want := means[other.Status]; got.status != want {
			t.Fatalf("Argo CD reports %s, kstatus %s", got.status, other.Status)
		}
	})
}

// seen generates an object that the operator has seen, with this spec or an earlier one.
func seen() *rapid.Generator[map[string]any] {
	return rapid.Custom(func(t *rapid.T) map[string]any {
		metadata := map[string]any{"generation": rapid.Int64Range(1, 3).Draw(t, "generation")}
		if rapid.Bool().Draw(t, "deleted") {
			metadata["deletionTimestamp"] = "2030-01-01T12:00:00Z"
		}
		truth := rapid.SampledFrom([]string{"True", "False"})
		conditions := []any{
			map[string]any{"type": "Ready", "status": truth.Draw(t, "Ready")},
			map[string]any{"type": "Active", "status": truth.Draw(t, "Active")},
		}
		if extra := rapid.SampledFrom([]string{"", "Stalled", "Reconciling", "LastAdmin"}).Draw(t, "extra"); extra != "" {
			conditions = append(conditions, map[string]any{"type": extra, "status": truth.Draw(t, extra)})
		}
		return map[string]any{"metadata": metadata, "status": map[string]any{
			"observedGeneration": rapid.Int64Range(1, 3).Draw(t, "observed"),
			"conditions":         rapid.Permutation(conditions).Draw(t, "conditions"),
		}}
	})
}
