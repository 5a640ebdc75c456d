package apikey

import (
	"context"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"keywright.dev/keywright/api/v1alpha1"
)

func TestAffectsKeys(t *testing.T) {
	issued := []v1alpha1.KeyStatus{{ID: "one"}}
	for name, c := range map[string]struct {
		change func(*v1alpha1.AdminUser)
		want   bool
	}{
		"no change":               {func(*v1alpha1.AdminUser) {}, false},
		"a new spec":              {func(u *v1alpha1.AdminUser) { u.Generation++ }, true},
		"another object":          {func(u *v1alpha1.AdminUser) { u.UID = "another" }, true},
		"the last key is removed": {func(u *v1alpha1.AdminUser) { u.Status.Keys = nil }, true},
		"another key":             {func(u *v1alpha1.AdminUser) { u.Status.Keys = append(u.Status.Keys, issued...) }, false},
		"another status field":    {func(u *v1alpha1.AdminUser) { u.Status.SecretName = "other" }, false},
	} {
		before := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{UID: "one", Generation: 1}}
		before.Status.Keys = issued
		after := before.DeepCopy()
		c.change(after)
		if got := affectsKeys(event.UpdateEvent{ObjectOld: before, ObjectNew: after}); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	bare, holds := &v1alpha1.AdminUser{}, &v1alpha1.AdminUser{}
	holds.Status.Keys = issued
	if !affectsKeys(event.UpdateEvent{ObjectOld: bare, ObjectNew: holds}) {
		t.Error("the first key does not affect keys")
	}
}

// indexes adds indexes to the fake API server.
type indexes struct{ *fake.ClientBuilder }

func (x indexes) IndexField(_ context.Context, o client.Object, field string, extract client.IndexerFunc) error {
	x.WithIndex(o, field, extract)
	return nil
}

// A user whose name differs by case may have the rival claim that is honoured.
func TestKeysOfUser_FoldsCase(t *testing.T) {
	key := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "ci"}}
	key.Spec.Subject = v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "Alice"}
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	builder := fake.NewClientBuilder().WithScheme(scheme).WithObjects(key)
	if err := Index(t.Context(), indexes{builder}); err != nil {
		t.Fatal(err)
	}
	r := &Reconciler{Client: builder.Build()}
	for _, name := range []string{"Alice", "alice"} {
		user := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if got := r.keysOfUser(t.Context(), user); len(got) != 1 {
			t.Errorf("AdminUser %s: %v", name, got)
		}
	}
	binding := &v1alpha1.AccessRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "dev"}}
	binding.Spec.Subjects = []v1alpha1.BoundSubject{{Kind: v1alpha1.BoundUser, Name: "Alice"}}
	if got := r.keysOfBinding(t.Context(), binding); len(got) != 1 {
		t.Errorf("AccessRoleBinding: %v", got)
	}
}
