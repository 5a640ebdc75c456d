package spec_test

import (
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"keywright.dev/keywright/api/v1alpha1"
)

// pages maps the page of each kind to the files of the API that it explains.
var pages = map[string][]string{
	"adminuser.md":         {"adminuser_types.go", "key_types.go"},
	"apikey.md":            {"apikey_types.go", "key_types.go", "policy_types.go", "budget_types.go"},
	"accessrole.md":        {"accessrole_types.go", "policy_types.go", "budget_types.go"},
	"accessrolebinding.md": {"accessrolebinding_types.go"},
}

// only has the page of each constant that concerns one of the two key objects. Other constants are on both pages.
var only = map[string]string{
	"ConditionLastAdmin":              "adminuser.md",
	"ReasonOnlyActiveAdmin":           "adminuser.md",
	"ReasonKeptLastAdmin":             "adminuser.md",
	"ReasonDemoted":                   "adminuser.md",
	"ReasonUsernameTaken":             "adminuser.md",
	"AnnotationAllowLastAdminRemoval": "adminuser.md",
	"AnnotationAcceptNewPepper":       "adminuser.md",
	"FinalizerLastAdmin":              "adminuser.md",
	"SecretUsername":                  "adminuser.md",
	"EventConfigApplied":              "adminuser.md",
	"EventConfigInvalid":              "adminuser.md",
	"EventConfigWaits":                "adminuser.md",
	"EventConfigRunning":              "adminuser.md",
	"EventConfigLags":                 "adminuser.md",
	"EventPlaintextKey":               "adminuser.md",
	"EventLowDiskSpace":               "adminuser.md",
	"EventDatabaseUnavailable":        "adminuser.md",
	"EventPricesRefused":              "adminuser.md",
	"EventDoubtfulNames":              "adminuser.md",
	"EventPromoted":                   "adminuser.md",
	"EventDemoted":                    "adminuser.md",
	"EventEnabled":                    "adminuser.md",
	"AnnotationConfiguration":         "adminuser.md",
	"AnnotationDatabase":              "adminuser.md",
	"AnnotationConfigurationStatus":   "adminuser.md",
	"AnnotationConfigurationMessage":  "adminuser.md",
	"AnnotationConfigurationVersion":  "adminuser.md",
	"EventConfigRemoved":              "adminuser.md",
	"EventConfigMisnamed":             "adminuser.md",
	"EventKeysEnded":                  "adminuser.md",

	"ReasonExpired":       "apikey.md",
	"ReasonRevoked":       "apikey.md",
	"StateRevoked":        "apikey.md",
	"ReasonUnknownRole":   "apikey.md",
	"ReasonForbiddenType": "apikey.md",
	"AnnotationContents":  "apikey.md",
	"ReasonOwnerGone":     "apikey.md",
	"ReasonOwnerDenied":   "apikey.md",
	"ReasonOwnerDisabled": "apikey.md",
	"SecretSubject":       "apikey.md",
	"EventKeyExpired":     "apikey.md",
	"EventChanged":        "apikey.md",
	"EventOwnerChanged":   "apikey.md",

	"ConditionWithinBudget": "apikey.md",
	"ReasonWithinBudget":    "apikey.md",
	"ReasonBudgetExceeded":  "apikey.md",
	"ReasonBudgetWarning":   "apikey.md",
}

// documented matches the names of constants that users meet.
var documented = regexp.MustCompile(`^(Condition|Reason|Event|Annotation|Finalizer|Label|Secret)`)

// Every condition, reason, event, annotation and finalizer is explained on the page of each kind that has it, and on no
// other.
func TestPages_ExplainConstantsOfTheirKind(t *testing.T) {
	known := common(t)
	for name := range only {
		if known[name] == "" && name != "StateRevoked" {
			t.Errorf("the API has no %s any more", name)
		}
	}
	for name, value := range known {
		for _, page := range []string{"adminuser.md", "apikey.md"} {
			concerned := only[name] == "" || only[name] == page
			switch named := names(read(t, page), value); {
			case concerned && !named:
				t.Errorf("%s does not explain %s (%s)", page, value, name)
			case !concerned && named && isReported(name):
				t.Errorf("%s mentions %s (%s), which its kind does not have", page, value, name)
			}
		}
	}
}

// isReported reports whether status or events show a constant. A page may mention the others if another kind has them.
func isReported(name string) bool {
	return strings.HasPrefix(name, "Condition") || strings.HasPrefix(name, "Reason") || strings.HasPrefix(name, "Event")
}

