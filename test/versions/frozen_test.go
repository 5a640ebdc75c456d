package versions

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// frozen are the rules that never become stricter: those of whole objects, of structs and of lists of structs. The API
// server evaluates a rule again when anything below it has changed, so a stricter rule of an object would refuse the
// operator's next status of objects that are stored already. To add a line here is a decision: from the release on, the
// rule stays. A rule of a single value, of a list of values or of a map is evaluated when that value changes. It may
// become stricter, and is not listed.
var frozen = []string{
	"AccessRole .spec.limits.budgets[]: " + oneUnit,
	"AccessRole .spec.permissions[]: " + graphDataTakesAny,

	"AdminUser .: has(self.spec.username) || (size(self.metadata.name) >= 2 && size(self.metadata.name) <= 50)",
	"AdminUser .: has(self.spec.username) || self.metadata.name != 'admin'",
	"AdminUser .: size(self.metadata.name) <= 243",
	"AdminUser .spec.rotation: " + overlapIsShorter,
	"AdminUser .spec: self.delivery != 'Response' || !has(self.rotation) || !has(self.rotation.after)",
	"AdminUser .spec: self.delivery != 'Response' || !has(self.rotation) || !has(self.rotation.every)",
	"AdminUser .spec: self.delivery != 'Response' || !has(self.secret)",
	"AdminUser .status.conditions: " + conditionsHaveTimes,
	"AdminUser .status.keys: " + oneKeyIsCurrent,

	"APIKey .: size(self.metadata.name) <= 245",
	"APIKey .spec.budgets[]: " + oneUnit,
	"APIKey .spec.policy.permissions[]: " + graphDataTakesAny,
	"APIKey .spec.rotation: " + overlapIsShorter,
	"APIKey .spec.secret: !has(self.stringData) || !(self.dataKey in self.stringData)",
	"APIKey .spec.secret: self.type != 'kubernetes.io/basic-auth' || self.dataKey == 'password'",
	"APIKey .spec.subject: self.kind != 'User' || self.name.lowerAscii() != 'admin'",
	"APIKey .spec.subject: self.kind != 'User' || self.name.matches('^[A-Za-z0-9][A-Za-z0-9._-]{1,49}$')",
	"APIKey .spec.subject: self.kind == 'User' || self.name.matches('^[A-Za-z0-9][A-Za-z0-9._-]*$')",
	"APIKey .spec: !has(self.expiresAt) || !has(self.ttl)",
	"APIKey .spec: !has(self.ttl) || !has(self.rotation) || !has(self.rotation.every) || " +
		"[self.ttl, self.rotation.every]" + noDuration + " || duration(self.ttl) > duration(self.rotation.every)",
	"APIKey .spec: self.delivery != 'Response' || !has(self.rotation) || !has(self.rotation.after)",
	"APIKey .spec: self.delivery != 'Response' || !has(self.rotation) || !has(self.rotation.every)",
	"APIKey .spec: self.delivery != 'Response' || !has(self.secret)",
	"APIKey .status.conditions: " + conditionsHaveTimes,
	"APIKey .status.keys: " + oneKeyIsCurrent,
}

const (
	conditionsHaveTimes = "self.all(c, c.lastTransitionTime >= timestamp('0001-01-01T00:00:00Z'))"
	graphDataTakesAny   = "!self.actions.exists(a, a == 'query:ReadGraphData') || self.resources.all(r, r == '*')"
	noDuration          = ".exists(d, size(d) == 0 || !d.matches('^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?$'))"
	oneUnit             = "(has(self.usd)?1:0)+(has(self.tokens)?1:0) == 1"
	oneKeyIsCurrent     = "self.filter(k, has(k.state) && k.state == 'Current').size() <= 1"
	overlapIsShorter    = "!has(self.every) || !has(self.overlap) || [self.every, self.overlap]" + noDuration +
		" || duration(self.overlap) < duration(self.every)"
)

func TestRules_OfStructsAreFrozen(t *testing.T) {
	found := map[string]bool{}
	leaves := 0
	for _, c := range read(t) {
		for _, version := range c.versions() {
			for _, r := range rulesBelow(schemaOf(version), "") {
				if !r.structural {
					leaves++
					continue
				}
				found[fmt.Sprintf("%s %s: %s", c.kind(), r.path, r.rule)] = true
			}
		}
	}
	for rule := range found {
		if !slices.Contains(frozen, rule) {
			t.Errorf("not in the list of frozen rules: %s", rule)
		}
	}
	for _, rule := range frozen {
		if !found[rule] {
			t.Errorf("a frozen rule is gone or has changed: %s", rule)
		}
	}
	if leaves == 0 {
		t.Error("no rule of a leaf was found")
	}
}

// Rules of values, of lists of values and of maps are free; those of structs and of what contains structs are not.
func TestRules_AreStructuralAbove(t *testing.T) {
	rules := []any{map[string]any{"rule": "r"}}
	leaf := map[string]any{"type": "string", "x-kubernetes-validations": rules}
	structure := map[string]any{"type": "object", "properties": map[string]any{"leaf": leaf},
		"x-kubernetes-validations": rules}
	root := map[string]any{"type": "object", "properties": map[string]any{
		"leaf":   leaf,
		"struct": structure,
		"list":   map[string]any{"type": "array", "items": leaf, "x-kubernetes-validations": rules},
		"map":    map[string]any{"type": "object", "additionalProperties": leaf, "x-kubernetes-validations": rules},
		"table":  map[string]any{"type": "array", "items": structure, "x-kubernetes-validations": rules},
	}}
	var structural, free []string
	for _, r := range rulesBelow(root, "") {
		if r.structural {
			structural = append(structural, r.path)
		} else {
			free = append(free, r.path)
		}
	}
	if got := strings.Join(structural, " "); got != ".struct .table .table[]" {
		t.Error("structural:", got)
	}
	if got := strings.Join(free, " "); got != ".leaf .list .list[] .map .map{} .struct.leaf .table[].leaf" {
		t.Error("free:", got)
	}
}

// rule is a CEL rule of a schema.
type rule struct {
	path, rule string
	// structural is true for the rule of a struct, or of a list or map of structs.
	structural bool
}

// rulesBelow returns the rules of a schema and of everything below it, in the order of paths.
func rulesBelow(schema map[string]any, path string) []rule {
	var found []rule
	rules, _ := schema["x-kubernetes-validations"].([]any)
	for _, r := range rules {
		found = append(found, rule{cmp.Or(path, "."), r.(map[string]any)["rule"].(string), hasStructs(schema)})
	}
	fields, _ := schema["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		found = append(found, rulesBelow(fields[name].(map[string]any), path+"."+name)...)
	}
	if items, ok := schema["items"].(map[string]any); ok {
		found = append(found, rulesBelow(items, path+"[]")...)
	}
	if values, ok := schema["additionalProperties"].(map[string]any); ok {
		found = append(found, rulesBelow(values, path+"{}")...)
	}
	return found
}

// hasStructs reports whether values of a schema are structs, or contain some.
func hasStructs(schema map[string]any) bool {
	if _, ok := schema["properties"]; ok {
		return true
	}
	for _, below := range []string{"items", "additionalProperties"} {
		if element, ok := schema[below].(map[string]any); ok && hasStructs(element) {
			return true
		}
	}
	return false
}
