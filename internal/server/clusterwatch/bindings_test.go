package clusterwatch

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/keyformat"
)

// The handlers of roles and bindings take objects as they were decoded and trimmed.
func TestAccessRoleBinding_TakesEffectTrimmedOrNot(t *testing.T) {
	read := access.Request{Action: "certs.read", Resource: "certificate:42"}
	for _, trims := range []bool{false, true} {
		index := &verify.Index{}
		verifier := verify.NewVerifier(index, keyformat.Format{Prefix: keyformat.DefaultPrefix}, keyring(t))
		roles, bindings := newAccessRoles(index), newAccessRoleBindings(index)
		as := func(h handler, object any) any {
			if !trims {
				return object
			}
			trimmed, err := h.trim(object)
			if err != nil {
				t.Fatal(err)
			}
			return trimmed
		}
		expect := func(what string, alice, bob bool) {
			t.Helper()
			if got := [2]bool{verifier.UserMay("alice", read), verifier.UserMay("bob", read)}; got != [2]bool{alice, bob} {
				t.Errorf("trimmed %t, %s: alice and bob may: %t", trims, what, got)
			}
		}
		reader := role("reader", v1alpha1.AccessRoleSpec{
			Permissions: []v1alpha1.Permission{permission(v1alpha1.EffectAllow, "certs.read")},
		})
		bindings.put(as(bindings, binding("alices", "reader", "alice")))
		expect("before the role", false, false)
		roles.put(as(roles, reader))
		expect("after the role", true, false)
		bindings.put(as(bindings, binding("alices", "reader", "bob")))
		expect("with another user", false, true)
		bindings.put(as(bindings, binding("bobs", "reader", "bob")))
		bindings.remove(as(bindings, binding("alices", "reader", "bob")))
		expect("one of two bindings is deleted", false, true)
		bindings.replace([]any{as(bindings, binding("all", "reader", "alice", "bob"))})
		expect("all are listed again", true, true)
		roles.replace(nil)
		expect("no roles are listed", false, false)
		roles.replace([]any{as(roles, reader)})
		expect("roles are listed", true, true)
		bindings.replace(nil)
		expect("no bindings are listed", false, false)
	}
}

// What the watch keeps has no part of an object but the name and what the index needs.
func TestAccessRoleBinding_IsTrimmed(t *testing.T) {
	object := binding("alices", "reader", "alice")
	object.Labels = map[string]string{"a": "b"}
	object.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}
	object.Spec.APIKeys = v1alpha1.KeysDenied
	got, err := newAccessRoleBindings(&verify.Index{}).trim(object)
	want := &named[access.Binding]{
		name: "alices", rules: access.Binding{Role: "reader", Users: []string{"alice"}, DeniesKeys: true},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v %v", got, err)
	}
	if name := want.GetObjectMeta().GetName(); name != "alices" {
		t.Errorf("the reflector stores it as %q", name)
	}
	again, err := newAccessRoleBindings(&verify.Index{}).trim(got)
	if err != nil || again != got {
		t.Errorf("%+v %v", again, err)
	}
}

// BenchmarkMemoryOfBindings measures the memory of 1,000 bindings of 50 users each, and its peak while they are listed.
func BenchmarkMemoryOfBindings(b *testing.B) {
	const bindings, users, most = 1_000, 50, 256
	for b.Loop() {
		before := heap()
		index := &verify.Index{}
		handler := newAccessRoleBindings(index)
		records := make([]any, 0, bindings)
		for i := range bindings {
			object := binding(fmt.Sprint("binding-", i), strings.Clone("reader"))
			for n := range users {
				name := v1alpha1.Username(fmt.Sprintf("user-%06d", i*users+n))
				object.Spec.Subjects = append(
					object.Spec.Subjects, v1alpha1.BoundSubject{Kind: v1alpha1.BoundUser, Name: name})
			}
			record, _ := handler.trim(object)
			records = append(records, record)
		}
		handler.replace(records)
		atMost := float64(heap()-before) / bindings / users
		clear(records)
		records = nil
		perUser := float64(heap()-before) / bindings / users
		b.ReportMetric(perUser, "B/user")
		b.ReportMetric(atMost, "B/user-while-listed")
		if perUser > most {
			b.Fatalf("a bound user takes %.0f bytes, more than %d", perUser, most)
		}
		runtime.KeepAlive(handler)
		runtime.KeepAlive(records)
	}
}
