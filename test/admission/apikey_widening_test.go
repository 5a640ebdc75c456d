package admission

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var apiKeys = widened{
	kind: "APIKey", namespace: team, base: `{"subject":{"kind":"Account","name":"ci"}}`, editing: rules{editing},
}

// onCI returns a row of an update that needs use of Account ci.
func onCI(field, from, patch, do string) change {
	return change{field: field, direction: widens, from: from, patch: patch, refusal: noWidening(do, "Account/ci"),
		needs: rules{useCI}}
}

func onSecret(field, patch string) change {
	return onCI("secret."+field, `{"secret":{"name":"own"}}`, patch, "change spec.secret of")
}

const (
	changeEvery = "change spec.rotation.every of"
	lengthen    = "lengthen the overlap of"
)

// The table of the fields of an APIKey.
var apiKeyChanges = append(budgetChanges, []change{
	{field: "displayName", direction: neutral, patch: `{"displayName":"d"}`},
	{field: "description", direction: neutral, patch: `{"description":"d"}`},
	{field: "category", direction: neutral, patch: `{"category":"c"}`},

	{field: "subject.kind", direction: transition, patch: `{"subject":{"kind":"Integration"}}`},
	{field: "subject.name", direction: transition, patch: `{"subject":{"name":"other"}}`},
	{field: "delivery", direction: transition, patch: `{"delivery":"Response"}`},
	{field: "delivery", direction: transition, from: `{"delivery":"Response"}`, patch: `{"delivery":null}`},

	{field: "scopes", direction: widens, patch: `{"scopes":["certs.admin"]}`, refusal: noScope("certs.admin"),
		needs: rules{use("scopes", "certs.admin")}},
	{field: "scopes", direction: narrows, from: `{"scopes":["certs.read","certs.admin"]}`,
		patch: `{"scopes":["certs.read"]}`},
	{field: "scopes", direction: neutral, from: `{"scopes":["certs.read","certs.admin"]}`,
		patch: `{"scopes":["certs.admin","certs.read"]}`},
	{field: "roles", direction: widens, patch: `{"roles":["root"]}`, refusal: noRole("root"),
		needs: rules{use("accessroles", "root")}},
	{field: "roles", direction: widens, from: `{"roles":["root"]}`, patch: `{"roles":null}`, refusal: keepsRole("root"),
		needs: rules{use("accessroles", "root")}},
	{field: "policy.permissions", direction: widens, patch: `{"policy":{"permissions":[` + allow + `]}}`,
		refusal: noPolicy, needs: rules{use("policies")}},
	{field: "policy.permissions", direction: widens, from: `{"policy":{"permissions":[` + deny + `]}}`,
		patch: `{"policy":null}`, refusal: keepsPolicy, needs: rules{use("policies")}},
	{field: "policy.permissions", direction: narrows, from: `{"policy":{"permissions":[` + allow + `]}}`,
		patch: `{"policy":null}`},

	{field: "state", direction: narrows, patch: `{"state":"Disabled"}`},
	{field: "state", direction: narrows, patch: `{"state":"Revoked"}`},
	{field: "state", direction: narrows, from: `{"state":"Disabled"}`, patch: `{"state":"Revoked"}`},
	{field: "state", direction: neutral, patch: `{"state":null}`},
	{field: "state", direction: neutral, from: `{"state":"Disabled"}`, patch: `{"state":"Disabled"}`},
	onCI("state", `{"state":"Disabled"}`, `{"state":"Active"}`, "enable"),
	onCI("state", `{"state":"Disabled"}`, `{"state":null}`, "enable"),
	{field: "state", direction: transition, from: `{"state":"Revoked"}`, patch: `{"state":"Active"}`},
	{field: "state", direction: transition, from: `{"state":"Revoked"}`, patch: `{"state":"Disabled"}`},

	{field: "expiresAt", direction: narrows, patch: `{"expiresAt":"2030-01-01T00:00:00Z"}`},
	{field: "expiresAt", direction: narrows, from: `{"expiresAt":"2030-01-01T00:00:00Z"}`,
		patch: `{"expiresAt":"2029-12-31T23:59:59Z"}`},
	{field: "expiresAt", direction: neutral, from: `{"expiresAt":"2030-01-01T00:00:00Z"}`,
		patch: `{"expiresAt":"2030-01-01T01:00:00+01:00"}`},
	onCI("expiresAt", `{"expiresAt":"2030-01-01T00:00:00Z"}`, `{"expiresAt":"2030-01-01T00:00:01Z"}`, "prolong"),
	onCI("expiresAt", `{"expiresAt":"2030-01-01T00:00:00Z"}`, `{"expiresAt":"2029-12-31T23:59:59-01:00"}`, "prolong"),
	onCI("expiresAt", `{"expiresAt":"2030-01-01T00:00:00Z"}`, `{"expiresAt":null}`, "prolong"),
	onCI("expiresAt", `{"expiresAt":"2030-01-01T00:00:00Z"}`, `{"expiresAt":null,"ttl":"1s"}`, "prolong"),

	{field: "ttl", direction: narrows, patch: `{"ttl":"99999h"}`},
	{field: "ttl", direction: narrows, from: `{"ttl":"24h"}`, patch: `{"ttl":"23h59m59s"}`},
	{field: "ttl", direction: neutral, from: `{"ttl":"24h"}`, patch: `{"ttl":"1440m"}`},
	onCI("ttl", `{"ttl":"24h"}`, `{"ttl":"24h1s"}`, "prolong"),
	onCI("ttl", `{"ttl":"24h"}`, `{"ttl":null}`, "prolong"),
	onCI("ttl", `{"ttl":"24h"}`, `{"ttl":null,"expiresAt":"2000-01-01T00:00:00Z"}`, "prolong"),

	onCI("rotation.every", "", `{"rotation":{"every":"24h"}}`, changeEvery),
	onCI("rotation.every", `{"rotation":{"every":"24h"}}`, `{"rotation":{"every":"25h"}}`, changeEvery),
	onCI("rotation.every", `{"rotation":{"every":"24h"}}`, `{"rotation":{"every":"23h"}}`, changeEvery),
	onCI("rotation.every", `{"rotation":{"every":"24h"}}`, `{"rotation":null}`, changeEvery),
	{field: "rotation.overlap", direction: narrows, from: `{"rotation":{"overlap":"30m"}}`,
		patch: `{"rotation":{"overlap":"29m59s"}}`},
	{field: "rotation.overlap", direction: neutral, from: `{"rotation":{"overlap":"60m"}}`,
		patch: `{"rotation":{"overlap":"1h"}}`},
	// Without an overlap the default applies: 1h at most, which depends on other fields, and 0s at least.
	{field: "rotation.overlap", direction: narrows, from: `{"rotation":{"overlap":"1h"}}`, patch: `{"rotation":null}`},
	{field: "rotation.overlap", direction: narrows, patch: `{"rotation":{"overlap":"0s"}}`},
	onCI("rotation.overlap", "", `{"rotation":{"overlap":"1s"}}`, lengthen),
	onCI("rotation.overlap", `{"rotation":{"overlap":"30m"}}`, `{"rotation":{"overlap":null}}`, lengthen),
	onCI("rotation.overlap", `{"rotation":{"overlap":"30m"}}`, `{"rotation":{"overlap":"30m1s"}}`, lengthen),
	{field: "rotation.after", direction: neutral, patch: `{"rotation":{"after":"2020-01-01T00:00:00Z"}}`},
	{field: "rotation.after", direction: neutral, from: `{"rotation":{"after":"2020-01-01T00:00:00Z"}}`,
		patch: `{"rotation":{"after":"2021-01-01T00:00:00Z"}}`},
	{field: "rotation.after", direction: neutral, from: `{"rotation":{"after":"2020-01-01T00:00:00Z"}}`,
		patch: `{"rotation":null}`},

	onSecret("name", `{"secret":{"name":"another"}}`),
	onSecret("name", `{"secret":null}`),
	onCI("secret.name", "", `{"secret":{"name":"another"}}`, "change spec.secret of"),
	onSecret("dataKey", `{"secret":{"dataKey":"token"}}`),
	onSecret("type", `{"secret":{"type":"example.com/token","name":"another"}}`),
	onSecret("labels", `{"secret":{"labels":{"argocd.argoproj.io/secret-type":"repository"}}}`),
	onSecret("annotations", `{"secret":{"annotations":{"example.com/copy-to":"team-b"}}}`),
	onSecret("stringData", `{"secret":{"stringData":{"url":"https://git.example.com"}}}`),
	onSecret("reissuePolicy", `{"secret":{"reissuePolicy":"Never"}}`),
	onSecret("deletionPolicy", `{"secret":{"deletionPolicy":"Orphan"}}`),
}...)

