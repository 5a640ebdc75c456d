package lifecycle_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"keywright.dev/keywright/internal/key/lifecycle"
)

// typeRule is the rule that the CRD has for spec.secret.type: a list of types, an expression that other types match,
// and one that they don't.
type typeRule struct {
	listed          []string
	form, forbidden *regexp.Regexp
}

func (r typeRule) accepts(t string) bool {
	return slices.Contains(r.listed, t) ||
		utf8.RuneCountInString(t) <= 253 && r.form.MatchString(t) && !r.forbidden.MatchString(t)
}

var (
	// typeMarkers are the markers from which the CRD's rule is generated.
	typeMarkers = regexp.MustCompile(`MaxLength=253\n// \+kubebuilder:validation:XValidation:rule="(.*)",message=.*\ntype SecretType`)
	literal     = regexp.MustCompile(`'[^']*'`)
)

// readTypeRule reads the rule. CEL matches as Go's regexp does.
func readTypeRule(t testing.TB) typeRule {
	t.Helper()
	source, err := os.ReadFile("../../../api/v1alpha1/apikey_types.go")
	if err != nil {
		t.Fatal(err)
	}
	rule := typeMarkers.FindSubmatch(source)
	if rule == nil {
		t.Fatal("SecretType has no rule, or another length")
	}
	const form = `self in [?, ?] || self.matches(?) && !self.matches(?)`
	if got := literal.ReplaceAllString(string(rule[1]), "?"); got != form {
		t.Fatalf("SecretType has a rule of the form %s: adapt AllowsSecretType and this test", got)
	}
	texts := literal.FindAllString(string(rule[1]), -1)
	for i := range texts {
		texts[i] = strings.Trim(texts[i], "'")
	}
	return typeRule{texts[:2], regexp.MustCompile(texts[2]), regexp.MustCompile(texts[3])}
}

// The operator refuses exactly the types that the CRD refuses.
func FuzzAllowsSecretType_AsTheCRDDoes(f *testing.F) {
	for _, t := range []string{
		"Opaque", "kubernetes.io/basic-auth", "kubernetes.io/service-account-token", "kubernetes.io/tls", "k8s.io/x",
		"bootstrap.kubernetes.io/token", "a.k8s.io/x", "KUBERNETES.IO/tls", "kubernetes.io./tls", "kubernetes.io/tls\n",
		"notkubernetes.io/x", "kubernetes.io.example.com/x", "example.com/x", "example.com/X_y.z-1", "example.com/x-",
		"a-b.c/d", "-a.b/c", "a..b/c", "Example.com/x", "example/x", "example.com/", "/x", "", "a.b/c/d", "example.com/ä",
		"example.com/" + strings.Repeat("x", 241), "example.com/" + strings.Repeat("x", 242),
	} {
		f.Add(t)
	}
	rule := readTypeRule(f)
	f.Fuzz(func(t *testing.T, secretType string) {
		if got, want := lifecycle.AllowsSecretType(secretType), rule.accepts(secretType); got != want {
			t.Fatalf("%q: the operator accepts it: %v, the CRD: %v", secretType, got, want)
		}
	})
}
