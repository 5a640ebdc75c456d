package v1alpha1_test

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Refusals of an APIKey.
const (
	subjectForm = "spec.subject.name: Invalid value: must be 1-63 letters, digits, '.', '_', '-', a letter or digit " +
		"first"
	userForm = "spec.subject.name: Invalid value: must be a username for kind User: 2-50 letters, digits, '.', " +
		"'_', '-', a letter or digit first"
	adminReserved = "spec.subject.name: Invalid value: username 'admin' is reserved"
	scopeForm     = "must be an action such as certs.read or dashboard:View, without a wildcard: that takes a policy"
	roleForm      = "must be the name of an AccessRole: lower case letters, digits, '-' and '.'"
	bothEnds      = "spec.ttl: Invalid value: expiresAt and ttl exclude each other: a key ends at an instant, or so " +
		"long after its issue"
	ttlForm     = "must be at least 1s, in hours, minutes and seconds of up to 5 digits such as 90m, 24h or 2160h"
	ttlTooShort = "spec.ttl: Invalid value: must be longer than rotation.every, or no key would be accepted from its " +
		"end to the next rotation"
)

// ci returns the spec of a key for Account ci, with further fields.
func ci(spec string) string {
	const subject = `{"subject":{"kind":"Account","name":"ci"}`
	if spec == "{}" {
		return subject + "}"
	}
	return subject + "," + strings.TrimPrefix(spec, "{")
}

func subject(kind, name string) string {
	return fmt.Sprintf(`{"subject":{"kind":%q,"name":%q}}`, kind, name)
}

func scopes(s ...string) string { return ci(list("scopes", s...)) }
func roles(r ...string) string  { return ci(list("roles", r...)) }

func list(field string, items ...string) string {
	return `{"` + field + `":["` + strings.Join(items, `","`) + `"]}`
}

// numbered returns different items that begin with the same word.
func numbered(word string, count int) []string {
	items := make([]string, count)
	for i := range items {
		items[i] = fmt.Sprintf("%s%d", word, i)
	}
	return items
}

func badScope(scope string) string {
	return fmt.Sprintf("spec.scopes[0]: Invalid value: %q: %s", scope, scopeForm)
}

func badRole(role string) string {
	return fmt.Sprintf("spec.roles[0]: Invalid value: %q: %s", role, roleForm)
}

func expiresAt(t string) string { return ci(fmt.Sprintf(`{"expiresAt":%q}`, t)) }
func ttl(d string) string       { return ci(fmt.Sprintf(`{"ttl":%q}`, d)) }

func ttlWithin(d, every string) string {
	return ci(fmt.Sprintf(`{"ttl":%q,"rotation":{"every":%q}}`, d, every))
}

func badTime(t string) string {
	return fmt.Sprintf("spec.expiresAt: Invalid value: %q: spec.expiresAt in body must be of type date-time: %q", t, t)
}

func badTTL(d string) string { return fmt.Sprintf("spec.ttl: Invalid value: %q: %s", d, ttlForm) }

