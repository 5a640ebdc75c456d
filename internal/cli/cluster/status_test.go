package cluster

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/keyholder"
)

var now = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

func in(d time.Duration) *metav1.Time { return &metav1.Time{Time: now.Add(d)} }

// condition returns one as Active=False:Disabled describes it.
func condition(text string) metav1.Condition {
	kind, rest, _ := strings.Cut(text, "=")
	status, reason, _ := strings.Cut(rest, ":")
	return metav1.Condition{
		Type: kind, Status: metav1.ConditionStatus(status), Reason: reason, Message: "because of " + reason,
		ObservedGeneration: 1,
	}
}

// apiKey returns an APIKey with conditions, changed by more.
func apiKey(more func(*v1alpha1.APIKey), conditions ...string) *v1alpha1.APIKey {
	k := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Name: "ci", Namespace: "team", UID: "the-uid", Generation: 1}}
	k.Spec.Subject = v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "team-ci"}
	k.Spec.Scopes = []v1alpha1.Scope{"certs.read"}
	k.Status.ObservedGeneration = 1
	k.Status.SecretName = "ci-api-key"
	k.Status.Keys = []v1alpha1.KeyStatus{
		{ID: "0123", Prefix: "ak_012345678", State: v1alpha1.KeyCurrent, IssuedAt: *in(-time.Hour)},
	}
	for _, text := range conditions {
		k.Status.Conditions = append(k.Status.Conditions, condition(text))
	}
	if more != nil {
		more(k)
	}
	return k
}

func adminUser(more func(*v1alpha1.AdminUser), conditions ...string) *v1alpha1.AdminUser {
	u := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Name: "alice", Namespace: "keywright-system", Generation: 1}}
	u.Status.ObservedGeneration = 1
	for _, text := range conditions {
		u.Status.Conditions = append(u.Status.Conditions, condition(text))
	}
	if more != nil {
		more(u)
	}
	return u
}

const good, active = "Ready=True:Issued", "Active=True:Accepted"

