package v1alpha1_test

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
)

const memberForm = "must be a username: 2-50 letters, digits, '.', '_', '-', a letter or digit first"

// bound returns the spec of a binding of role reader, with further fields.
func bound(spec string) string {
	const role = `{"roleRef":{"name":"reader"}`
	if spec == "{}" {
		return role + "}"
	}
	return role + "," + strings.TrimPrefix(spec, "{")
}

// users returns the spec of a binding that lists users of these names.
func users(names ...string) string {
	subjects := make([]string, len(names))
	for i, name := range names {
		subjects[i] = fmt.Sprintf(`{"kind":"User","name":%q}`, name)
	}
	return bound(`{"subjects":[` + strings.Join(subjects, ",") + `]}`)
}

func boundTo(role string) string { return fmt.Sprintf(`{"roleRef":{"name":%q}}`, role) }

func badUser(name string) string {
	return fmt.Sprintf("spec.subjects[0].name: Invalid value: %q: %s", name, memberForm)
}

func adminUserBound(name string) string {
	return fmt.Sprintf("spec.subjects[0].name: Invalid value: %q: username 'admin' is reserved", name)
}

func badBoundRole(role string) string {
	return fmt.Sprintf("spec.roleRef.name: Invalid value: %q: %s", role, roleForm)
}

var _ = DescribeTable("An AccessRoleBinding is refused, with one sentence for each mistake:",
	func(ctx SpecContext, spec string, want ...string) {
		_, err := accessRoleBinding.try(ctx, "bb", spec)
		Expect(complaints(err)).To(ConsistOf(want))
	},
	Entry("no spec", "", "spec: Required value"),
	Entry("an empty spec", "{}", "spec.roleRef: Required value"),
	Entry("an empty roleRef", `{"roleRef":{}}`, "spec.roleRef.name: Required value"),
	Entry("a role in capitals", boundTo("Reader"), badBoundRole("Reader")),
	Entry("a role that is empty", boundTo(""), badBoundRole("")),
	Entry("a role that is a wildcard", boundTo("*"), badBoundRole("*")),
	Entry("a role too long", boundTo(strings.Repeat("a", 254)),
		"spec.roleRef.name: Too long: may not be more than 253 bytes"),

	Entry("an empty subject", bound(`{"subjects":[{}]}`), "spec.subjects[0].kind: Required value",
		"spec.subjects[0].name: Required value"),
	Entry("a subject as text", bound(`{"subjects":["User/alice"]}`), `spec.subjects[0]: Invalid value: "string": spec.subjects[0] in body must be of type object: "string"`,
		`spec.subjects[0]: Invalid value: "User/alice": must be an object for an array of list-type map`),
	Entry("an account, which cannot hold a role yet", bound(`{"subjects":[{"kind":"Account","name":"ci"}]}`),
		`spec.subjects[0].kind: Unsupported value: "Account": supported values: "User"`),
	Entry("user of one character", users("a"), badUser("a")),
	Entry("user empty", users(""), badUser("")),
	Entry("user of 51 characters", users(strings.Repeat("a", 51)),
		"spec.subjects[0].name: Too long: may not be more than 50 bytes"),
	Entry("user with a space", users("a b"), badUser("a b")),
	Entry("user with the kind of a subject", users("User/alice"), badUser("User/alice")),
	Entry("user that is a wildcard", users("*"), badUser("*")),
	Entry("user with a line end", users("alice\n"), `spec.subjects[0].name: Invalid value: "alice\n": `+memberForm),
	Entry("user admin", users("admin"), adminUserBound("admin")),
	Entry("user Admin", users("Admin"), adminUserBound("Admin")),
	Entry("a user twice", users("alice", "bob", "alice"),
		`spec.subjects[2]: Duplicate value: {"kind":"User","name":"alice"}`),
	Entry("501 users", users(numbered("user", 501)...), "spec.subjects: Too many: 501: must have at most 500 items"),

	Entry("apiKeys in lower case", bound(`{"apiKeys":"allowed"}`), `spec.apiKeys: Unsupported value: "allowed": supported values: "Allowed", "Denied"`),
	Entry("apiKeys as yes or no", bound(`{"apiKeys":false}`), `spec.apiKeys: Unsupported value: false: supported values: "Allowed", "Denied"`,
		`spec.apiKeys: Invalid value: "boolean": spec.apiKeys in body must be of type string: "boolean"`),
)

var _ = DescribeTable("An AccessRoleBinding is accepted:",
	func(ctx SpecContext, spec string) {
		_, err := accessRoleBinding.try(ctx, "bb", spec)
		Expect(err).NotTo(HaveOccurred())
	},
	Entry("a role that does not exist, with dots", boundTo("a.b-c")),
	Entry("no subjects", bound(`{"subjects":[]}`)),
	Entry("users who differ by case alone", users("alice", "Alice")),
	Entry("500 users with names at their longest", users(numbered(strings.Repeat("u", 47), 500)...)),
	Entry("user of two characters", users("ab")),
	Entry("user that only begins with admin", users("admin1")),
	Entry("keys denied", bound(`{"apiKeys":"Denied"}`)),
)

var _ = DescribeTable("Defaults of an AccessRoleBinding", func(ctx SpecContext, spec string, want map[string]any) {
	stored, err := accessRoleBinding.try(ctx, "bb", bound(spec))
	Expect(err).NotTo(HaveOccurred())
	want["roleRef"] = map[string]any{"name": "reader"}
	Expect(stored.Object["spec"]).To(Equal(want))
},
	Entry("that sets nothing else", "{}", map[string]any{"apiKeys": "Allowed"}),
	Entry("with nulls", `{"apiKeys":null,"subjects":null}`, map[string]any{"apiKeys": "Allowed"}),
	Entry("that sets apiKeys", `{"apiKeys":"Denied"}`, map[string]any{"apiKeys": "Denied"}),
)

var _ = Describe("An AccessRoleBinding", func() {
	It("is cluster-scoped", func(ctx SpecContext) {
		binding := accessRoleBinding.create(ctx, "everywhere", bound("{}"))
		Expect(binding.GetNamespace()).To(BeEmpty())
		Expect(plane.Client.Get(ctx, client.ObjectKey{Name: "everywhere"}, &v1alpha1.AccessRoleBinding{})).To(Succeed())
	})

	It("can be changed in its subjects and in apiKeys", func(ctx SpecContext) {
		binding := accessRoleBinding.create(ctx, "changing", users("alice"))
		Expect(edit(ctx, binding, `{"spec":{"subjects":[{"kind":"User","name":"bob"}],"apiKeys":"Denied"}}`)).To(Succeed())
		Expect(edit(ctx, binding, `{"spec":{"subjects":null}}`)).To(Succeed())
	})
})
