package v1alpha1_test

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Refusals of a permission.
const (
	actionForm   = "must be an action such as certs.read or dashboard:View, or '*' alone: there is no wildcard for a part"
	resourceForm = "must be a kind and an id such as certificate:42, or '*' alone: there is no wildcard for a part"
	graphData    = "resources: Invalid value: action query:ReadGraphData takes resource '*' only: a condition narrows it"
	propertyName = "condition.stringEquals: Invalid value: a property has a name of 1-63 characters"
)

// allow returns a permission; actions and resources are the contents of the brackets.
func allow(actions, resources string) string {
	return fmt.Sprintf(`{"effect":"ALLOW","actions":[%s],"resources":[%s]}`, actions, resources)
}

func action(a string) string   { return allow(fmt.Sprintf("%q", a), `"*"`) }
func resource(r string) string { return allow(`"certs.read"`, fmt.Sprintf("%q", r)) }

func effect(e string) string {
	return fmt.Sprintf(`{"effect":%q,"actions":["*"],"resources":["*"]}`, e)
}

// where returns a permission with a condition, given as the content of its braces.
func where(condition string) string {
	return strings.TrimSuffix(allow(`"query:ReadGraphData"`, `"*"`), "}") + `,"condition":{` + condition + `}}`
}

func property(name, value string) string {
	return where(fmt.Sprintf(`"stringEquals":{%q:%q}`, name, value))
}

// quoted returns a JSON list of different items, without its brackets.
func quoted(word string, count int) string {
	return `"` + strings.Join(numbered(word, count), `","`) + `"`
}

func properties(count int) string {
	entries := make([]string, count)
	for i := range entries {
		entries[i] = fmt.Sprintf(`"p%d":"v"`, i)
	}
	return where(`"stringEquals":{` + strings.Join(entries, ",") + `}`)
}

func badEffect(e string) string {
	return fmt.Sprintf(`effect: Unsupported value: %q: supported values: "ALLOW", "DENY"`, e)
}

// tooFew and ofType are refusals by the API server itself, which repeat the path: {} stands for its beginning.
func tooFew(field, what string) string {
	return fmt.Sprintf("%s: Invalid value: 0: {}.%s in body should have at least 1 %s", field, field, what)
}

func ofType(field, want, got string) string {
	return fmt.Sprintf("%s: Invalid value: %q: {}.%s in body must be of type %s: %q", field, got, field, want, got)
}

func badAction(a string) string {
	return fmt.Sprintf("actions[0]: Invalid value: %q: %s", a, actionForm)
}

func badResource(r string) string {
	return fmt.Sprintf("resources[0]: Invalid value: %q: %s", r, resourceForm)
}

// permissionHolder is a kind whose spec has permissions, with the path of the first one.
type permissionHolder struct {
	kind
	spec func(permissions string) string
	path string
}

var permissionHolders = []permissionHolder{
	{apiKey, func(p string) string { return ci(`{"policy":{"permissions":[` + p + `]}}`) }, "spec.policy.permissions"},
	{accessRole, func(p string) string { return `{"permissions":[` + p + `]}` }, "spec.permissions"},
}

