package issuer

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/operator/cachetrim"
)

// gitTarget is a target that asks for the credential of a Git repository.
func gitTarget() *Target {
	t := targetNamed("alice")
	t.Secret = Template{
		Type: v1alpha1.SecretTypeBasicAuth, DataKey: "password", Identity: map[string]string{"subject": "Account/ci"},
		StringData: map[string]string{"url": "https://git", "username": "git"},
	}
	return t
}

const gitFields = `{"f:data":{"f:password":{},"f:subject":{},"f:url":{},"f:username":{}},"f:metadata":{"f:annotations":` +
	`{"f:keywright.dev/contents":{},"f:keywright.dev/key-id":{}},"f:labels":{"f:keywright.dev/issued-for":{}}},"f:type":{}}`

// gitSecret returns the metadata of a Secret as it was written for gitTarget.
func gitSecret() *metav1.PartialObjectMetadata {
	return secretOf(gitTarget(), func(s *metav1.PartialObjectMetadata) {
		s.Annotations[v1alpha1.AnnotationContents] = gitTarget().contents().String()
		s.ManagedFields = []metav1.ManagedFieldsEntry{owns("keywright", gitFields)}
	})
}

func TestContents_AreReadAsTheyWereWritten(t *testing.T) {
	for text, c := range map[string]contents{
		"": {},
		"kubernetes.io/basic-auth password 0123456789abcdef": {"kubernetes.io/basic-auth", "password", "0123456789abcdef"},
		"Opaque key 0123456789abcdef":                        {"", "key", "0123456789abcdef"},
	} {
		if got := c.String(); got != text {
			t.Errorf("wrote %q, want %q", got, text)
		}
		if got := parseContents(text); got != c {
			t.Errorf("%q: read %+v, want %+v", text, got, c)
		}
	}
	for _, text := range []string{" ", "a", "a b", "a b c d"} {
		if got := parseContents(text); got != (contents{}) {
			t.Errorf("%q: read %+v", text, got)
		}
	}
}

func TestContents_AreNotRecordedForAnOrdinarySecret(t *testing.T) {
	h := targetNamed("alice")
	h.Secret.DataKey = "token"
	for _, secretType := range []v1alpha1.SecretType{"", "Opaque"} {
		h.Secret.Type = secretType
		if got := h.contents(); got != (contents{}) {
			t.Errorf("type %q: %+v", secretType, got)
		}
	}
}

func TestContents_DependOnNamesAndValues(t *testing.T) {
	seen := map[contents]map[string]string{}
	for _, entries := range []map[string]string{
		{"a": "1"}, {"a": "2"}, {"b": "1"}, {"a": "1", "b": ""}, {"a": "", "b": "1"}, {"a": ""}, {"ab": ""}, {"a": "b"},
	} {
		h := targetNamed("alice")
		h.Secret.StringData = entries
		got := h.contents()
		if earlier, found := seen[got]; found {
			t.Errorf("%v and %v have the contents %v", earlier, entries, got)
		}
		seen[got] = entries
	}
}

// The CRD refuses these names, and the operator ignores them where it doesn't.
func TestEntries_NeverReplaceTheKeyOrItsIdentity(t *testing.T) {
	h := gitTarget()
	h.Secret.StringData = map[string]string{"password": "theirs", "subject": "User/root", "url": "https://git"}
	if got := maps.Collect(h.entries()); !maps.Equal(got, map[string]string{"url": "https://git"}) {
		t.Errorf("entries %v", got)
	}
	data := h.applyConfiguration("plaintext", "0123", nil).Data
	if string(data["password"]) != "plaintext" || string(data["subject"]) != "Account/ci" || len(data) != 3 {
		t.Errorf("data %s", data)
	}
}

func TestApplyConfiguration_WithTypeAndEntries(t *testing.T) {
	got := gitTarget().applyConfiguration("plaintext", "0123", nil)
	if *got.Type != corev1.SecretTypeBasicAuth || *got.ResourceVersion != absentVersion {
		t.Errorf("type %s at version %s", *got.Type, *got.ResourceVersion)
	}
	if record := got.Annotations[v1alpha1.AnnotationContents]; record != gitTarget().contents().String() {
		t.Errorf("recorded as %q", record)
	}
}

