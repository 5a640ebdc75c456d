package v1alpha1_test

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/stack"
)

// Refusals of an AdminUser.
const (
	reservedName = "metadata: Invalid value: Username 'admin' is reserved"
	nameLength   = "metadata: Invalid value: metadata.name is the username when spec.username is not set, and must " +
		"then be 2-50 characters"
)

func username(name string) string { return fmt.Sprintf(`{"username":%q}`, name) }

func reserved(name string) string {
	return fmt.Sprintf("spec.username: Invalid value: %q: Username 'admin' is reserved", name)
}

func invalidUsername(name string) string {
	return fmt.Sprintf("spec.username: Invalid value: %q: Invalid username: '%s'. Must be", name, name) +
		" 2-50 alphanumeric characters, dots, hyphens, underscores, starting with a letter or digit."
}

var _ = DescribeTable("An AdminUser is refused, with one sentence for each mistake:",
	func(ctx SpecContext, name, spec string, want ...string) {
		_, err := adminUser.try(ctx, name, spec)
		Expect(complaints(err)).To(ConsistOf(want))
	},
	Entry("metadata.name of one character as the username", "a", "", nameLength),
	Entry("metadata.name of 51 characters as the username", strings.Repeat("a", 51), "", nameLength),
	Entry("metadata.name admin as the username", "admin", "", reservedName),
	Entry("metadata.name too long for the Secret's name", strings.Repeat("a", 244), username("ok"),
		"metadata: Invalid value: metadata.name must be at most 243 characters: the Secret's name is made from it"),

	Entry("username admin", "uu", username("admin"), reserved("admin")),
	Entry("username Admin", "uu", username("Admin"), reserved("Admin")),
	Entry("username ADMIN", "uu", username("ADMIN"), reserved("ADMIN")),
	Entry("username aDmIn", "uu", username("aDmIn"), reserved("aDmIn")),
	Entry("username empty", "uu", username(""), invalidUsername("")),
	Entry("username of one character", "uu", username("a"), invalidUsername("a")),
	Entry("username of 51 characters", "uu", username(strings.Repeat("a", 51)),
		"spec.username: Too long: may not be more than 50 bytes"),
	Entry("username that begins with a hyphen", "uu", username("-ab"), invalidUsername("-ab")),
	Entry("username that begins with a dot", "uu", username(".ab"), invalidUsername(".ab")),
	Entry("username that begins with an underscore", "uu", username("_ab"), invalidUsername("_ab")),
	Entry("username with a space", "uu", username("a b"), invalidUsername("a b")),
	Entry("username with a quote", "uu", username("a'b"), invalidUsername("a'b")),
	Entry("username with a letter beyond ASCII", "uu", username("zoë"), invalidUsername("zoë")),
	Entry("username with a letter that folds to one of admin", "uu", username("admın"), invalidUsername("admın")),
	Entry("username with a line end, which no message repeats", "uu", username("ab\n"),
		`spec.username: Invalid value: "ab\n": Invalid username. Must be 2-50 alphanumeric characters, dots, hyphens, `+
			"underscores, starting with a letter or digit."),

	Entry("an unknown role", "uu", `{"role":"owner"}`, `spec.role: Unsupported value: "owner": supported values: "admin", "user"`),
	Entry("an empty role", "uu", `{"role":""}`, `spec.role: Unsupported value: "": supported values: "admin", "user"`),
	Entry("state Revoked", "uu", `{"state":"Revoked"}`, `spec.state: Unsupported value: "Revoked": supported values: "Active", "Disabled"`),
	Entry("a state in lower case", "uu", `{"state":"disabled"}`, `spec.state: Unsupported value: "disabled": supported values: "Active", "Disabled"`),
	Entry("description too long", "uu", fmt.Sprintf(`{"description":%q}`, strings.Repeat("x", 1025)), "spec.description: Too long: may not be more than 1024 bytes"),
	Entry("username as a number", "uu", `{"username":5}`, `spec.username: Invalid value: "integer": spec.username in body must be of type string: "integer"`),
	Entry("the spec as a list", "uu", `[]`, `spec: Invalid value: "array": spec in body must be of type object: "array"`),
)

