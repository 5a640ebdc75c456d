package adminuser

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/internal/operator/issuer"
)

var noon = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

func keyNumber(i int) string { return fmt.Sprint("the-key-of-object-number-", i) }

// drawUser draws an AdminUser in a state that the operator leaves: the current key has no end.
func drawUser(t *rapid.T, i int, ring *pepper.Keyring) *v1alpha1.AdminUser {
	user := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{
		Namespace: "keywright-system", Name: fmt.Sprint("u", i), UID: types.UID(fmt.Sprint("uid", i)),
		CreationTimestamp: metav1.NewTime(noon.Add(-time.Duration(rapid.IntRange(1, 2).Draw(t, "age")) * time.Hour)),
	}}
	user.Spec.Username = rapid.SampledFrom([]string{"alice", "ALICE", "bob"}).Draw(t, "username")
	user.Spec.Role = rapid.SampledFrom([]v1alpha1.Role{"", v1alpha1.RoleAdmin, v1alpha1.RoleUser}).Draw(t, "role")
	states := []v1alpha1.State{"", "", v1alpha1.StateActive, v1alpha1.StateDisabled}
	user.Spec.State = rapid.SampledFrom(states).Draw(t, "state")
	if rapid.IntRange(0, 3).Draw(t, "deleted") == 0 {
		user.DeletionTimestamp, user.Finalizers = &metav1.Time{Time: noon}, []string{v1alpha1.FinalizerKeepSecret}
	}
	if rapid.IntRange(0, 3).Draw(t, "has a key") > 0 {
		keyStates := []v1alpha1.KeyState{v1alpha1.KeyCurrent, v1alpha1.KeyCurrent, v1alpha1.KeyCurrent, v1alpha1.KeyPending}
		user.Status.Keys = []v1alpha1.KeyStatus{{
			Digest: ring.Digest(keyNumber(i)).String(), IssuedAt: metav1.NewTime(noon),
			State: rapid.SampledFrom(keyStates).Draw(t, "state of the key"),
		}}
	}
	return user
}

// refusedByOperator returns why the operator refuses the keys of a user, and whether it counts the user as an
// active admin.
func refusedByOperator(
	t *rapid.T, user *v1alpha1.AdminUser, users []*v1alpha1.AdminUser,
) (why string, active bool) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	b := &indexedBuilder{fake.NewClientBuilder().WithScheme(scheme)}
	if err := keyholder.IndexUsernames(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	for _, u := range users {
		b.WithObjects(u.DeepCopy())
	}
	cluster := b.Build()
	r := &Reconciler{Client: cluster, Issuer: &issuer.Issuer{Live: cluster}}
	rival, err := r.honouredRival(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	target := describe(user, rival)
	if target.Refused != nil {
		why = target.Refused.Reason
	}
	// The issuer sets condition Active like this.
	accepted := target.Refused == nil && lifecycle.Current(convert.Keys(user.Status.Keys)) != nil
	return why, convert.ActiveAdmin(user, accepted)
}

type indexedBuilder struct{ *fake.ClientBuilder }

func (b *indexedBuilder) IndexField(
	_ context.Context, o client.Object, field string, extract client.IndexerFunc,
) error {
	b.WithIndex(o, field, extract)
	return nil
}

var reasonOf = map[verify.Reason]string{
	verify.Accepted: "", verify.Deleted: v1alpha1.ReasonDeleted, verify.Demoted: v1alpha1.ReasonDemoted,
	verify.Disabled: v1alpha1.ReasonDisabled, verify.UsernameTaken: v1alpha1.ReasonUsernameTaken,
}

// For any AdminUsers, operator and server agree on whether and why a key is refused, and whether an active
// admin remains.
func TestOperatorAndServer_AgreeOnAdminUsers(t *testing.T) {
	ring, err := pepper.Load(map[string][]byte{pepper.Active: []byte(strings.Repeat("p", pepper.MinLength))})
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		index := &verify.Index{}
		verifier := verify.NewVerifier(index, keyformat.Format{Prefix: keyformat.DefaultPrefix}, ring)
		put := func(u *v1alpha1.AdminUser) {
			object, _ := convert.KeyObject(u)
			index.Put(verify.ID{Kind: keyholder.AdminUser, Namespace: u.Namespace, Name: u.Name}, object)
		}
		var users []*v1alpha1.AdminUser
		for i := range rapid.IntRange(1, 3).Draw(t, "users") {
			users = append(users, drawUser(t, i, ring))
			put(users[i])
		}
		anyActive := false
		for i, user := range users {
			why, active := refusedByOperator(t, user, users)
			anyActive = anyActive || active
			if len(user.Status.Keys) == 0 {
				continue
			}
			reason := verifier.Verify(keyNumber(i), noon).Reason
			if want, known := reasonOf[reason]; !known || why != want {
				t.Fatalf("the operator refuses %s for %q, the server for %s", user.Name, why, reason)
			}
		}
		// A deleted admin that the finalizer holds is accepted exactly while no other admin is active.
		last := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{
			Namespace: "keywright-system", Name: "zoe",
			DeletionTimestamp: &metav1.Time{Time: noon}, Finalizers: []string{v1alpha1.FinalizerLastAdmin},
		}}
		digest := ring.Digest(keyNumber(9)).String()
		last.Status.Keys = []v1alpha1.KeyStatus{{Digest: digest, IssuedAt: metav1.NewTime(noon), State: v1alpha1.KeyCurrent}}
		put(last)
		if kept := verifier.Verify(keyNumber(9), noon).Accepted(); kept == anyActive {
			t.Fatalf("another admin is active: %t by the operator, %t by the server", anyActive, !kept)
		}
	})
}
