package issuer

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// While two versions of the API are served, Secrets name their owner at either of them.
func TestOwnership_HasNoVersion(t *testing.T) {
	for _, version := range []string{"keywright.dev/v1alpha1", "keywright.dev/v1beta1"} {
		t.Run(version, func(t *testing.T) {
			f := newFixture(t)
			foreign := metav1.OwnerReference{APIVersion: "example.com/v1", Kind: "AdminUser", Name: "alice", UID: "uid-8"}
			f.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{
				Namespace: "ns", Name: "alice-admin-key", OwnerReferences: []metav1.OwnerReference{
					{APIVersion: version, Kind: "AdminUser", Name: "alice", UID: "uid-9", Controller: new(true)}, foreign,
				},
			}})
			owned, err := f.ListOwned(t.Context(), "AdminUser", client.ObjectKey{Namespace: "ns", Name: "alice"})
			if err != nil || len(owned) != 1 {
				t.Fatal("not found:", len(owned), err)
			}
			released, err := f.releaseSecret(t.Context(), &owned[0])
			if err != nil || len(released.OwnerReferences) != 1 || released.OwnerReferences[0] != foreign {
				t.Error("after the release:", released.OwnerReferences, err)
			}
		})
	}
}

func (f *fixture) create(o client.Object) {
	f.t.Helper()
	if err := f.api.Create(f.t.Context(), o); err != nil {
		f.t.Fatal(err)
	}
}
