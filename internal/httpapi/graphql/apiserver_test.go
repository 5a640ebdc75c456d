package graphql_test

import (
	"log/slog"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"keywright.dev/keywright/test/fakeobjects"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/liveobjects"
)

func TestAPIServer(t *testing.T) {
	kit.RunSpecs(t, "GraphQL")
}

// whole is /graphql with everything behind it but a database.
var whole *env

var _ = BeforeSuite(func(ctx SpecContext) {
	entries := &kit.Log{}
	live := liveobjects.Start(ctx, slog.New(slog.NewJSONHandler(entries, nil)))
	g, service := live.APIKeys()
	whole = &env{backing: &backing{}, log: entries}
	whole.mount(g, service, live.Log)
}, kit.StartTimeout)

func policyOf(permission string) map[string]any {
	return map[string]any{"token": map[string]any{"name": "Token Name", "policy": `{"permissions": [` + permission + `]}`}}
}

var _ = Describe("A policy", func() {
	DescribeTable("that the resource refuses makes no token",
		func(permission, field string) {
			problems := whole.ask(GinkgoTB(), fakeobjects.BootstrapKey, seedCreate, policyOf(permission), nil)
			Expect(problems).To(HaveLen(1))
			Expect(problems[0].Extensions.Code).To(Equal(4000), problems[0].Message)
			Expect(problems[0].Extensions.Field).To(Equal(field), problems[0].Message)
		},
		Entry("an effect in lower case", `{"effect": "allow", "actions": ["*"], "resources": ["*"]}`, "policy.permissions[0].effect"),
		Entry("another effect", `{"effect": "AUDIT", "actions": ["*"], "resources": ["*"]}`, "policy.permissions[0].effect"),
		Entry("no effect", `{"actions": ["*"], "resources": ["*"]}`, "policy.permissions[0].effect"),
		Entry("no action", `{"effect": "ALLOW", "actions": [], "resources": ["*"]}`, "policy.permissions[0].actions"),
		Entry("no resource", `{"effect": "ALLOW", "actions": ["*"]}`, "policy.permissions[0].resources"),
		Entry("a part of an action", `{"effect": "ALLOW", "actions": ["a:B", "dashboard:*"], "resources": ["*"]}`, "policy.permissions[0].actions[1]"),
		Entry("an action without a service", `{"effect": "ALLOW", "actions": ["View"], "resources": ["*"]}`, "policy.permissions[0].actions[0]"),
		Entry("a part of a resource", `{"effect": "ALLOW", "actions": ["*"], "resources": ["dashboard:*"]}`, "policy.permissions[0].resources[0]"),
		Entry("a resource without a kind", `{"effect": "ALLOW", "actions": ["*"], "resources": ["123456"]}`, "policy.permissions[0].resources[0]"),
		Entry("reading the graph on one resource", `{"effect": "ALLOW", "actions": ["query:ReadGraphData"], "resources": ["entity:1"]}`, "policy.permissions[0].resources"),
		Entry("an empty condition", `{"effect": "ALLOW", "actions": ["*"], "resources": ["*"], "condition": {"stringEquals": {}}}`, "policy.permissions[0].condition.stringEquals"),
		Entry("nothing", ``, "policy.permissions"),
	)
	DescribeTable("that it takes makes one that is accepted, until it is revoked",
		func(permission string) {
			var made struct{ CreateToken tokenReply }
			whole.get(GinkgoTB(), fakeobjects.BootstrapKey, seedCreate, policyOf(permission), &made)
			plaintext := value(made.CreateToken.Token)
			Expect(whole.serve(newRequest(plaintext, anyQuery)).Code).To(Equal(200))
			whole.get(GinkgoTB(), fakeobjects.BootstrapKey, seedRevoke, map[string]any{"id": made.CreateToken.ID}, nil)
			Expect(whole.serve(newRequest(plaintext, anyQuery)).Code).To(Equal(401))
			Expect(whole.log.String()).NotTo(ContainSubstring(plaintext))
		},
		Entry("the seed's", `{"effect": "ALLOW", "actions": ["dashboard:View"], "resources": ["dashboard:123456"]}`),
		Entry("everything", `{"effect": "ALLOW", "actions": ["*"], "resources": ["*"]}`),
		Entry("a denial", `{"effect": "DENY", "actions": ["certs.read"], "resources": ["*"]}`),
		Entry("the seed's condition", `{"effect": "ALLOW", "actions": ["query:ReadGraphData"], "resources": ["*"], "condition": {"stringEquals": {"_type": "github_repo"}}}`),
	)
})
