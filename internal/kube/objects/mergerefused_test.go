package objects

import (
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"keywright.dev/keywright/api/v1alpha1"
)

// Whatever was recorded, the list has each recorded key once at most, and the entry that was set.
func TestMergeRefused(t *testing.T) {
	draw := rapid.Custom(func(t *rapid.T) string { return strconv.Itoa(rapid.IntRange(0, 40).Draw(t, "id")) })
	rapid.Check(t, func(t *rapid.T) {
		var list []v1alpha1.RefusedKey
		var recorded []v1alpha1.KeyStatus
		for _, id := range rapid.SliceOfDistinct(draw, rapid.ID[string]).Draw(t, "refused") {
			list = append(list, v1alpha1.RefusedKey{ID: id, Reason: "Old"})
		}
		isRecorded := map[string]bool{}
		for _, id := range rapid.SliceOfDistinct(draw, rapid.ID[string]).Draw(t, "recorded") {
			recorded, isRecorded[id] = append(recorded, v1alpha1.KeyStatus{ID: id}), true
		}
		id, reason := draw.Draw(t, "id"), rapid.SampledFrom([]string{"", "New"}).Draw(t, "reason")
		reasons := map[string]string{}
		merged := mergeRefused(list, recorded, id, reason)
		for _, r := range merged {
			if reasons[r.ID] != "" || r.Reason == "" || !isRecorded[r.ID] {
				t.Fatalf("%+v", merged)
			}
			reasons[r.ID] = r.Reason
		}
		if len(merged) > maxRefused || isRecorded[id] && reasons[id] != reason {
			t.Fatalf("%q of %s is missing: %+v", reason, id, merged)
		}
	})
}
