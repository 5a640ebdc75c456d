package issuer

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/internal/operator/cachetrim"
)

// What the cache holds of a Secret leads to the same decisions as the Secret itself.
func TestASlimSecretIsSeenAsTheWholeOne(t *testing.T) {
	var slimmer cachetrim.Slimmer
	for name, change := range map[string]func(*metav1.PartialObjectMetadata){
		"as it was written": func(*metav1.PartialObjectMetadata) {},
		"annotated":         func(s *metav1.PartialObjectMetadata) { s.Annotations["keywright.dev/adopt"] = "true" },
		"written by another": func(s *metav1.PartialObjectMetadata) {
			s.ManagedFields = []metav1.ManagedFieldsEntry{owns("kubectl", wholeSecret)}
		},
		"another id":         func(s *metav1.PartialObjectMetadata) { s.Annotations["keywright.dev/key-id"] = "other" },
		"no id":              func(s *metav1.PartialObjectMetadata) { delete(s.Annotations, "keywright.dev/key-id") },
		"label changed":      func(s *metav1.PartialObjectMetadata) { s.Labels["keywright.dev/issued-for"] = "Other" },
		"of a former object": func(s *metav1.PartialObjectMetadata) { s.OwnerReferences[0].UID = "former" },
		"of somebody else":   func(s *metav1.PartialObjectMetadata) { s.OwnerReferences[0].Kind = "Deployment" },
		"of nobody":          func(s *metav1.PartialObjectMetadata) { s.OwnerReferences = nil },
		"key in another entry": func(s *metav1.PartialObjectMetadata) {
			s.ManagedFields = []metav1.ManagedFieldsEntry{owns("keywright", `{"f:data":{"f:other":{}},"f:metadata":{"f:annotations":{"f:keywright.dev/key-id":{}}}}`)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := holderNamed("alice")
			secret := secretOf(h, change)
			want := h.observe(secret.DeepCopy())
			slimmed, err := slimmer.Secret(secret)
			if err != nil {
				t.Fatal(err)
			}
			if got := h.observe(slimmed.(*metav1.PartialObjectMetadata)); got != want {
				t.Fatalf("got %+v, want %+v", got, want)
			}
		})
	}
}
