package v1alpha1_test

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
)

const memberForm = "must be a username: 2-50 letters, digits, '.', '_', '-', a letter or digit first"

func members(m ...string) string { return list("members", m...) }

func badMember(name string) string {
	return fmt.Sprintf("spec.members[0]: Invalid value: %q: %s", name, memberForm)
}

func adminMember(name string) string {
	return fmt.Sprintf("spec.members[0]: Invalid value: %q: username 'admin' is reserved", name)
}

func maxTTL(d string) string { return fmt.Sprintf(`{"maxTTL":%q}`, d) }

func badMaxTTL(d string) string {
	return fmt.Sprintf("spec.maxTTL: Invalid value: %q: %s", d, everyForm)
}

var _ = DescribeTable("An AccessRole is refused, with one sentence for each mistake:",
	func(ctx SpecContext, spec string, want ...string) {
		_, err := accessRole.try(ctx, "rr", spec)
		Expect(complaints(err)).To(ConsistOf(want))
	},
	Entry("member of one character", members("a"), badMember("a")),
	Entry("member empty", members(""), badMember("")),
	Entry("member of 51 characters", members(strings.Repeat("a", 51)),
		"spec.members[0]: Too long: may not be more than 50 bytes"),
	Entry("member with a space", members("a b"), badMember("a b")),
	Entry("member with the kind of a subject", members("User/alice"), badMember("User/alice")),
	Entry("member that is a wildcard", members("*"), badMember("*")),
	Entry("member with a line end", members(`alice\n`), `spec.members[0]: Invalid value: "alice\n": `+memberForm),
	Entry("member admin", members("admin"), adminMember("admin")),
	Entry("member Admin", members("Admin"), adminMember("Admin")),
	Entry("a member twice", members("alice", "bob", "alice"), `spec.members[2]: Duplicate value: "alice"`),
	Entry("1001 members", members(numbered("user", 1001)...),
		"spec.members: Too many: 1001: must have at most 1000 items"),
	Entry("members as text", `{"members":"alice"}`, `spec.members: Invalid value: "string": spec.members in body must be of type array: "string"`),

	Entry("apiKeys in lower case", `{"apiKeys":"allowed"}`, `spec.apiKeys: Unsupported value: "allowed": supported values: "Allowed", "Denied"`),
	Entry("apiKeys as yes or no", `{"apiKeys":false}`, `spec.apiKeys: Unsupported value: false: supported values: "Allowed", "Denied"`,
		`spec.apiKeys: Invalid value: "boolean": spec.apiKeys in body must be of type string: "boolean"`),

	Entry("maxTTL under a minute", maxTTL("59s"), badMaxTTL("59s")),
	Entry("maxTTL of no time", maxTTL("0s"), badMaxTTL("0s")),
	Entry("maxTTL negative", maxTTL("-1h"), badMaxTTL("-1h")),
	Entry("maxTTL empty", maxTTL(""), badMaxTTL("")),
	Entry("maxTTL in days", maxTTL("30d"), badMaxTTL("30d")),
	Entry("maxTTL with a fraction", maxTTL("1.5h"), badMaxTTL("1.5h")),
	Entry("maxTTL beyond what can be counted", maxTTL("99999999999h"), badMaxTTL("99999999999h")),
	Entry("description too long", fmt.Sprintf(`{"description":%q}`, strings.Repeat("x", 1025)), "spec.description: Too long: may not be more than 1024 bytes"),
	Entry("the spec as a list", `[]`, `spec: Invalid value: "array": spec in body must be of type object: "array"`),
)

var _ = DescribeTable("An AccessRole is accepted:",
	func(ctx SpecContext, spec string) {
		_, err := accessRole.try(ctx, "rr", spec)
		Expect(err).NotTo(HaveOccurred())
	},
	Entry("members who differ by case alone", members("alice", "Alice")),
	Entry("1000 members with names at their longest", members(numbered(strings.Repeat("u", 46), 1000)...)),
	Entry("member of two characters", members("ab")),
	Entry("no members", `{"members":[]}`),
	Entry("no permissions", `{"permissions":[]}`),
	Entry("keys denied", `{"apiKeys":"Denied"}`),
	Entry("maxTTL of a minute", maxTTL("60s")),
	Entry("maxTTL at its longest", maxTTL("999999h9999999m999999999s")),
	Entry("description at its longest", fmt.Sprintf(`{"description":%q}`, strings.Repeat("x", 1024))),
)

var _ = DescribeTable("Defaults of an AccessRole", func(ctx SpecContext, spec string, want map[string]any) {
	stored, err := accessRole.try(ctx, "rr", spec)
	Expect(err).NotTo(HaveOccurred())
	Expect(stored.Object["spec"]).To(Equal(want))
},
	Entry("without a spec", "", map[string]any{"apiKeys": "Allowed"}),
	Entry("with an empty spec", "{}", map[string]any{"apiKeys": "Allowed"}),
	Entry("with nulls", `{"apiKeys":null,"maxTTL":null,"members":null}`, map[string]any{"apiKeys": "Allowed"}),
	Entry("that says otherwise", `{"apiKeys":"Denied"}`, map[string]any{"apiKeys": "Denied"}),
)

var _ = Describe("An AccessRole", func() {
	It("is cluster-scoped", func(ctx SpecContext) {
		role := accessRole.create(ctx, "everywhere", "{}")
		Expect(role.GetNamespace()).To(BeEmpty())
		Expect(plane.Client.Get(ctx, client.ObjectKey{Name: "everywhere"}, &v1alpha1.AccessRole{})).To(Succeed())
		Expect(apierrors.IsNotFound(plane.Client.Get(ctx, client.ObjectKey{Namespace: "default", Name: "everywhere"},
			&v1alpha1.APIKey{}))).To(BeTrue())
	})

	It("can be changed in every field", func(ctx SpecContext) {
		role := accessRole.create(ctx, "changing", "{}")
		Expect(edit(ctx, role, `{"spec":{"description":"d","permissions":[`+action("*")+`],"members":["alice"],"apiKeys":"Denied","maxTTL":"1h"}}`)).To(Succeed())
		Expect(edit(ctx, role, `{"spec":null}`)).To(Succeed())
	})
})