var _ = Describe("A permission", func() {
	for _, holder := range permissionHolders {
		DescribeTable("of an "+holder.name+" is refused with one sentence for each mistake:",
			func(ctx SpecContext, permission string, want ...string) {
				_, err := holder.try(ctx, "pp", holder.spec(permission))
				for i, line := range want {
					want[i] = holder.path + "[0]." + strings.ReplaceAll(line, "{}", holder.path+"[0]")
				}
				Expect(complaints(err)).To(ConsistOf(want))
			}, refusedPermissions)
		DescribeTable("of an "+holder.name+" is accepted:",
			func(ctx SpecContext, permission string) {
				_, err := holder.try(ctx, "pp", holder.spec(permission))
				Expect(err).NotTo(HaveOccurred())
			}, acceptedPermissions)

		It("of an "+holder.name+" is limited to 32", func(ctx SpecContext) {
			_, err := holder.try(ctx, "pp", holder.spec(strings.Repeat(action("*")+",", 31)+action("*")))
			Expect(err).NotTo(HaveOccurred())
			_, err = holder.try(ctx, "pp", holder.spec(strings.Repeat(action("*")+",", 32)+action("*")))
			Expect(complaints(err)).To(ConsistOf(holder.path + ": Too many: 33: must have at most 32 items"))
		})

		It("of an "+holder.name+" with every field at its limit is within the cost limit of the API server",
			func(ctx SpecContext) {
				longest := strings.TrimSuffix(allow(quoted("a."+strings.Repeat("b", 59), 16),
					quoted("k:"+strings.Repeat("i", 249), 16)), "}") +
					`,"condition":` + strings.Split(properties(16), `"condition":`)[1]
				_, err := holder.try(ctx, "pp", holder.spec(strings.Repeat(longest+",", 31)+longest))
				Expect(err).NotTo(HaveOccurred())
			})
	}
})

var refusedPermissions = []TableEntry{
	Entry("an empty one", `{}`, "effect: Required value", "actions: Required value", "resources: Required value"),
	Entry("effect in lower case", effect("allow"), badEffect("allow")),
	Entry("effect in mixed case", effect("Deny"), badEffect("Deny")),
	Entry("an unknown effect", effect("AUDIT"), badEffect("AUDIT")),
	Entry("effect empty", effect(""), badEffect("")),
	Entry("no effect", `{"actions":["*"],"resources":["*"]}`, "effect: Required value"),
	Entry("no actions", `{"effect":"ALLOW","resources":["*"]}`, "actions: Required value"),
	Entry("no resources", `{"effect":"ALLOW","actions":["*"]}`, "resources: Required value"),
	Entry("an empty list of actions", allow(``, `"*"`), tooFew("actions", "items")),
	Entry("an empty list of resources", allow(`"*"`, ``), tooFew("resources", "items")),
	Entry("17 actions", allow(quoted("a.b", 17), `"*"`), "actions: Too many: 17: must have at most 16 items"),
	Entry("17 resources", allow(`"*"`, quoted("k:", 17)), "resources: Too many: 17: must have at most 16 items"),

	Entry("action with a wildcard for its last part", action("certs.*"), badAction("certs.*")),
	Entry("action with a wildcard for its first part", action("*.read"), badAction("*.read")),
	Entry("action with a wildcard after a colon", action("dashboard:*"), badAction("dashboard:*")),
	Entry("action with a wildcard inside", action("certs.re*"), badAction("certs.re*")),
	Entry("action of two wildcards", action("**"), badAction("**")),
	Entry("action of one part", action("certs"), badAction("certs")),
	Entry("action empty", action(""), badAction("")),
	Entry("action with a space", action("certs .read"), badAction("certs .read")),
	Entry("action too long", action("a."+strings.Repeat("b", 62)), "actions[0]: Too long: may not be more than 63 bytes"),
	Entry("action null", allow(`"a.b",null`, `"*"`), ofType("actions[1]", "string", "null")),
	Entry("action as a number", allow(`1`, `"*"`), ofType("actions[0]", "string", "integer")),

	Entry("resource with a wildcard for its id", resource("certificate:*"), badResource("certificate:*")),
	Entry("resource with a wildcard inside", resource("certificate:4*"), badResource("certificate:4*")),
	Entry("resource with a wildcard for its kind", resource("*:42"), badResource("*:42")),
	Entry("resource without an id", resource("certificate:"), badResource("certificate:")),
	Entry("resource without a kind", resource(":42"), badResource(":42")),
	Entry("resource without a colon", resource("certificate"), badResource("certificate")),
	Entry("resource empty", resource(""), badResource("")),
	Entry("resource with a space", resource("certificate:4 2"), badResource("certificate:4 2")),
	Entry("resource with a line end", resource("certificate:42\n"), `resources[0]: Invalid value: "certificate:42\n": `+resourceForm),
	Entry("resource with a control character", allow(`"certs.read"`, `"certificate:4\u0007"`), `resources[0]: Invalid value: "certificate:4\a": `+resourceForm),
	Entry("resource null", allow(`"certs.read"`, `"k:1",null`), ofType("resources[1]", "string", "null")),
	Entry("resource too long", resource("c:"+strings.Repeat("x", 252)),
		"resources[0]: Too long: may not be more than 253 bytes"),

	Entry("query:ReadGraphData on one object", allow(`"query:ReadGraphData"`, `"node:1"`), graphData),
	Entry("query:ReadGraphData on anything and on one object", allow(`"certs.read","query:ReadGraphData"`, `"*","node:1"`), graphData),

	Entry("an empty condition", where(``), "condition.stringEquals: Required value"),
	Entry("a condition without a property", where(`"stringEquals":{}`), tooFew("condition.stringEquals", "properties")),
	Entry("a property without a name", property("", "v"), propertyName),
	Entry("a property with a name too long", property(strings.Repeat("p", 64), "v"), propertyName),
	Entry("a property with a value too long", property("p", strings.Repeat("v", 254)),
		"condition.stringEquals.p: Too long: may not be more than 253 bytes"),
	Entry("a property with a number", where(`"stringEquals":{"p":1}`), ofType("condition.stringEquals.p", "string", "integer")),
	Entry("a property with no value, which the API server drops", where(`"stringEquals":{"p":null}`), tooFew("condition.stringEquals", "properties")),
	Entry("17 properties", properties(17), "condition.stringEquals: Too many: 17: must have at most 16 items"),
}

