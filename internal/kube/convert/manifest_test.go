package convert_test

import (
	"reflect"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/kube/convert"
)

func written(effect v1alpha1.Effect) v1alpha1.Permission {
	return v1alpha1.Permission{
		Effect: effect, Actions: []v1alpha1.Action{"certs.read", "*"}, Resources: []v1alpha1.Resource{"certificate:42"},
		Condition: &v1alpha1.Condition{StringEquals: map[string]v1alpha1.PropertyValue{"_type": "github_repo"}},
	}
}

func read(effect access.Effect) access.Permission {
	return access.Permission{
		Effect: effect, Actions: []string{"certs.read", "*"}, Resources: []string{"certificate:42"},
		StringEquals: map[string]string{"_type": "github_repo"},
	}
}

func TestRights(t *testing.T) {
	key := &v1alpha1.APIKey{}
	if got := convert.Rights(key); !reflect.DeepEqual(got, access.Rights{}) {
		t.Errorf("of an empty spec: %+v", got)
	}
	key.Spec.Scopes, key.Spec.Roles = []v1alpha1.Scope{"certs.read"}, []v1alpha1.RoleName{"reader"}
	key.Spec.Policy = &v1alpha1.Policy{Permissions: []v1alpha1.Permission{written(v1alpha1.EffectAllow),
		written(v1alpha1.EffectDeny)}}
	want := access.Rights{
		Scopes: []string{"certs.read"}, Roles: []string{"reader"},
		Permissions: []access.Permission{read(access.Allow), read(access.Deny)},
	}
	if got := convert.Rights(key); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestRole(t *testing.T) {
	role := &v1alpha1.AccessRole{}
	if got := convert.Role(role); !reflect.DeepEqual(got, access.Role{}) {
		t.Errorf("of an empty role: %+v", got)
	}
	role.Spec = v1alpha1.AccessRoleSpec{
		Permissions: []v1alpha1.Permission{written(v1alpha1.EffectDeny)},
		Limits:      &v1alpha1.Limits{MaxTTL: new(v1alpha1.Duration("2h"))},
	}
	want := access.Role{Permissions: []access.Permission{read(access.Deny)}, MaxTTL: 2 * time.Hour}
	if got := convert.Role(role); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestBinding(t *testing.T) {
	binding := &v1alpha1.AccessRoleBinding{}
	if got := convert.Binding(binding); !reflect.DeepEqual(got, access.Binding{}) {
		t.Errorf("of an empty binding: %+v", got)
	}
	binding.Spec = v1alpha1.AccessRoleBindingSpec{
		RoleRef: v1alpha1.RoleRef{Name: "reader"}, APIKeys: v1alpha1.KeysDenied,
		Subjects: []v1alpha1.BoundSubject{{Kind: v1alpha1.BoundUser, Name: "alice"}, {Kind: "Group", Name: "staff"}},
	}
	want := access.Binding{Role: "reader", Users: []string{"alice"}, DeniesKeys: true}
	if got := convert.Binding(binding); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	binding.Spec.APIKeys = v1alpha1.KeysAllowed
	if convert.Binding(binding).DeniesKeys {
		t.Error("Allowed denies")
	}
}

func TestInstant(t *testing.T) {
	when := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	if got := convert.Instant(nil); !got.IsZero() {
		t.Error("what was left out is an instant: ", got)
	}
	if got := convert.Instant(&metav1.Time{Time: when}); !got.Equal(when) {
		t.Error(got)
	}
	if got := convert.Instant(&metav1.Time{}); got.IsZero() || got.After(when) {
		t.Error("the first instant there is counts as none: ", got)
	}
}

// What a manifest says is never read as more than it says: no effect becomes ALLOW, no action or resource appears that
// was not written, and no condition is lost.
func FuzzPermission(f *testing.F) {
	f.Add("ALLOW", "certs.read", "*", "_type", "x")
	f.Add("allow", "", "\xff", "", "")
	f.Fuzz(func(t *testing.T, effect, action, resource, property, value string) {
		key := &v1alpha1.APIKey{}
		key.Spec.Policy = &v1alpha1.Policy{Permissions: []v1alpha1.Permission{{
			Effect: v1alpha1.Effect(effect), Actions: []v1alpha1.Action{v1alpha1.Action(action)},
			Resources: []v1alpha1.Resource{v1alpha1.Resource(resource)},
			Condition: &v1alpha1.Condition{StringEquals: map[string]v1alpha1.PropertyValue{
				property: v1alpha1.PropertyValue(value),
			}},
		}}}
		given := convert.Rights(key)
		want := access.Permission{
			Effect: access.Effect(effect), Actions: []string{action}, Resources: []string{resource},
			StringEquals: map[string]string{property: value},
		}
		if len(given.Permissions) != 1 || !reflect.DeepEqual(given.Permissions[0], want) {
			t.Fatalf("%+v", given)
		}
		grant := access.Grant{Permissions: given.Permissions}
		request := access.Request{Action: action, Resource: resource, Properties: map[string]string{property: value}}
		may := access.May(grant, nil, request)
		if may != (effect == "ALLOW" && action != "" && resource != "") {
			t.Fatalf("%+v: %t", request, may)
		}
		request.Properties = nil
		if access.May(grant, nil, request) {
			t.Fatal("the condition is lost")
		}
	})
}

func FuzzDuration(f *testing.F) {
	for _, s := range []string{"1h30m", "0s", "-1h", "", "999999h", "9999999999999h", "1d", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := convert.Duration(new(v1alpha1.Duration(s)))
		if got < 0 {
			t.Fatal(got)
		}
		if parsed, err := time.ParseDuration(s); err == nil && parsed > 0 && got != parsed {
			t.Fatalf("%s, want %s", got, parsed)
		}
	})
}
