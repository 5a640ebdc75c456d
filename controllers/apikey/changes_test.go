package apikey

import (
	"context"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

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

// reconciling returns a Reconciler for these keys.
func reconciling(t *testing.T, keys ...client.Object) *Reconciler {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	builder := fake.NewClientBuilder().WithScheme(scheme).WithObjects(keys...)
	if err := Index(t.Context(), indexes{builder}); err != nil {
		t.Fatal(err)
	}
	return &Reconciler{Client: builder.Build()}
}

func keyOf(owner string, roles ...v1alpha1.RoleName) *v1alpha1.APIKey {
	key := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "of-" + strings.ToLower(owner)}}
	key.Spec.Subject = v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: owner}
	key.Spec.Roles = roles
	return key
}

// names returns the names of the keys to reconcile.
func names(requests []reconcile.Request) (all []string) {
	for _, r := range requests {
		all = append(all, r.Name)
	}
	slices.Sort(all)
	return all
}

func bindingOf(users ...v1alpha1.Username) *v1alpha1.AccessRoleBinding {
	binding := &v1alpha1.AccessRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "devs"}}
	binding.Spec.RoleRef.Name = "dev"
	for _, name := range users {
		subject := v1alpha1.BoundSubject{Kind: v1alpha1.BoundUser, Name: name}
		binding.Spec.Subjects = append(binding.Spec.Subjects, subject)
	}
	return binding
}

func TestKeysOfBinding_AreThoseOfItsUsers(t *testing.T) {
	r := reconciling(t, keyOf("alice"), keyOf("bob"), keyOf("carol", "dev"), keyOf("dave"))
	for name, c := range map[string]struct {
		users []v1alpha1.Username
		want  []string
	}{
		"no users":         {nil, nil},
		"one user":         {[]v1alpha1.Username{"alice"}, []string{"of-alice"}},
		"several users":    {[]v1alpha1.Username{"dave", "bob"}, []string{"of-bob", "of-dave"}},
		"without any keys": {[]v1alpha1.Username{"zoe"}, nil},
	} {
		if got := names(r.keysOfBinding(t.Context(), bindingOf(c.users...))); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// An update is mapped as the old and the new object: the keys of a removed user are reconciled too.
func TestKeysOfBinding_IncludeRemovedUsers(t *testing.T) {
	r := reconciling(t, keyOf("alice"), keyOf("bob"), keyOf("carol"), keyOf("dave"))
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	defer queue.ShutDown()
	update := event.UpdateEvent{ObjectOld: bindingOf("alice", "bob"), ObjectNew: bindingOf("bob", "carol")}
	handler.EnqueueRequestsFromMapFunc(r.keysOfBinding).Update(t.Context(), update, queue)
	var queued []reconcile.Request
	for queue.Len() > 0 {
		request, _ := queue.Get()
		queued = append(queued, request)
	}
	if got := names(queued); !slices.Equal(got, []string{"of-alice", "of-bob", "of-carol"}) {
		t.Errorf("%q", got)
	}
}

// What a role allows its users only limits their keys, which the server decides.
func TestKeysOfRole_AreThoseThatNameIt(t *testing.T) {
	r := reconciling(t, keyOf("alice"), keyOf("bob", "other"), keyOf("carol", "other", "dev"), bindingOf("alice"))
	role := &v1alpha1.AccessRole{ObjectMeta: metav1.ObjectMeta{Name: "dev"}}
	if got := names(r.keysOfRole(t.Context(), role)); !slices.Equal(got, []string{"of-carol"}) {
		t.Errorf("%q", got)
	}
}

// A user whose name differs by case may have the rival claim that is honoured.
func TestKeysOfUser_FoldsCase(t *testing.T) {
	r := reconciling(t, keyOf("Alice"))
	for _, name := range []string{"Alice", "alice"} {
		user := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if got := r.keysOfUser(t.Context(), user); len(got) != 1 {
			t.Errorf("AdminUser %s: %v", name, got)
		}
	}
	if got := r.keysOfBinding(t.Context(), bindingOf("Alice")); len(got) != 1 {
		t.Errorf("AccessRoleBinding: %v", got)
	}
}
