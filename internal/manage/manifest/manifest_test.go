package manifest_test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/manage/manifest"
)

func TestOf_IsWhatPeopleCommit(t *testing.T) {
	k := &v1alpha1.APIKey{}
	k.Name, k.Namespace, k.UID, k.ResourceVersion, k.Generation = "ci", "team", "u", "7", 3
	k.CreationTimestamp = metav1.Now()
	k.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "x"}}
	k.Finalizers = []string{"keywright.dev/secret"}
	k.Labels = map[string]string{v1alpha1.LabelCreatedBy: "api", "team": "build"}
	k.Annotations = map[string]string{
		v1alpha1.AnnotationRotate: "now", "kubectl.kubernetes.io/last-applied-configuration": "{}",
	}
	k.Spec = v1alpha1.APIKeySpec{
		DisplayName: "CI: yes", Subject: v1alpha1.Subject{Kind: "Account", Name: "ci"}, State: v1alpha1.StateActive,
		Delivery: v1alpha1.DeliverySecret, Scopes: []v1alpha1.Scope{"certs.read"},
		Budgets: []v1alpha1.Budget{{Name: "daily", USD: "12.50", Period: v1alpha1.BudgetDay, Action: v1alpha1.BudgetDeny}},
	}
	k.Status.Keys = []v1alpha1.KeyStatus{{ID: "x"}}
	const want = `apiVersion: keywright.dev/v1alpha1
kind: APIKey
metadata:
  labels:
    team: build
  name: ci
  namespace: team
spec:
  budgets:
  - action: Deny
    name: daily
    period: Day
    usd: "12.50"
  displayName: 'CI: yes'
  scopes:
  - certs.read
  subject:
    kind: Account
    name: ci
`
	if got, err := manifest.Of(k); err != nil || got != want {
		t.Errorf("%v\n%s", err, got)
	}
	u := &v1alpha1.AdminUser{Spec: v1alpha1.AdminUserSpec{Username: "bob", Role: v1alpha1.RoleAdmin}}
	u.Name, u.Namespace = "bob", "keywright-system"
	const user = `# The operator writes the key into Secret bob-admin-key, entry key.
apiVersion: keywright.dev/v1alpha1
kind: AdminUser
metadata:
  name: bob
  namespace: keywright-system
spec: {}
`
	if got, err := manifest.New(u); err != nil || got != user {
		t.Errorf("%v\n%s", err, got)
	}
}

// drawKey returns an APIKey with any spec that people can write.
func drawKey(t *rapid.T) *v1alpha1.APIKey {
	text := rapid.String()
	action := rapid.StringMatching(`[a-z]+:[A-Z][a-z]+|\*`)
	k := &v1alpha1.APIKey{}
	k.Name, k.Namespace = "k", "n"
	k.Spec = v1alpha1.APIKeySpec{
		DisplayName: text.Draw(t, "name"), Description: text.Draw(t, "description"), Category: text.Draw(t, "category"),
		Subject:  v1alpha1.Subject{Kind: "User", Name: text.Draw(t, "subject")},
		State:    rapid.SampledFrom([]v1alpha1.State{"Active", "Disabled", "Revoked"}).Draw(t, "state"),
		Delivery: rapid.SampledFrom([]v1alpha1.Delivery{"Secret", "Response"}).Draw(t, "delivery"),
	}
	for _, scope := range rapid.SliceOfN(rapid.StringMatching(`[a-z.]+|[0-9]+|true|null|~`), 0, 3).Draw(t, "scopes") {
		k.Spec.Scopes = append(k.Spec.Scopes, v1alpha1.Scope(scope))
	}
	if rapid.Bool().Draw(t, "has a policy") {
		k.Spec.Policy = &v1alpha1.Policy{Permissions: []v1alpha1.Permission{{
			Effect: v1alpha1.EffectAllow, Actions: []v1alpha1.Action{v1alpha1.Action(action.Draw(t, "action"))},
			Resources: []v1alpha1.Resource{v1alpha1.Resource(text.Draw(t, "resource"))},
			Condition: &v1alpha1.Condition{StringEquals: map[string]v1alpha1.PropertyValue{
				"a": v1alpha1.PropertyValue(text.Draw(t, "value")),
			}},
		}}}
	}
	if rapid.Bool().Draw(t, "has a budget") {
		k.Spec.Budgets = []v1alpha1.Budget{{
			Name: "b", USD: v1alpha1.Dollars(rapid.StringMatching(`[1-9]\.[0-9]{1,9}`).Draw(t, "usd")),
			Period: v1alpha1.BudgetDay, Action: v1alpha1.BudgetDeny,
		}}
	}
	switch rapid.IntRange(0, 2).Draw(t, "end") {
	case 1:
		k.Spec.ExpiresAt = &metav1.Time{Time: time.Unix(rapid.Int64Range(0, 1<<35).Draw(t, "at"), 0).UTC()}
	case 2:
		ttl := v1alpha1.Duration("2160h")
		k.Spec.TTL = &ttl
	}
	return k
}

// defaulted sets what the API server sets.
func defaulted(spec *v1alpha1.APIKeySpec) {
	if spec.State == "" {
		spec.State = v1alpha1.StateActive
	}
	if spec.Delivery == "" {
		spec.Delivery = v1alpha1.DeliverySecret
	}
}