var _ = DescribeTable("An APIKey is refused, with one sentence for each mistake:",
	func(ctx SpecContext, spec string, want ...string) {
		_, err := apiKey.try(ctx, "kk", spec)
		Expect(complaints(err)).To(ConsistOf(want))
	},
	Entry("no spec", "", "spec: Required value"),
	Entry("an empty spec", "{}", "spec.subject: Required value"),
	Entry("an empty subject", `{"subject":{}}`, "spec.subject.kind: Required value", "spec.subject.name: Required value"),
	Entry("a subject without a name", `{"subject":{"kind":"Account"}}`, "spec.subject.name: Required value"),
	Entry("a subject without a kind", `{"subject":{"name":"ci"}}`, "spec.subject.kind: Required value"),
	Entry("a subject as text", `{"subject":"User/alice"}`, `spec.subject: Invalid value: "string": spec.subject in body must be of type object: "string"`),
	Entry("subject of an unknown kind", subject("Robot", "ci"), `spec.subject.kind: Unsupported value: "Robot": supported values: "User", "Account", "Integration"`),
	Entry("subject of a kind in lower case", subject("user", "alice"), `spec.subject.kind: Unsupported value: "user": supported values: "User", "Account", "Integration"`),
	Entry("account with an empty name", subject("Account", ""), subjectForm),
	Entry("account with a space", subject("Account", "c i"), subjectForm),
	Entry("account with a slash", subject("Account", "a/b"), subjectForm),
	Entry("account with a colon", subject("Account", "a:b"), subjectForm),
	Entry("account with a line end", subject("Account", "ci\n"), subjectForm),
	Entry("account that begins with a hyphen", subject("Account", "-ci"), subjectForm),
	Entry("account beyond ASCII", subject("Account", "cï"), subjectForm),
	Entry("account too long", subject("Account", strings.Repeat("a", 64)),
		"spec.subject.name: Too long: may not be more than 63 bytes"),
	Entry("integration with a wildcard", subject("Integration", "*"), subjectForm),
	Entry("user with an empty name", subject("User", ""), userForm),
	Entry("user of one character", subject("User", "a"), userForm),
	Entry("user of 51 characters", subject("User", strings.Repeat("a", 51)), userForm),
	Entry("user with a space", subject("User", "a b"), userForm),
	Entry("user that begins with a dot", subject("User", ".ab"), userForm),
	Entry("user admin", subject("User", "admin"), adminReserved),
	Entry("user Admin", subject("User", "Admin"), adminReserved),
	Entry("user ADMIN", subject("User", "ADMIN"), adminReserved),
	Entry("user aDmIn", subject("User", "aDmIn"), adminReserved),
	Entry("user with a letter that folds to one of admin", subject("User", "admın"), userForm),

	Entry("a scope that is a wildcard", scopes("*"), badScope("*")),
	Entry("a scope with a wildcard for a part", scopes("certs.*"), badScope("certs.*")),
	Entry("a scope of one part", scopes("certs"), badScope("certs")),
	Entry("a scope that is empty", scopes(""), badScope("")),
	Entry("a scope with a part missing", scopes("certs."), badScope("certs.")),
	Entry("a scope that begins with a digit", scopes("1certs.read"), badScope("1certs.read")),
	Entry("a scope with a space", scopes("certs.read "), badScope("certs.read ")),
	Entry("two scopes in one text", scopes("certs.read,certs.write"), badScope("certs.read,certs.write")),
	Entry("a scope with a line end", scopes(`certs.read\n`), `spec.scopes[0]: Invalid value: "certs.read\n": `+scopeForm),
	Entry("a scope too long", scopes("a."+strings.Repeat("b", 62)),
		"spec.scopes[0]: Too long: may not be more than 63 bytes"),
	Entry("17 scopes", scopes(numbered("certs.read", 17)...), "spec.scopes: Too many: 17: must have at most 16 items"),
	Entry("a scope twice", scopes("certs.read", "certs.read"), "spec.scopes: Invalid value: must not repeat a scope"),
	Entry("a scope that is null", ci(`{"scopes":[null]}`), `spec.scopes[0]: Invalid value: "null": spec.scopes[0] in body must be of type string: "null"`),
	Entry("scopes as text", ci(`{"scopes":"certs.read"}`), `spec.scopes: Invalid value: "string": spec.scopes in body must be of type array: "string"`),

	Entry("a role in capitals", roles("Reader"), badRole("Reader")),
	Entry("a role that is empty", roles(""), badRole("")),
	Entry("a role with an underscore", roles("a_b"), badRole("a_b")),
	Entry("a role that is a wildcard", roles("*"), badRole("*")),
	Entry("a role too long", roles(strings.Repeat("a", 254)), "spec.roles[0]: Too long: may not be more than 253 bytes"),
	Entry("9 roles", roles(numbered("role", 9)...), "spec.roles: Too many: 9: must have at most 8 items"),
	Entry("a role twice", roles("reader", "reader"), "spec.roles: Invalid value: must not repeat a role"),

	Entry("both ends", ci(`{"expiresAt":"2030-01-01T00:00:00Z","ttl":"1h"}`), bothEnds),
	Entry("expiresAt in a format that Go cannot read", expiresAt("2030-01-01t00:00:00z"),
		`spec.expiresAt: Invalid value: "string": Invalid date-time formatted string 2030-01-01t00:00:00z: parsing time "2030-01-01t00:00:00z" as `+
			`"2006-01-02T15:04:05": cannot parse "t00:00:00z" as "T" evaluating rule: must be a time such as 2030-01-31T12:00:00Z`),
	Entry("expiresAt with a leap second", expiresAt("2030-06-30T23:59:60Z"), badTime("2030-06-30T23:59:60Z")),
	Entry("expiresAt that is a day", expiresAt("2030-01-01"), badTime("2030-01-01")),
	Entry("expiresAt in words", expiresAt("tomorrow"), badTime("tomorrow")),
	Entry("expiresAt empty", expiresAt(""), badTime("")),
	Entry("expiresAt without a zone", expiresAt("2030-01-01T00:00:00"), badTime("2030-01-01T00:00:00")),
	Entry("expiresAt as a number", ci(`{"expiresAt":1893456000}`), `spec.expiresAt: Invalid value: "int64": spec.expiresAt in body must be of type date-time: "int64"`),
	Entry("expiresAt before the year 1", expiresAt("0000-12-31T23:59:59Z"), noTime("expiresAt", "0000-12-31T23:59:59Z")),
	Entry("expiresAt after the year 9999", expiresAt("9999-12-31T23:59:59-01:00"),
		noTime("expiresAt", "9999-12-31T23:59:59-01:00")),
	Entry("ttl of no time", ttl("0s"), badTTL("0s")),
	Entry("ttl negative", ttl("-1h"), badTTL("-1h")),
	Entry("ttl empty", ttl(""), badTTL("")),
	Entry("ttl in days", ttl("30d"), badTTL("30d")),
	Entry("ttl with a fraction", ttl("1.5h"), badTTL("1.5h")),
	Entry("ttl under a second", ttl("500ms"), badTTL("500ms")),
	Entry("ttl in the wrong order", ttl("30s1h"), badTTL("30s1h")),
	Entry("ttl of six digits", ttl("100000h"), badTTL("100000h")),
	Entry("ttl beyond any length", ttl(strings.Repeat("9", 18)+"h"), "spec.ttl: Too long: may not be more than 18 bytes"),
	Entry("ttl as a number", ci(`{"ttl":3600}`), `spec.ttl: Invalid value: "integer": spec.ttl in body must be of type string: "integer"`),
	Entry("ttl as long as every", ttlWithin("60m", "1h"), ttlTooShort),
	Entry("ttl shorter than every", ttlWithin("59m", "1h"), ttlTooShort),
	Entry("ttl and every in days, without a second refusal", ttlWithin("1d", "30d"), badTTL("1d"),
		badEvery("30d")),

	Entry("category too long", ci(fmt.Sprintf(`{"category":%q}`, strings.Repeat("x", 64))), "spec.category: Too long: may not be more than 63 bytes"),
	Entry("displayName too long", ci(fmt.Sprintf(`{"displayName":%q}`, strings.Repeat("x", 254))), "spec.displayName: Too long: may not be more than 253 bytes"),
	Entry("description too long", ci(fmt.Sprintf(`{"description":%q}`, strings.Repeat("x", 1025))), "spec.description: Too long: may not be more than 1024 bytes"),
	Entry("a state in lower case", ci(`{"state":"revoked"}`), `spec.state: Unsupported value: "revoked": supported values: "Active", "Disabled", "Revoked"`),
	Entry("an empty state", ci(`{"state":""}`), `spec.state: Unsupported value: "": supported values: "Active", "Disabled", "Revoked"`),
	Entry("several mistakes at once", `{"subject":{"kind":"Account","name":"c i"},"ttl":"0s","scopes":["*"]}`, subjectForm, badTTL("0s"), badScope("*")),
)