var acceptedPermissions = []TableEntry{
	Entry("ALLOW of everything", effect("ALLOW")),
	Entry("DENY of everything", effect("DENY")),
	Entry("actions of two ways to write, and more parts", allow(`"certs.read","dashboard:View","a.b.c","*"`, `"*"`)),
	Entry("resources of several ways to write", allow(`"certs.read"`, `"certificate:42","repo:a/b","urn:x:y","file:é.txt","*"`)),
	Entry("16 actions", allow(quoted("a.b", 16), `"*"`)),
	Entry("16 resources", allow(`"*"`, quoted("k:", 16))),
	Entry("an action twice", allow(`"a.b","a.b"`, `"*"`)),
	Entry("action of 63 characters", action("a."+strings.Repeat("b", 61))),
	Entry("resource of 253 characters", resource("c:"+strings.Repeat("x", 251))),
	Entry("query:ReadGraphData on anything", property("_type", "github_repo")),
	Entry("any action on one object", allow(`"*"`, `"node:1"`)),
	Entry("a property of one character", property("p", "")),
	Entry("a property at its longest", property(strings.Repeat("p", 63), strings.Repeat("v", 253))),
	Entry("16 properties", properties(16)),
}

var _ = Describe("A policy", func() {
	It("needs a permission", func(ctx SpecContext) {
		for _, policy := range []string{`{}`, `{"permissions":null}`} {
			_, err := apiKey.try(ctx, "pp", ci(`{"policy":`+policy+`}`))
			Expect(complaints(err)).To(ConsistOf("spec.policy.permissions: Required value"), policy)
		}
		_, err := apiKey.try(ctx, "pp", ci(`{"policy":{"permissions":[]}}`))
		Expect(complaints(err)).To(ConsistOf(
			"spec.policy.permissions: Invalid value: 0: spec.policy.permissions in body should have at least 1 items"))
	})

	// The API server drops it before it validates; the pages in docs/spec mention that.
	It("loses a property that is null", func(ctx SpecContext) {
		stored, err := accessRole.try(ctx, "pp", `{"permissions":[`+where(`"stringEquals":{"p":null,"q":"v"}`)+`]}`)
		Expect(err).NotTo(HaveOccurred())
		permissions, _, err := unstructured.NestedSlice(stored.Object, "spec", "permissions")
		Expect(err).NotTo(HaveOccurred())
		Expect(permissions[0]).To(HaveKeyWithValue("condition", map[string]any{"stringEquals": map[string]any{"q": "v"}}))
	})
})