// The same rules as in a cluster: what is read back is the same spec.
func TestOf_ReadsBackToTheSameSpec(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := drawKey(t)
		text, err := manifest.New(k)
		if err != nil {
			t.Fatal(err)
		}
		var read v1alpha1.APIKey
		if err := yaml.UnmarshalStrict([]byte(text), &read); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		defaulted(&read.Spec)
		if !equality.Semantic.DeepEqual(read.Spec, k.Spec) || read.Name != k.Name || read.Namespace != k.Namespace {
			t.Fatalf("%s\nread %+v\nwant %+v", text, read.Spec, k.Spec)
		}
	})
}

// merge applies a JSON merge patch (RFC 7396).
func merge(document, patch map[string]any) {
	for name, value := range patch {
		inner, isObject := value.(map[string]any)
		switch {
		case value == nil:
			delete(document, name)
		case isObject:
			into, is := document[name].(map[string]any)
			if !is {
				into = map[string]any{}
			}
			merge(into, inner)
			document[name] = into
		default:
			document[name] = value
		}
	}
}

// The patch makes the second spec of the first.
func TestPatch_MakesTheChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, after := drawKey(t), drawKey(t)
		command, err := manifest.Patch(before, after)
		if err != nil {
			t.Fatal(err)
		}
		if command == "" {
			if !equality.Semantic.DeepEqual(before.Spec, after.Spec) {
				t.Fatal("there is a change")
			}
			return
		}
		_, patch, _ := strings.Cut(command, " -p '")
		patch = strings.ReplaceAll(strings.TrimSuffix(patch, "'"), `'\''`, `'`)
		var document, change map[string]any
		written, _ := json.Marshal(before)
		if json.Unmarshal(written, &document) != nil || json.Unmarshal([]byte(patch), &change) != nil {
			t.Fatal(patch)
		}
		merge(document, change)
		merged, _ := json.Marshal(document)
		var got v1alpha1.APIKey
		if err := json.Unmarshal(merged, &got); err != nil || !equality.Semantic.DeepEqual(got.Spec, after.Spec) {
			t.Fatalf("%v\n%s\ngot  %+v\nwant %+v", err, patch, got.Spec, after.Spec)
		}
	})
}

func TestPatch_IsOneWordOfAShell(t *testing.T) {
	before := &v1alpha1.APIKey{}
	before.Name, before.Namespace = "ci", "team"
	after := before.DeepCopy()
	after.Spec.Description = `it's $HOME "quoted" \ ` + "`x`\n"
	command, err := manifest.Patch(before, after)
	if err != nil {
		t.Fatal(err)
	}
	const lead = "kubectl patch apikey ci -n team --field-manager=keywright-incident --type merge -p "
	shown := strings.Replace(command, lead, "printf %s ", 1)
	out, err := exec.CommandContext(t.Context(), "sh", "-c", shown).Output()
	var patch struct{ Spec struct{ Description string } }
	if err != nil || json.Unmarshal(out, &patch) != nil || patch.Spec.Description != after.Spec.Description {
		t.Errorf("%v %s", err, out)
	}
	if same, err := manifest.Patch(before, before); same != "" || err != nil {
		t.Error(same, err)
	}
}

// Each way to make a change leads to the same spec: the manifest and the command.
func TestChange_IsShownBothWays(t *testing.T) {
	at := time.Date(2030, 1, 31, 12, 0, 0, 999, time.FixedZone("", 3600))
	key := &v1alpha1.APIKey{Spec: v1alpha1.APIKeySpec{Subject: v1alpha1.Subject{Kind: "Account", Name: "ci"}}}
	key.Name, key.Namespace = "ci", "team"
	user := &v1alpha1.AdminUser{Spec: v1alpha1.AdminUserSpec{
		Rotation: &v1alpha1.Rotation{Every: new(v1alpha1.Duration("24h"))},
	}}
	user.Name, user.Namespace = "bob", "keywright-system"
	disabled := key.DeepCopy()
	disabled.Spec.State = v1alpha1.StateDisabled

	for name, c := range map[string]struct {
		change        func() (manifest.Change, error)
		yaml, command string
	}{
		"disabled": {
			func() (manifest.Change, error) { return manifest.Changed(key, disabled) },
			"state: Disabled", `kubectl patch apikey ci -n team --field-manager=keywright-incident --type merge -p '{"spec":{"state":"Disabled"}}'`,
		},
		"key rotated": {
			func() (manifest.Change, error) { return manifest.Rotated(key, at) },
			"  rotation:\n    after: \"2030-01-31T11:00:00Z\"",
			"kubectl annotate apikey ci -n team --field-manager=keywright-incident --overwrite " +
				"keywright.dev/rotate=2030-01-31T11:00:00Z",
		},
		"user rotated": {
			func() (manifest.Change, error) { return manifest.Rotated(user, at) },
			"  rotation:\n    after: \"2030-01-31T11:00:00Z\"\n    every: 24h",
			"kubectl annotate adminuser bob -n keywright-system --field-manager=keywright-incident --overwrite " +
				"keywright.dev/rotate=2030-01-31T11:00:00Z",
		},
		"deleted": {
			func() (manifest.Change, error) { return manifest.Deleted(user), nil }, "",
			"kubectl delete adminuser bob -n keywright-system",
		},
	} {
		got, err := c.change()
		if err != nil || !strings.Contains(got.YAML, c.yaml) || (c.yaml == "") != (got.YAML == "") ||
			got.Command != c.command {
			t.Errorf("%s: %v\n%s\n%s", name, err, got.YAML, got.Command)
		}
	}
	if user.Spec.Rotation.After != nil || key.Spec.Rotation != nil {
		t.Error("the object itself changed")
	}
}