var _ = DescribeTable("An APIKey is accepted:",
	func(ctx SpecContext, spec string) {
		_, err := apiKey.try(ctx, "kk", spec)
		Expect(err).NotTo(HaveOccurred())
	},
	Entry("account of one character", subject("Account", "a")),
	Entry("account of 63 characters of every kind", subject("Account", strings.Repeat("a", 58)+"0Z._-")),
	Entry("account admin, which is not a user", subject("Account", "admin")),
	Entry("integration", subject("Integration", "github-1")),
	Entry("user of two characters", subject("User", "ab")),
	Entry("user of 50 characters", subject("User", strings.Repeat("a", 50))),
	Entry("user that only begins with admin", subject("User", "admin1")),
	Entry("16 scopes", scopes(numbered("certs.read", 16)...)),
	Entry("scopes of two ways to write and more parts", scopes("certs.read", "dashboard:View", "a.b.c", "a-b:c_d.1")),
	Entry("a scope of 63 characters", scopes("a."+strings.Repeat("b", 61))),
	Entry("scopes that differ by case alone", scopes("certs.read", "certs.Read")),
	Entry("8 roles", roles(numbered("role", 8)...)),
	Entry("a role that does not exist, with dots", roles("a.b-c")),
	Entry("a role at its longest", roles(strings.Repeat("a", 253))),
	Entry("empty lists", ci(`{"scopes":[],"roles":[]}`)),
	Entry("expiresAt", expiresAt("2030-01-01T00:00:00Z")),
	Entry("expiresAt that is past", expiresAt("2001-01-01T00:00:00Z")),
	Entry("expiresAt in another zone, with a fraction", expiresAt("2030-01-01T00:00:00.5+02:00")),
	Entry("expiresAt at the end of the year 9999", expiresAt("9999-12-31T23:59:59Z")),
	Entry("ttl of a second", ttl("1s")),
	Entry("ttl of all three units", ttl("1h30m15s")),
	Entry("ttl at its longest", ttl("99999h99999m99999s")),
	Entry("ttl just longer than every", ttlWithin("61s", "1m")),
	Entry("ttl beside an overlap alone", ci(`{"ttl":"1m","rotation":{"overlap":"1h"}}`)),
	Entry("ttl of a key delivered by the API", ci(`{"ttl":"1h","delivery":"Response"}`)),
	Entry("texts at their longest", ci(fmt.Sprintf(`{"category":%q,"displayName":%q,"description":%q}`,
		strings.Repeat("x", 63), strings.Repeat("x", 253), strings.Repeat("x", 1024)))),
	Entry("revoked from the start", ci(`{"state":"Revoked"}`)),
)

