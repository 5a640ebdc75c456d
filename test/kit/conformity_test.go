package kit_test

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
)

var since = metav1.NewTime(time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC))

func condition(kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
	return metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: "Done.", ObservedGeneration: 3, LastTransitionTime: since,
	}
}

// keyObjects makes one faultless object of each kind that holds keys.
func keyObjects() map[string]func() (client.Object, *v1alpha1.KeyHolderStatus) {
	status := v1alpha1.KeyHolderStatus{ObservedGeneration: 3, Conditions: []metav1.Condition{
		condition("Ready", metav1.ConditionTrue, "Issued"), condition("Active", metav1.ConditionTrue, "Accepted"),
	}}
	return map[string]func() (client.Object, *v1alpha1.KeyHolderStatus){
		"AdminUser": func() (client.Object, *v1alpha1.KeyHolderStatus) {
			user := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Name: "alice", Generation: 3}}
			status.DeepCopyInto(&user.Status.KeyHolderStatus)
			return user, &user.Status.KeyHolderStatus
		},
		"APIKey": func() (client.Object, *v1alpha1.KeyHolderStatus) {
			key := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Name: "ci", Generation: 3}}
			status.DeepCopyInto(&key.Status.KeyHolderStatus)
			return key, &key.Status.KeyHolderStatus
		},
	}
}

func stall(s *v1alpha1.KeyHolderStatus) {
	meta.FindStatusCondition(s.Conditions, "Ready").Status = metav1.ConditionFalse
	meta.FindStatusCondition(s.Conditions, "Ready").Reason = "SecretConflict"
	s.Conditions = append(s.Conditions, condition("Stalled", metav1.ConditionTrue, "SecretConflict"))
}

func TestCheckAtRest(t *testing.T) {
	ready := func(s *v1alpha1.KeyHolderStatus) *metav1.Condition { return &s.Conditions[0] }
	tests := map[string]struct {
		change func(client.Object, *v1alpha1.KeyHolderStatus)
		// fault is part of the expected error. Empty: no error.
		fault string
	}{
		"done":    {func(client.Object, *v1alpha1.KeyHolderStatus) {}, ""},
		"stalled": {func(_ client.Object, s *v1alpha1.KeyHolderStatus) { stall(s) }, ""},
		"being deleted": {func(o client.Object, _ *v1alpha1.KeyHolderStatus) {
			o.SetDeletionTimestamp(&since)
		}, ""},
		"a planned end": {func(_ client.Object, s *v1alpha1.KeyHolderStatus) {
			s.Conditions[1] = condition("Active", metav1.ConditionFalse, "Disabled")
		}, ""},
		"no status at all": {func(_ client.Object, s *v1alpha1.KeyHolderStatus) {
			*s = v1alpha1.KeyHolderStatus{}
		}, "status.observedGeneration is 0, the generation 3"},
		"an earlier spec": {func(o client.Object, _ *v1alpha1.KeyHolderStatus) { o.SetGeneration(4) },
			"kstatus reports InProgress instead of Current"},
		"a condition of an earlier spec": {func(_ client.Object, s *v1alpha1.KeyHolderStatus) {
			ready(s).ObservedGeneration = 2
		}, "condition Ready has observedGeneration 2, the object generation 3"},
		"no Ready": {func(_ client.Object, s *v1alpha1.KeyHolderStatus) { s.Conditions = s.Conditions[1:] },
			"condition Ready is missing"},
		"no Active": {func(_ client.Object, s *v1alpha1.KeyHolderStatus) { s.Conditions = s.Conditions[:1] },
			"condition Active is missing"},
		"neither Ready nor Stalled": {func(_ client.Object, s *v1alpha1.KeyHolderStatus) {
			ready(s).Status = metav1.ConditionFalse
		}, "exactly one of Ready and Stalled"},
		"Ready and Stalled": {func(_ client.Object, s *v1alpha1.KeyHolderStatus) {
			s.Conditions = append(s.Conditions, condition("Stalled", metav1.ConditionTrue, "Issued"))
		}, "exactly one of Ready and Stalled"},
		"two reasons": {func(_ client.Object, s *v1alpha1.KeyHolderStatus) {
			stall(s)
			ready(s).Reason = "AwaitingKey"
		}, "Stalled has reason SecretConflict, Ready has reason AwaitingKey"},
		"Reconciling": {func(_ client.Object, s *v1alpha1.KeyHolderStatus) {
			s.Conditions = append(s.Conditions, condition("Reconciling", metav1.ConditionTrue, "Issuing"))
		}, "it is at rest and Reconciling"},
		"Stalled False": {func(_ client.Object, s *v1alpha1.KeyHolderStatus) {
			s.Conditions = append(s.Conditions, condition("Stalled", metav1.ConditionFalse, "Issued"))
		}, "condition Stalled is False and should not exist"},
		"Unknown": {func(_ client.Object, s *v1alpha1.KeyHolderStatus) { s.Conditions[1].Status = metav1.ConditionUnknown },
			"condition Active is Unknown"},
		"no message": {func(_ client.Object, s *v1alpha1.KeyHolderStatus) {
			ready(s).Message = ""
		}, "condition Ready has no message"},
		"a reason in prose": {func(_ client.Object, s *v1alpha1.KeyHolderStatus) { ready(s).Reason = "all_done" },
			`condition Ready has reason "all_done"`},
		"no time": {func(_ client.Object, s *v1alpha1.KeyHolderStatus) { ready(s).LastTransitionTime = metav1.Time{} },
			"condition Ready has no lastTransitionTime"},
	}
	for kind, holder := range keyObjects() {
		for name, test := range tests {
			t.Run(kind+"/"+name, func(t *testing.T) {
				object, status := holder()
				test.change(object, status)
				expect(t, kit.CheckAtRest(object), test.fault)
				expect(t, kit.CheckAtRest(untyped(t, object, kind)), test.fault)
			})
		}
	}
}

func TestCheckAtRest_KindsWithoutStatusAreCurrent(t *testing.T) {
	auditors := metav1.ObjectMeta{Name: "auditors", Generation: 2}
	for kind, object := range map[string]client.Object{
		"AccessRole":        &v1alpha1.AccessRole{ObjectMeta: auditors},
		"AccessRoleBinding": &v1alpha1.AccessRoleBinding{ObjectMeta: auditors},
	} {
		expect(t, kit.CheckAtRest(object), "")
		expect(t, kit.CheckAtRest(untyped(t, object, kind)), "")
	}
}

func expect(t *testing.T, err error, fault string) {
	t.Helper()
	switch {
	case fault == "" && err != nil:
		t.Errorf("unexpected error: %v", err)
	case fault != "" && (err == nil || !strings.Contains(err.Error(), fault)):
		t.Errorf("got error %v, want one with %q", err, fault)
	}
}

func untyped(t *testing.T, object client.Object, kind string) client.Object {
	t.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind(kind))
	return u
}