// Every field, and every value of a field, is on the page of each kind that has it.
func TestPages_ExplainFieldsAndValuesOfTheirKind(t *testing.T) {
	for page, files := range pages {
		text := read(t, page)
		for _, file := range files {
			for _, field := range fields(t, api+file) {
				if !namesField(text, field) {
					t.Errorf("%s does not explain field %s of %s", page, field, file)
				}
			}
			for name, value := range constants(t, api+file) {
				if elsewhere := only[name] != "" && only[name] != page; !elsewhere && !names(text, value) {
					t.Errorf("%s does not explain value %s (%s)", page, value, name)
				}
			}
		}
	}
}

// The tables have a row, or a place in one, for the path of each field of spec and status, and for nothing else.
func TestPages_ListEveryField(t *testing.T) {
	for page, kind := range map[string][]any{
		"adminuser.md":  {v1alpha1.AdminUserSpec{}, v1alpha1.AdminUserStatus{}},
		"apikey.md":     {v1alpha1.APIKeySpec{}, v1alpha1.APIKeyStatus{}},
		"accessrole.md": {v1alpha1.AccessRoleSpec{}},

		"accessrolebinding.md": {v1alpha1.AccessRoleBindingSpec{}},
	} {
		var want []string
		for _, part := range kind {
			want = append(want, paths(reflect.TypeOf(part), "")...)
		}
		got := documentedFields(read(t, page))
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s has rows for\n%v\nand the API has\n%v", page, got, want)
		}
	}
}

// A word that looks like a reason is a value of the API or a kind.
func TestPages_MentionNoUnknownReason(t *testing.T) {
	known := slices.Collect(maps.Values(common(t)))
	files := []string{
		"adminuser_types.go", "apikey_types.go", "accessrole_types.go", "accessrolebinding_types.go", "key_types.go",
		"policy_types.go", "budget_types.go",
	}
	for _, file := range files {
		known = slices.AppendSeq(known, maps.Values(constants(t, api+file)))
	}
	known = append(known, "Opaque")
	for page := range pages {
		for _, word := range reasonLike.FindAllStringSubmatch(read(t, page), -1) {
			if !slices.Contains(known, word[1]) {
				t.Errorf("%s mentions %s, which is not in the API", page, word[1])
			}
		}
	}
}

const api = "../../api/v1alpha1/"

var (
	// reasonLike matches a word such as KeyIssued, alone or after Stalled/.
	reasonLike = regexp.MustCompile("`(?:Stalled/)?([A-Z][a-z]+(?:[A-Z][a-z]+)*)`")
	// fieldTable matches a table of fields, fieldCell its first column.
	fieldTable = regexp.MustCompile(`(?m)^\| field \|.*\n\|-.*\n(?:\|.*\n)+`)
	fieldCell  = regexp.MustCompile("(?m)^\\| (`[^|]+`) \\|")
	quoted     = regexp.MustCompile("`([^`]+)`")
)

// common returns the constants of conditions, events and names that a page explains.
func common(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, file := range []string{"conditions.go", "events.go", "names.go"} {
		before := len(found)
		for name, value := range constants(t, api+file) {
			if documented.MatchString(name) {
				found[name] = value
			}
		}
		if len(found) == before {
			t.Fatalf("no constants in %s", file)
		}
	}
	return found
}

func read(t *testing.T, page string) string {
	t.Helper()
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// names reports whether text has a value in backticks, alone, with a setting, or as the reason of a stall.
func names(text, value string) bool {
	return regexp.MustCompile("`(Stalled/)?" + regexp.QuoteMeta(value) + "[:`]").MatchString(text)
}

// namesField reports whether text has a field in backticks, alone or in its path.
func namesField(text, field string) bool {
	return regexp.MustCompile("`([A-Za-z.\\[\\]]+\\.)?" + field + `(\[\])?[.` + "`]").MatchString(text)
}

func documentedFields(text string) []string {
	var paths []string
	for _, table := range fieldTable.FindAllString(text, -1) {
		for _, cell := range fieldCell.FindAllStringSubmatch(table, -1) {
			for _, path := range quoted.FindAllStringSubmatch(cell[1], -1) {
				paths = append(paths, strings.TrimSuffix(path[1], "[]"))
			}
		}
	}
	return paths
}