// Each state of an object, and the lines that matter in it. Lines that begin with ! must not be there.
func TestStory(t *testing.T) {
	for name, c := range map[string]struct {
		o    keyholder.Object
		want []string
	}{
		"accepted": {apiKey(nil, good, active), []string{
			"APIKey team/ci speaks as Account/team-ci", "Active: True, Accepted: because of Accepted", "Keys:",
			"  ak_012345678… current, id 0123, issued 2030-01-01T11:00:00Z (60m ago), no end",
			"Last use: none on record", "Secret: team/ci-api-key", "Scopes: certs.read", "!To do", "!Its keys are refused",
		}},
		"used, with an end and a rotation": {apiKey(func(k *v1alpha1.APIKey) {
			k.Status.Keys[0].ExpiresAt, k.Status.NextRotationAt = in(48*time.Hour), in(24*time.Hour)
			k.Status.Usage.LastUsedAt = in(-time.Minute)
		}, good, active), []string{
			"ends 2030-01-03T12:00:00Z (in 2d)", "Next rotation: 2030-01-02T12:00:00Z (in 24h)",
			"Last use: 2030-01-01T11:59:00Z (60s ago)", "!Last use: none",
		}},
		"in an overlap, the current key first": {apiKey(func(k *v1alpha1.APIKey) {
			k.Status.Keys = append([]v1alpha1.KeyStatus{{
				ID: "4567", Prefix: "ak_old", State: v1alpha1.KeyOverlapping,
				IssuedAt: *in(-24 * time.Hour), ExpiresAt: in(time.Hour),
			}}, k.Status.Keys...)
		}, good, active), []string{"Keys:\n  ak_012345678… current", "  ak_old… overlapping, id 4567"}},
		"pending": {apiKey(func(k *v1alpha1.APIKey) { k.Status.Keys[0].State = v1alpha1.KeyPending },
			"Ready=False:Rotating", active, "Reconciling=True:Rotating"), []string{
			"… pending", "Reconciling: True, Rotating", "To do: nothing: the old key is accepted meanwhile",
		}},
		"disabled": {apiKey(func(k *v1alpha1.APIKey) { k.Spec.State = v1alpha1.StateDisabled },
			good, "Active=False:Disabled"),
			[]string{
				"Its keys are refused: disabled", "Active: False, Disabled",
				"To do: if it should be accepted again: kubectl keywright enable ci -n team",
			}},
		"revoked": {apiKey(func(k *v1alpha1.APIKey) {
			k.Spec.State, k.Status.Keys, k.Status.SecretName = v1alpha1.StateRevoked, nil, ""
		}, "Ready=True:Revoked", "Active=False:Revoked"), []string{
			"Its keys are refused: revoked", "Keys: none", "To do: create another object: this one stays as the record",
			"!Secret:",
		}},
		"expired": {apiKey(func(k *v1alpha1.APIKey) { k.Status.Keys[0].ExpiresAt = in(-time.Hour) },
			good, "Active=False:Expired"),
			[]string{"ends 2030-01-01T11:00:00Z (60m ago)", "ask for a new key: kubectl keywright rotate ci -n team"}},
		"stalled: what stalls comes before what follows from it": {
			apiKey(nil, "Ready=False:UnknownRole", "Stalled=True:UnknownRole", "Active=False:Disabled"), []string{
				"Stalled: True, UnknownRole: because of UnknownRole", "To do: create the AccessRole",
			}},
		"no report yet": {apiKey(func(k *v1alpha1.APIKey) {
			k.Status = v1alpha1.APIKeyStatus{}
		}), []string{"The operator has not seen the latest change of the object yet.", "Keys: none", "To do: wait"}},
		"changed since the report": {apiKey(func(k *v1alpha1.APIKey) { k.Generation = 2 }, good, active),
			[]string{"The operator has not seen the latest change of the object yet."}},
		"issued by the server": {apiKey(func(k *v1alpha1.APIKey) {
			k.Spec.Delivery, k.Status.SecretName = v1alpha1.DeliveryResponse, ""
		}, "Ready=False:AwaitingKey", "Stalled=True:AwaitingKey"), []string{
			"Secret: none: the server returned the key in its reply", "To do: keywright keys rotate the-uid",
		}},
		"without rights": {apiKey(func(k *v1alpha1.APIKey) { k.Spec.Scopes = nil }, good, active),
			[]string{"It has no scopes, roles and policy: it proves who the caller is, and may do nothing."}},
		"over budget": {apiKey(nil, good, active, "WithinBudget=False:BudgetExceeded"), []string{
			"WithinBudget: False, BudgetExceeded: because of BudgetExceeded", "To do: wait until the budget resets",
		}},
		"within its budgets": {apiKey(nil, good, active, "WithinBudget=True:WithinBudget"),
			[]string{"WithinBudget: True", "!To do"}},
		"being deleted": {apiKey(func(k *v1alpha1.APIKey) { k.DeletionTimestamp = in(-time.Second) }, "Active=False:Deleted"),
			[]string{"Its keys are refused: ", "!To do"}},
		"an admin": {adminUser(nil, good, active),
			[]string{"AdminUser keywright-system/alice speaks as User/alice", "!To do"}},
		"a disabled admin": {adminUser(func(u *v1alpha1.AdminUser) { u.Spec.State = v1alpha1.StateDisabled },
			good, "Active=False:Disabled"), []string{"kubectl keywright enable adminuser/alice"}},
		"a demoted admin": {adminUser(func(u *v1alpha1.AdminUser) { u.Spec.Role = v1alpha1.RoleUser },
			"Ready=True:Demoted", "Active=False:Demoted"), []string{"set spec.role to admin"}},
		"an admin who deleted the Secret": {adminUser(nil, "Ready=True:SecretGone", active),
			[]string{"if a Secret should have a key again: kubectl keywright rotate adminuser/alice"}},
		"an admin whose key the server issues": {adminUser(func(u *v1alpha1.AdminUser) {
			u.Spec.Delivery = v1alpha1.DeliveryResponse
		}, "Stalled=True:AwaitingKey"), []string{"To do: keywright admin users rotate-key alice"}},
		"a message that would move the cursor": {apiKey(func(k *v1alpha1.APIKey) {
			k.Status.Conditions[0].Message = "bad\x1b[2J\nActive: True"
		}, good, active), []string{"!\x1b", "!\nActive: True\n"}},
	} {
		got := story(c.o, now)
		for _, line := range c.want {
			line, absent := strings.CutPrefix(line, "!")
			if strings.Contains(got, line) == absent {
				t.Errorf("%s: contains %q: %t, in\n%s", name, line, !absent, got)
			}
		}
	}
}

// Every reason has advice, but those of an object that is as it should be, and of one that is going away.
func TestAdvice_CoversEveryReason(t *testing.T) {
	text, err := os.ReadFile("../../../api/v1alpha1/conditions.go")
	if err != nil {
		t.Fatal(err)
	}
	needless := map[string]bool{
		v1alpha1.ReasonIssued: true, v1alpha1.ReasonAccepted: true, v1alpha1.ReasonDeleted: true,
		v1alpha1.ReasonOnlyActiveAdmin: true, v1alpha1.ReasonKeptLastAdmin: true,
		v1alpha1.ReasonWithinBudget: true,
	}
	reasons := regexp.MustCompile(`(?m)^\tReason\w+ = "(\w+)"$`).FindAllStringSubmatch(string(text), -1)
	if len(reasons) < 20 {
		t.Fatalf("only %d reasons were found", len(reasons))
	}
	for _, match := range reasons {
		if _, found := advice[match[1]]; found == needless[match[1]] {
			t.Errorf("%s: has advice: %t", match[1], found)
		}
	}
	if len(advice)+len(needless) != len(reasons) {
		t.Error("there is advice for a reason that does not exist")
	}
	for reason, text := range advice {
		if left := adviceFor(apiKey(nil, "Stalled=True:"+reason)); strings.ContainsAny(left, "{}") {
			t.Errorf("%s: %q has a name in braces that means nothing: %q", reason, text, left)
		}
	}
}