var _ = Describe("An update of an APIKey", Ordered, ContinueOnFailure, func() {
	var editor client.Client
	BeforeAll(func(ctx SpecContext) { editor = person(ctx, team, editing) })

	DescribeTable("needs use if it widens:", append([]any{func(ctx SpecContext, c change) {
		apiKeys.try(ctx, editor, c)
	}}, entries(apiKeyChanges)...)...)

	It("has a row for every field", func() { expectEveryField("apikeys", apiKeyChanges) })

	It("needs use of its own subject", func(ctx SpecContext) {
		object := apiKeys.object(ctx, `{"ttl":"24h"}`)
		who := person(ctx, team, editing, use("accounts", "cd"), use("users", "ci"), use("scopes"), use("policies"))
		expectRefusal(update(ctx, who, object, `{"ttl":null}`), noWidening("prolong", "Account/ci"))
	})

	It("needs use of a user as of an account", func(ctx SpecContext) {
		object := apiKeys.object(ctx, `{"subject":{"kind":"User","name":"alice"},"ttl":"24h"}`)
		expectRefusal(update(ctx, editor, object, `{"ttl":null}`), noWidening("prolong", "User/alice"))
		who := person(ctx, team, editing, use("users", "alice"))
		Expect(update(ctx, who, object, `{"ttl":null}`)).To(Succeed())
	})

	It("is refused with one message for everything that it widens", func(ctx SpecContext) {
		object := apiKeys.object(ctx, `{"ttl":"24h","state":"Disabled"}`)
		expectRefusal(update(ctx, editor, object, `{"ttl":null,"state":"Active","secret":{"name":"another"}}`),
			noWidening("prolong and enable and change spec.secret of", "Account/ci"))
	})

	It("needs use to raise one budget while it lowers another", func(ctx SpecContext) {
		object := apiKeys.object(ctx, budgetList(usd("1", "Day"), tokens(10, "Hour")))
		expectRefusal(update(ctx, editor, object, budgetList(usd("0.5", "Day"), tokens(11, "Hour"))),
			noWidening("raise or remove a budget of", "Account/ci"))
	})

	It("is refused if it narrows too", func(ctx SpecContext) {
		object := apiKeys.object(ctx, `{"ttl":"24h"}`)
		expectRefusal(update(ctx, editor, object, `{"state":"Disabled","secret":{"name":"another"}}`),
			noWidening("change spec.secret of", "Account/ci"))
	})

	// An earlier CRD may have let these in. A cryptic refusal would keep the key from being stopped.
	DescribeTable("is judged where the object has a value that CEL cannot read:", func(ctx SpecContext, from, by string) {
		object := apiKeys.object(ctx, from)
		rewrite(ctx, object, strings.Trim(from, "{}"), strings.Trim(by, "{}"))
		Expect(update(ctx, editor, object, `{"state":"Revoked"}`)).To(Succeed())
	},
		Entry("an end in the year 10000", `{"expiresAt":"2030-01-01T00:00:00Z"}`,
			`{"expiresAt":"9999-12-31T23:59:59-01:00"}`),
		Entry("an end in the furthest zone", `{"expiresAt":"2030-01-01T00:00:00Z"}`,
			`{"expiresAt":"9999-12-30T23:00:00-24:60"}`),
		Entry("a lifetime in words", `{"ttl":"24h"}`, `{"ttl":"1 day"}`),
		Entry("a budget in words", `{"budgets":[{"action":"Deny","name":"b","period":"Day","usd":"1"}]}`,
			`{"budgets":[{"action":"Deny","name":"b","period":"Week","usd":"one"}]}`),
		Entry("an overlap in words", `{"rotation":{"overlap":"1h"}}`, `{"rotation":{"overlap":"an hour"}}`),
	)

	It("may give an end to a key that ends in the year 10000", func(ctx SpecContext) {
		object := apiKeys.object(ctx, `{"expiresAt":"2030-01-01T00:00:00Z"}`)
		rewrite(ctx, object, "2030-01-01T00:00:00Z", "9999-12-30T23:00:00-24:60")
		Expect(update(ctx, editor, object, `{"expiresAt":"2030-01-01T00:00:00Z"}`)).To(Succeed())
	})
})