func TestObserve_WithTypeAndEntries(t *testing.T) {
	type secret = metav1.PartialObjectMetadata
	fields := func(f string) func(*secret) {
		return func(s *secret) { s.ManagedFields[0] = owns("keywright", f) }
	}
	record := func(text string) func(*secret) {
		return func(s *secret) { s.Annotations[v1alpha1.AnnotationContents] = text }
	}
	adopt := func(s *secret) { s.Annotations[v1alpha1.AnnotationAdopt] = "true" }
	const keyOnly = `{"f:data":{"f:password":{},"f:subject":{}},"f:metadata":{"f:annotations":{"f:keywright.dev/key-id":{}}}}`
	for name, c := range map[string]struct {
		spec   func(*Template)
		change func(*secret)
		want   string
	}{
		"as it was written":         {nil, nil, "intact"},
		"another value":             {func(t *Template) { t.StringData["url"] = "https://new" }, nil, "intact outdated"},
		"another entry":             {func(t *Template) { t.StringData["project"] = "x" }, nil, "intact outdated"},
		"an entry removed":          {func(t *Template) { delete(t.StringData, "url") }, nil, "intact outdated"},
		"every entry removed":       {func(t *Template) { t.StringData = nil }, nil, "intact outdated"},
		"another type":              {func(t *Template) { t.Type = "example.com/x" }, nil, "intact mistyped"},
		"no type":                   {func(t *Template) { t.Type = "Opaque" }, nil, "intact mistyped"},
		"no type and no entries":    {func(t *Template) { t.Type, t.StringData = "", nil }, nil, "intact mistyped"},
		"another entry for the key": {func(t *Template) { t.DataKey = "token" }, nil, "intact misplaced"},
		"the entry for the key and another one swapped": {
			func(t *Template) { t.DataKey, t.StringData = "url", map[string]string{"password": "x"} }, nil, "intact misplaced",
		},
		"a key in the entry that was another one": {
			func(t *Template) { t.DataKey, t.StringData = "url", nil }, nil, "intact misplaced",
		},
		"an entry changed by another writer": {
			nil, fields(`{"f:data":{"f:password":{},"f:subject":{},"f:username":{}},"f:metadata":{"f:annotations":` +
				`{"f:keywright.dev/contents":{},"f:keywright.dev/key-id":{}}},"f:type":{}}`), "",
		},
		"the key changed by another writer": {
			nil, fields(`{"f:data":{"f:url":{},"f:subject":{},"f:username":{}},"f:metadata":{"f:annotations":` +
				`{"f:keywright.dev/contents":{},"f:keywright.dev/key-id":{}}},"f:type":{}}`), "",
		},
		"the key changed, and asked for elsewhere": {
			func(t *Template) { t.DataKey = "token" },
			fields(`{"f:data":{"f:url":{},"f:subject":{},"f:username":{}},"f:metadata":{"f:annotations":` +
				`{"f:keywright.dev/contents":{},"f:keywright.dev/key-id":{}}},"f:type":{}}`), "outdated",
		},
		"the record changed by another writer": {
			nil, func(s *secret) {
				record("Opaque subject 0")(s)
				fields(`{"f:data":{"f:password":{},"f:subject":{},"f:url":{},"f:username":{}},"f:metadata":{"f:annotations":` +
					`{"f:keywright.dev/key-id":{}}},"f:type":{}}`)(s)
			}, "",
		},
		"the record removed by another writer": {
			nil, func(s *secret) {
				delete(s.Annotations, v1alpha1.AnnotationContents)
				fields(`{"f:data":{"f:password":{},"f:subject":{},"f:url":{},"f:username":{}},"f:metadata":{"f:annotations":` +
					`{"f:keywright.dev/key-id":{}}},"f:type":{}}`)(s)
			}, "",
		},
		"written before there were types and entries": {
			func(t *Template) { t.Type, t.StringData = "", nil },
			func(s *secret) { delete(s.Annotations, v1alpha1.AnnotationContents); fields(keyOnly)(s) }, "intact",
		},
		"of type Opaque, and basic-auth is asked for": {
			func(t *Template) { t.StringData = nil },
			func(s *secret) { delete(s.Annotations, v1alpha1.AnnotationContents); fields(keyOnly)(s) }, "intact mistyped",
		},
		"handed over, and another type is asked for": {
			func(t *Template) { t.Type = "example.com/x" }, adopt, "adopt",
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, s := gitTarget(), gitSecret()
			if c.spec != nil {
				c.spec(&h.Secret)
			}
			if c.change != nil {
				c.change(s)
			}
			if got := factsOf(h.observe(s)); got != c.want {
				t.Fatalf("got %q, want %q", got, c.want)
			}
			trimmed, err := new(cachetrim.Trimmer).Secret(s.DeepCopy())
			if err != nil {
				t.Fatal(err)
			}
			if got := factsOf(h.observe(trimmed.(*secret))); got != c.want {
				t.Fatalf("from the cache: got %q, want %q", got, c.want)
			}
		})
	}
}

// factsOf lists the facts that are true.
func factsOf(s lifecycle.Secret) string {
	var facts []string
	for _, f := range []struct {
		name string
		is   bool
	}{
		{"intact", s.Intact}, {"misplaced", s.Misplaced}, {"mistyped", s.Mistyped}, {"outdated", s.Outdated},
		{"adopt", s.Adopt},
	} {
		if f.is {
			facts = append(facts, f.name)
		}
	}
	return strings.Join(facts, " ")
}

func TestMetadataPatch_OfEntries(t *testing.T) {
	record := func(h *Target) string {
		return `"annotations":{"keywright.dev/contents":"` + h.contents().String() + `"},`
	}
	for name, c := range map[string]struct {
		spec func(*Template)
		want func(*Target) string
	}{
		"another value": {
			func(t *Template) { t.StringData["url"] = "new" },
			func(h *Target) string {
				return `{"data":{"url":"bmV3","username":"Z2l0"},"metadata":{` + record(h) + `"resourceVersion":"7"}}`
			},
		},
		"an entry removed": {
			func(t *Template) { delete(t.StringData, "url") },
			func(h *Target) string {
				return `{"data":{"url":null,"username":"Z2l0"},"metadata":{` + record(h) + `"resourceVersion":"7"}}`
			},
		},
		"the key asked for in another entry, which only a new key can bring about": {
			func(t *Template) { t.DataKey, t.StringData = "url", map[string]string{"password": "x"} },
			func(*Target) string { return "null" },
		},
		"another type, which only a new key can bring about": {
			func(t *Template) { t.Type, t.StringData["url"] = "Opaque", "new" },
			func(*Target) string { return "null" },
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, s := gitTarget(), gitSecret()
			c.spec(&h.Secret)
			got, err := json.Marshal(h.metadataPatch(s, cachetrim.Owned(s.ManagedFields)))
			if err != nil || string(got) != c.want(h) {
				t.Fatalf("got  %s, %v\nwant %s", got, err, c.want(h))
			}
		})
	}
}