var _ = Describe("An APIKey's name", func() {
	const nameLength = "metadata: Invalid value: metadata.name must be at most 245 characters: the Secret's name is " +
		"made from it"

	It("leaves room for the name of the Secret", func(ctx SpecContext) {
		_, err := apiKey.try(ctx, strings.Repeat("a", 246), ci("{}"))
		Expect(complaints(err)).To(ConsistOf(nameLength))
		_, err = apiKey.try(ctx, strings.Repeat("a", 245), ci("{}"))
		Expect(err).NotTo(HaveOccurred())
	})

	It("is not limited like the name of an AdminUser", func(ctx SpecContext) {
		for _, name := range []string{"a", "admin", "a.b-c"} {
			_, err := apiKey.try(ctx, name, ci("{}"))
			Expect(err).NotTo(HaveOccurred(), name)
		}
	})
})

var _ = DescribeTable("Defaults of an APIKey", func(ctx SpecContext, spec string, want map[string]any) {
	stored, err := apiKey.try(ctx, "kk", ci(spec))
	Expect(err).NotTo(HaveOccurred())
	want["subject"] = map[string]any{"kind": "Account", "name": "ci"}
	Expect(stored.Object["spec"]).To(Equal(want))
},
	Entry("that says nothing else", "{}", map[string]any{"state": "Active", "delivery": "Secret"}),
	Entry("with nulls", `{"state":null,"delivery":null,"ttl":null,"expiresAt":null,"policy":null,"scopes":null}`,
		map[string]any{"state": "Active", "delivery": "Secret"}),
	Entry("with a Secret", `{"secret":{}}`,
		map[string]any{"state": "Active", "delivery": "Secret",
			"secret": map[string]any{"dataKey": "key", "type": "Opaque", "reissuePolicy": "IfLost",
				"deletionPolicy": "Delete"}}),
	Entry("that says otherwise", `{"state":"Disabled","delivery":"Secret","secret":{"dataKey":"token","reissuePolicy":"Never","deletionPolicy":"Orphan"}}`,
		map[string]any{"state": "Disabled", "delivery": "Secret",
			"secret": map[string]any{"dataKey": "token", "type": "Opaque", "reissuePolicy": "Never",
				"deletionPolicy": "Orphan"}}),
	Entry("that the API delivers", `{"delivery":"Response"}`, map[string]any{"state": "Active", "delivery": "Response"}),
)

var _ = Describe("In an APIKey", func() {
	var key *unstructured.Unstructured
	BeforeEach(func(ctx SpecContext) { key = apiKey.create(ctx, "fixed", ci("{}")) })

	It("the subject cannot be removed", func(ctx SpecContext) {
		Expect(complaints(edit(ctx, key, `{"spec":{"subject":null}}`))).To(ConsistOf("spec.subject: Required value"))
		Expect(complaints(edit(ctx, key, `{"spec":null}`))).To(ConsistOf("spec: Required value"))
	})

	It("every other field can be changed", func(ctx SpecContext) {
		Expect(edit(ctx, key, `{"spec":{"displayName":"CI","description":"d","category":"c","state":"Disabled","scopes":["a.b"],"roles":["r"],`+
			`"policy":{"permissions":[{"effect":"DENY","actions":["*"],"resources":["*"]}]},"expiresAt":"2030-01-01T00:00:00Z",`+
			`"rotation":{"every":"1h","overlap":"1m","after":"2030-01-01T00:00:00Z"},"secret":{"name":"x","dataKey":"k","reissuePolicy":"Never","deletionPolicy":"Orphan"}}}`)).To(Succeed())
	})
})