var _ = DescribeTable("An AdminUser is accepted:",
	func(ctx SpecContext, name, spec string) {
		_, err := adminUser.try(ctx, name, spec)
		Expect(err).NotTo(HaveOccurred())
	},
	Entry("metadata.name of two characters", "aa", ""),
	Entry("metadata.name of 50 characters", strings.Repeat("a", 50), ""),
	Entry("metadata.name with dots and hyphens", "a.b-c.d", ""),
	Entry("metadata.name that is a digit first", "1st", ""),
	Entry("metadata.name of any length beside a username", strings.Repeat("a", 243), username("ok")),
	Entry("metadata.name of one character beside a username", "a", username("ok")),
	Entry("metadata.name admin beside a username", "admin", username("root")),
	Entry("username of two characters", "uu", username("ab")),
	Entry("username of 50 characters", "uu", username(strings.Repeat("a", 50))),
	Entry("username of every kind of character", "uu", username("0aZ._-")),
	Entry("username that only begins with admin", "uu", username("admin1")),
	Entry("description at its longest", "uu", fmt.Sprintf(`{"description":%q}`, strings.Repeat("x", 1024))),
)

var _ = DescribeTable("Defaults of a spec", func(ctx SpecContext, spec string, want map[string]any) {
	stored, err := adminUser.try(ctx, "uu", spec)
	Expect(err).NotTo(HaveOccurred())
	Expect(stored.Object["spec"]).To(Equal(want))
},
	Entry("that is missing", "", map[string]any{"role": "admin", "state": "Active", "delivery": "Secret"}),
	Entry("that is null", "null", map[string]any{"role": "admin", "state": "Active", "delivery": "Secret"}),
	Entry("that is empty", "{}", map[string]any{"role": "admin", "state": "Active", "delivery": "Secret"}),
	Entry("with nulls", `{"role":null,"state":null,"delivery":null,"username":null}`, map[string]any{"role": "admin", "state": "Active", "delivery": "Secret"}),
	Entry("with a Secret", `{"secret":{}}`, map[string]any{"role": "admin", "state": "Active", "delivery": "Secret", "secret": map[string]any{"dataKey": "key", "reissuePolicy": "Never", "deletionPolicy": "Delete"}}),
	Entry("that says otherwise", `{"role":"user","state":"Disabled","delivery":"Response"}`, map[string]any{"role": "user", "state": "Disabled", "delivery": "Response"}),
)

var _ = Describe("In an AdminUser", func() {
	var named, unnamed *unstructured.Unstructured
	BeforeEach(func(ctx SpecContext) {
		named = adminUser.create(ctx, "named", username("Alice"))
		unnamed = adminUser.create(ctx, "unnamed", "")
	})

	It("the same username can be given by either field", func(ctx SpecContext) {
		Expect(edit(ctx, unnamed, `{"spec":{"username":"unnamed"}}`)).To(Succeed())
		same := adminUser.create(ctx, "same", username("same"))
		Expect(edit(ctx, same, `{"spec":{"username":null}}`)).To(Succeed())
		Expect(edit(ctx, same, `{"spec":null}`)).To(Succeed())
	})

	It("every other field can be changed", func(ctx SpecContext) {
		Expect(edit(ctx, named, `{"spec":{"role":"user","state":"Disabled","rotation":{"every":"1h"},"secret":{"name":"x","reissuePolicy":"IfLost"}}}`)).To(Succeed())
		Expect(edit(ctx, named, `{"metadata":{"annotations":{"keywright.dev/rotate":"1"}}}`)).To(Succeed())
	})
})

var _ = Describe("The admission policy", func() {
	It("allows AdminUsers in the system namespace only", func(ctx SpecContext) {
		Expect(plane.Client.Create(ctx, adminUser.in("default").manifest("alice", ""))).To(MatchError(And(
			ContainSubstring("ValidatingAdmissionPolicy 'keywright-adminuser-namespace'"),
			ContainSubstring("AdminUser is honoured in namespace keywright-system only, not in default: set "+
				"metadata.namespace to keywright-system"))))
		adminUser.create(ctx, "alice", "")
		var all v1alpha1.AdminUserList
		Expect(plane.Client.List(ctx, &all)).To(Succeed())
		Expect(all.Items).To(ConsistOf(HaveField("Namespace", stack.Namespace)))
	})
})
